import itertools
import sys

import keras
import numpy as np
import pytest

from rocket_keras.layers import (
    CategoricalEmbedding,
    Dice,
    FactorizationMachine,
    FeatureCross,
    MaskedMean,
    SparseLinear,
)

PADDED = np.array([[1, 2, 1], [0, -1, -1], [-1, -1, -1]], "int32")


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_a_row_of_ids_reads_the_fields_own_rows_and_zeros_at_the_padding():
    layer = CategoricalEmbedding([5, 3], 2)
    single = array(layer([np.array([4, 0], "int32"), np.array([2, 1], "int32")]))
    found = array(layer(PADDED, fields=[1]))
    rows = array(layer.table)[5:]
    np.testing.assert_array_equal(found[0], rows[[1, 2, 1]])
    np.testing.assert_array_equal(found[1], [rows[0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found[2], np.zeros((3, 2)))
    np.testing.assert_array_equal(array(layer([np.array([2, 1], "int32")], fields=[1])), single[:, 2:])


def test_the_number_of_fields_is_checked_when_the_graph_is_built():
    ids = [keras.Input((), dtype="int32") for _ in range(3)]
    with pytest.raises(ValueError, match="for each of 2 fields, got 3"):
        CategoricalEmbedding([3, 4], 2)(ids)


def test_the_mean_is_over_the_ids_alone():
    events = np.random.default_rng(0).normal(size=(3, 3, 2)).astype("float32")
    expected = [events[0].mean(0), events[1, 0], np.zeros(2)]
    np.testing.assert_allclose(array(MaskedMean()([events, PADDED])), expected, atol=1e-6)


def test_the_linear_part_equals_a_dense_layer_over_one_hot_vectors():
    layer = SparseLinear([4, 3], units=2, kernel_initializer="normal")
    ids = np.array([3, 0, 9], "int32")
    found = array(layer([ids, PADDED]))
    first = np.eye(4)[[3, 0, 3]]
    second = np.array([[0, 2 / 3, 1 / 3], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(found, np.concatenate([first, second], axis=1) @ array(layer.kernel), atol=1e-6)


@pytest.mark.parametrize(("sizes", "units"), [([], 1), ([0], 1), ([3], 0)])
def test_a_linear_part_without_ids_or_units_is_refused(sizes, units):
    with pytest.raises(ValueError, match="must be at least 1"):
        SparseLinear(sizes, units)


def test_the_linear_part_checks_the_number_of_fields():
    with pytest.raises(ValueError, match="for each of 2 fields, got 1"):
        SparseLinear([3, 4])([PADDED])


def test_the_second_order_is_the_sum_of_all_pairs_dot_products():
    vectors = np.random.default_rng(0).normal(size=(6, 5, 3)).astype("float32")
    pairs = itertools.combinations(range(5), 2)
    expected = sum((vectors[:, i] * vectors[:, j]).sum(1) for i, j in pairs)
    parts = [vectors[:, :2].reshape(6, 6), vectors[:, 2], vectors[:, 3:].reshape(6, 6)]
    np.testing.assert_allclose(array(FactorizationMachine(3)(parts))[:, 0], expected, atol=1e-5)


def test_vectors_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"must get 3 columns a field. Received 4 columns"):
        FactorizationMachine(3)([np.zeros((2, 3), "float32"), np.zeros((2, 4), "float32")])


def test_a_cross_layer_is_x0_times_a_linear_map_plus_x():
    rng = np.random.default_rng(0)
    x0, x, bias = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=3)
    layer = FeatureCross()
    layer.build([(None, 3), (None, 3)])
    kernel = rng.normal(size=(3, 3))
    layer.set_weights([kernel, bias])
    got = layer([x0.astype("float32"), x.astype("float32")])
    np.testing.assert_allclose(array(got), x0 * (x @ kernel + bias) + x, atol=1e-5)


def test_a_cross_layer_without_keras_rs_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_rs", None)
    with pytest.raises(ImportError, match=r"keras_rs.*pip install 'rocket-keras\[launch\]'") as caught:
        FeatureCross()
    assert "\n" not in str(caught.value)


def test_dice_bends_at_the_batchs_mean_in_training_and_at_the_moving_mean_elsewhere():
    x = np.random.default_rng(0).normal(3, 2, size=(50, 4)).astype("float32")
    layer = Dice(momentum=0.5, epsilon=1e-3)
    layer.build(x.shape)
    alpha = np.array([0, 0.2, -0.5, 1], "float32")
    layer.alpha.assign(alpha)

    def expected(mean, variance):
        p = 1 / (1 + np.exp(-(x - mean) / np.sqrt(variance + 1e-3)))
        return p * x + (1 - p) * alpha * x

    np.testing.assert_allclose(array(layer(x, training=False)), expected(0, 1), atol=1e-5)
    np.testing.assert_allclose(array(layer(x, training=True)), expected(x.mean(0), x.var(0)), atol=1e-4)
    moved = expected(x.mean(0) / 2, (1 + x.var(0)) / 2)
    np.testing.assert_allclose(array(layer(x, training=False)), moved, atol=1e-4)
    assert len(layer.trainable_variables) == 1
