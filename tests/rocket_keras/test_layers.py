import keras
import numpy as np
import pytest

from rocket_keras.layers import CategoricalEmbedding, PreActivationBlock, SparseEmbedding


def test_one_table_equals_an_embedding_a_field():
    sizes, dim = [5, 7, 3], 4
    layer = CategoricalEmbedding(sizes, dim)
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, size, 6).astype("int32") for size in sizes]
    got = keras.ops.convert_to_numpy(layer(ids))
    tables = np.split(keras.ops.convert_to_numpy(layer.table.value), np.cumsum(sizes)[:-1])
    np.testing.assert_array_equal(got, np.concatenate([t[i] for t, i in zip(tables, ids, strict=True)], axis=1))
    assert got.shape == (6, len(sizes) * dim)


def test_an_id_outside_its_field_never_reads_the_neighbours_rows():
    layer = CategoricalEmbedding([5, 7], 2)
    inside = keras.ops.convert_to_numpy(layer([np.array([0, 4], "int32"), np.array([0, 6], "int32")]))
    outside = keras.ops.convert_to_numpy(layer([np.array([-3, 99], "int32"), np.array([-1, 7], "int32")]))
    np.testing.assert_array_equal(inside, outside)


@pytest.mark.parametrize(("sizes", "dim"), [([], 4), ([0], 4), ([3], 0)])
def test_sizes_and_dim_must_be_at_least_one(sizes, dim):
    with pytest.raises(ValueError, match="must be at least 1"):
        CategoricalEmbedding(sizes, dim)


def test_the_number_of_fields_is_checked():
    with pytest.raises(ValueError, match="for each of 2 fields, got 1"):
        CategoricalEmbedding([3, 4], 2)([np.zeros(2, "int32")])


def test_a_twin_shares_convolutions_and_owns_its_norms():
    block = PreActivationBlock(8, stride=2, project=True, name="booster_block")
    twin = block.twin("light_block")
    images = keras.Input((8, 8, 4))
    booster, light = keras.Model(images, block(images)), keras.Model(images, twin(images))
    shared = {id(v) for v in booster.variables} & {id(v) for v in light.variables}
    assert shared == {id(c.kernel) for c in (block.conv1, block.conv2, block.shortcut)}
    assert booster.outputs[0].shape == (None, 4, 4, 8)


def test_the_shortcut_is_the_input_or_a_convolution_of_the_first_activation():
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    for project, filters in ((False, 3), (True, 5)):
        block = PreActivationBlock(filters, project=project, name=f"b{filters}")
        images = keras.Input((4, 4, 3))
        model = keras.Model(images, block(images))
        block.conv2.kernel.assign(np.zeros(block.conv2.kernel.shape))
        got = model.predict(x, verbose=0)
        if project:
            active = keras.ops.relu(x / np.sqrt(1 + 1e-5))
            expected = np.einsum("nhwc,cf->nhwf", active, keras.ops.convert_to_numpy(block.shortcut.kernel.value)[0, 0])
        else:
            expected = x
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_large_table_is_drawn_part_by_part_and_no_part_repeats(monkeypatch, seed):
    monkeypatch.setattr("rocket_keras.layers.drawn_rows.PART", 4)
    tables = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        layer = SparseEmbedding([6, 5], 3, keras.initializers.RandomNormal(stddev=2.0, seed=seed))
        layer.build(None)
        tables.append(keras.ops.convert_to_numpy(layer.table.value))
    np.testing.assert_array_equal(*tables)
    assert tables[0].shape == (11, 3)
    assert len(np.unique(tables[0])) == 33
    assert 1 < tables[0].std() < 3
