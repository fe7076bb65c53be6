import keras

from rocket_keras import multiply_adds


def test_bare_operations_in_the_graph_count_nothing():
    x = keras.Input((6,))
    halves = x[:, :3] + keras.ops.sin(x[:, 3:])
    assert multiply_adds(keras.Model(x, keras.layers.Dense(4)(halves))) == 12


def test_a_layer_counts_once_a_call_and_once_a_position():
    x = keras.Input((5, 3))
    dense = keras.layers.Dense(3)
    inner = keras.Sequential([keras.Input((5, 3)), keras.layers.Dense(2)])
    assert multiply_adds(keras.Model(x, inner(dense(dense(x))))) == 2 * 5 * 9 + 5 * 6
