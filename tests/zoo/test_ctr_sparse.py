"""Pairs whose tables train row by row, with every tower."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras as rk
from rocket_keras import export_light, row_optimizers
from rocket_keras.layers import SparseEmbedding
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from zoo.ctr import TOWERS

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_ctr.py")))
rows, pair_of = helpers["rows"], helpers["pair_of"]


def trained(pair, x, y):
    rocket = rk.Rocket(pair, hint_weight=1.0)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    rocket.compile(keras.optimizers.Adam(0.05), loss, row_optimizer=row_optimizers.Adagrad(0.5))
    rocket.fit(x, y, batch_size=len(y), epochs=2, verbose=0)
    return rocket


def predicted(pair, x):
    return pair.booster.predict(x, verbose=0)


@pytest.mark.parametrize("family", sorted(TOWERS))
def test_every_table_of_every_tower_trains_row_by_row_and_grows(tmp_path, family):
    pair = pair_of(family, embedding="sparse", booster="mlp" if family == "two_tower" else family)
    x, y = rows()
    rocket = trained(pair, x, y)
    tables = {layer.table.path for layer in pair.joint._flatten_layers() if isinstance(layer, SparseEmbedding)}
    assert tables
    dense = {v.path for v in rocket.trainable_variables}
    assert not tables & dense
    assert not [path for path in dense if "linear_" in path and "numbers" not in path]
    before = predicted(pair, x)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", x))
    light = pair.light.predict(x, verbose=0)
    np.testing.assert_allclose(session.run(None, onnx_feed(session, x))[0], light, atol=1e-5)
    assert set(rk.grow_rows(rocket, {"item": 11})) == {"item"}
    np.testing.assert_array_equal(predicted(pair, x), before)
    assert all(layer.sizes[layer.field_names.index("item")] == 11 for layer in items(pair))


def items(pair):
    found = [layer for layer in pair.joint._flatten_layers() if isinstance(layer, SparseEmbedding)]
    return [layer for layer in found if "item" in layer.field_names]


@pytest.mark.parametrize("family", ["wide_deep", "deepfm"])
def test_a_new_id_has_no_linear_weight_of_another(family):
    pair = pair_of(family, embedding="sparse")
    x, y = rows()
    rocket = trained(pair, x, y)
    linear = [layer for layer in items(pair) if layer.name.startswith("booster_linear")]
    assert {layer.name for layer in linear} == {"booster_linear_ids", "booster_linear_history"}
    begin = linear[0].offsets[linear[0].field_names.index("item")]
    assert np.abs(keras.ops.convert_to_numpy(linear[0].table)[begin : begin + 9]).max() > 0
    rk.grow_rows(rocket, {"item": 10})
    rk.free_rows(rocket, {"item": [8]})
    table = keras.ops.convert_to_numpy(linear[0].table)
    begin = linear[0].offsets[linear[0].field_names.index("item")]
    np.testing.assert_array_equal(table[begin + 8 : begin + 10], 0)
    assert np.abs(table[begin : begin + 8]).max() > 0


@pytest.mark.parametrize("family", ["wide_deep", "deepfm"])
def test_the_linear_part_is_that_of_dense_tables(family):
    sparse, dense = pair_of(family, embedding="sparse"), pair_of(family)
    x, _ = rows()
    rng = np.random.default_rng(0)
    kernel = dense.booster.get_layer("booster_linear_ids")
    sizes, names = kernel.sizes, ("user", "history", "item", "genres", "age")
    weights = {name: rng.normal(size=(size, 1)).astype("float32") for name, size in zip(names, sizes, strict=True)}
    kernel.kernel.assign(np.concatenate(list(weights.values())))
    ids = sparse.booster.get_layer("booster_linear_ids")
    ids.table.assign(np.concatenate([weights[name] for name in ids.field_names]))
    sparse.booster.get_layer("booster_linear_history").table.assign(weights["history"])
    others = {v.path: v for v in sparse.booster.weights if "linear_" not in v.path or "numbers" in v.path}
    for variable in dense.booster.weights:
        if variable.path in others:
            others[variable.path].assign(keras.ops.convert_to_numpy(variable))
    np.testing.assert_allclose(predicted(sparse, x), predicted(dense, x), atol=1e-5)
