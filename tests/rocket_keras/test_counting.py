import keras
import pytest

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


def test_a_layer_is_counted_by_its_class_not_by_its_name():
    class Pointwise(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    Pointwise.__name__ = "Conv2D"
    x = keras.Input((6, 6, 3))
    conv = keras.layers.Conv2D(2, 3, padding="same")
    assert multiply_adds(keras.Model(x, conv(Pointwise()(x)))) == 36 * 27 * 2

    class Wide(keras.layers.Conv2D):
        pass

    assert multiply_adds(keras.Model(x, Wide(2, 3, padding="same")(x))) == 36 * 27 * 2


def test_a_net_without_a_graph_is_named():
    class Own(keras.Model):
        def call(self, x):
            return 2 * x

    x = keras.Input((6,))
    with pytest.raises(ValueError, match="'own' \\(Own\\), which has no graph of layers"):
        multiply_adds(keras.Model(x, Own(name="own")(x)))
