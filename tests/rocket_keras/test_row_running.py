"""Tables that are trained row by row, in all that a launch does: fleets, mixed precision, saving, exporting."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras as rk
import zoo
from rocket_keras import row_optimizers

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rows.py")))
BINARY, drawn, inputs_of, make_pair, table_of, trained = (
    helpers[name] for name in ("BINARY", "drawn", "inputs_of", "make_pair", "table_of", "trained")
)


def array(variable):
    return np.array(keras.ops.convert_to_numpy(variable.value))


def logits(net, x):
    return keras.ops.convert_to_numpy(net(x, training=False))


@pytest.mark.parametrize("rows", [row_optimizers.Adagrad(0.1), row_optimizers.LazyAdam(0.05)], ids=lambda o: o.name)
@pytest.mark.parametrize("switches", [{}, {"light_to_shared": False}])
def test_a_saved_rocket_goes_on_as_if_it_had_not_stopped(tmp_path, rows, switches):
    rows = type(rows).from_config(rows.get_config())
    rocket = trained(make_pair(), rows, keras.optimizers.Adam(0.01), switches=switches)
    rocket.save(tmp_path / "rocket.keras")
    again = keras.models.load_model(tmp_path / "rocket.keras")
    for one in (rocket, again):
        one.fit(*drawn(32, few=5, seed=4), batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(rocket.variables, again.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b))
    for a, b in zip(rocket.row_optimizer.variables, again.row_optimizer.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b))


def test_a_saved_sparse_net_goes_on_as_if_it_had_not_stopped(tmp_path):
    one = rk.SparseNet(make_pair().light)
    one.compile(keras.optimizers.Adam(0.01), BINARY(from_logits=True), row_optimizer=row_optimizers.LazyAdam(0.05))
    one.fit(*drawn(32, few=5), batch_size=16, shuffle=False, verbose=0)
    one.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    for net in (one, again):
        net.fit(*drawn(32, few=5, seed=4), batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(
        [*one.weights, *one.row_optimizer.variables], [*again.weights, *again.row_optimizer.variables], strict=True
    ):
        np.testing.assert_array_equal(array(a), array(b))


def place_of(table):
    """Where a table lies in memory."""
    value = table.value
    return value.data_ptr() if keras.backend.backend() == "torch" else value.unsafe_buffer_pointer()


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="TensorFlow does not tell where a variable lies")
@pytest.mark.parametrize("rows", [row_optimizers.Adagrad(0.1), row_optimizers.LazyAdam(0.05)], ids=lambda o: o.name)
def test_tables_and_slots_are_changed_where_they_lie(rows):
    rows = type(rows).from_config(rows.get_config())
    pair = make_pair(sizes=(100_000, 12, 7))
    rocket = trained(pair, rows)
    tables = [pair.light.get_layer("table").table, *rows.slots_of(pair.light.get_layer("table"))]
    before = [place_of(table) for table in tables]
    old = array(tables[0])
    rocket.fit(*drawn(64, few=5, seed=1), batch_size=16, shuffle=False, verbose=0)
    assert np.abs(array(tables[0]) - old).max() > 0
    assert [place_of(table) for table in tables] == before


def test_no_other_optimizer_has_slots_of_a_table():
    rocket = trained(make_pair(), row_optimizers.Adagrad(0.1), keras.optimizers.Adam(0.01))
    assert max(v.shape[0] for v in rocket.optimizer.variables if len(v.shape)) < sum(helpers["SIZES"])
    (sums,) = rocket.row_optimizer.slots_of(rocket.pair.light.get_layer("table"))
    assert tuple(sums.shape) == (49, 1)


def test_weights_and_slots_come_back_from_a_file_of_weights(tmp_path):
    rocket = trained(make_pair(), row_optimizers.Adagrad(0.1))
    rocket.save_weights(tmp_path / "a.weights.h5")
    other = trained(make_pair(seed=9), row_optimizers.Adagrad(0.1), steps=1)
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(table_of(other.pair), table_of(rocket.pair))
    for a, b in zip(rocket.row_optimizer.variables, other.row_optimizer.variables, strict=True):
        np.testing.assert_array_equal(array(a), array(b))


def test_weights_come_into_a_rocket_that_is_not_compiled(tmp_path):
    rocket = trained(make_pair(), row_optimizers.Adagrad(0.1))
    rocket.save_weights(tmp_path / "a.weights.h5")
    fresh = rk.Rocket(make_pair(seed=9))
    fresh.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(table_of(fresh.pair), table_of(rocket.pair))


@pytest.mark.parametrize("hash_rows", [0, 3])
@pytest.mark.parametrize("fold", [False, True])
def test_the_exported_light_net_is_a_plain_gather(tmp_path, hash_rows, fold):
    onnx = pytest.importorskip("onnx")
    pair = make_pair(hash_rows=hash_rows)
    trained(pair, row_optimizers.LazyAdam(0.05))
    x, _ = drawn(32)
    x["f0"][:4] = [30, 31, 1000, 2**31 - 1]
    x["several"][:2] = [-5, 35, 0]
    path = rk.export_light(pair, tmp_path / "light.onnx", rows=x, fold=fold)
    graph = onnx.load(str(path)).graph
    assert {node.op_type for node in graph.node} >= {"Gather"}
    held = sum(int(np.prod(weight.dims)) for weight in graph.initializer)
    # The table, once, and the few numbers of the logits: no slots.
    assert held < pair.light.count_params() + 200
    from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session

    session = onnx_session(path)
    np.testing.assert_allclose(onnx_run(session, onnx_feed(session, x)), logits(pair.light, x), atol=1e-5)


def test_an_exported_keras_file_has_the_table_and_no_slots(tmp_path):
    pair = make_pair()
    trained(pair, row_optimizers.LazyAdam(0.05))
    path = rk.export_light(pair, tmp_path / "light.keras", rows=drawn(8)[0])
    light = keras.models.load_model(path)
    assert light.count_params() == pair.light.count_params() == 49 * 4 + 17
    np.testing.assert_allclose(logits(light, drawn(8)[0]), logits(pair.light, drawn(8)[0]), atol=1e-6)


def test_ids_that_are_not_known():
    plain, hashed = rk.layers.SparseEmbedding([4, 3], 2), rk.layers.SparseEmbedding([4, 3], 2, hash_rows=2)
    ids = [np.array([0, -1, 4, 99], "int32"), np.array([1, 2, 3, 100], "int32")]
    for layer, rows in ((plain, [[0, 0, 0, 0], [5, 6, 4, 4]]), (hashed, [[0, 0, 4, 5], [7, 8, 10, 9]])):
        found = keras.ops.convert_to_numpy(layer(ids))
        expected = array(layer.table)[np.array(rows).T].reshape(4, 4)
        np.testing.assert_array_equal(found, expected)
    padded = keras.ops.convert_to_numpy(hashed(np.array([[2, -1, 5]], "int32"), fields=[1]))
    np.testing.assert_array_equal(padded[0], np.stack([array(hashed.table)[8], [0, 0], array(hashed.table)[10]]))


@pytest.mark.parametrize("apart", [False, True])
def test_a_light_net_of_a_fleet_ends_as_if_launched_alone(apart):
    def pair():
        return make_pair(apart=apart)

    fleet = rk.Fleet({"a": pair(), "b": pair()}, hint_weight={"a": 0.3, "b": 0.0})
    fleet.compile(keras.optimizers.SGD(0.1), BINARY(from_logits=True), row_optimizer=row_optimizers.LazyAdam(0.05))
    fleet.fit(*drawn(48, few=5), batch_size=16, shuffle=False, verbose=0)
    kept = fleet.keep(["a"])
    kept.fit(*drawn(16, few=5, seed=0), batch_size=16, shuffle=False, verbose=0)
    alone = rk.Rocket(pair(), hint_weight=0.3, light_to_shared=False)
    alone.compile(keras.optimizers.SGD(0.1), BINARY(from_logits=True), row_optimizer=row_optimizers.LazyAdam(0.05))
    for count in (48, 16):
        alone.fit(*drawn(count, few=5), batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(kept.pairs["a"].light.weights, alone.pair.light.weights, strict=True):
        np.testing.assert_allclose(array(a), array(b), atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_moves_the_rows_as_float32_does(policy):
    tables = []
    for dtype in (policy, "float32"):
        keras.config.set_dtype_policy(dtype)
        try:
            pair = make_pair()
            rocket = trained(pair, row_optimizers.SGD(0.1))
        finally:
            keras.config.set_dtype_policy("float32")
        assert rocket.row_optimizer.variables[0] is not None
        tables.append(table_of(pair))
    assert tables[0].dtype == np.float32
    moved = np.abs(tables[1] - table_of(make_pair()))
    np.testing.assert_allclose(tables[0], tables[1], atol=0.05 * float(moved.max()))


def test_a_batch_that_overflows_moves_neither_weights_nor_rows():
    pair = make_pair()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1e38)
    before = [array(v) for v in pair.joint.weights]
    rocket = trained(pair, row_optimizers.LazyAdam(0.1), optimizer, steps=1, weights=np.full(16, 1e3, "float32"))
    for old, variable in zip(before, pair.joint.weights, strict=True):
        np.testing.assert_array_equal(array(variable), old)
    assert float(keras.ops.convert_to_numpy(optimizer.dynamic_scale.value)) < 1e38
    assert int(array(rocket.row_optimizer.iterations)) == 0
    for slot in rocket.row_optimizer.slots_of(pair.light.get_layer("table")):
        assert not array(slot).any()


def test_a_scaled_loss_moves_the_rows_as_an_unscaled_one():
    tables = []
    for optimizer in (
        keras.optimizers.SGD(0.1),
        keras.optimizers.SGD(0.1, loss_scale_factor=64.0),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=64.0),
    ):
        pair = make_pair()
        trained(pair, row_optimizers.SGD(0.1), optimizer)
        tables.append(table_of(pair))
    np.testing.assert_allclose(tables[1], tables[0], atol=1e-6)
    np.testing.assert_allclose(tables[2], tables[0], atol=1e-6)


def test_predict_and_evaluate_leave_all_as_it_is():
    rocket = trained(make_pair(), row_optimizers.LazyAdam(0.1))
    before = [array(v) for v in [*rocket.weights, *rocket.row_optimizer.variables]]
    x, y = drawn(20)
    rocket.evaluate(x, y, batch_size=10, verbose=0)
    assert set(rocket.predict(x, batch_size=10, verbose=0)) == {"light", "booster"}
    step = int(array(rocket.step))
    for old, variable in zip(before, [*rocket.weights, *rocket.row_optimizer.variables], strict=True):
        np.testing.assert_array_equal(array(variable), old)
    assert step == 4


@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"jit_compile": False}, {"run_eagerly": True}, {"steps_per_execution": 2}],
    ids=str,
)
def test_however_it_is_compiled(options):
    if keras.backend.backend() == "torch" and "steps_per_execution" in options:
        pytest.skip("Keras: `steps_per_execution` must be 1 with the PyTorch backend")
    if keras.backend.backend() == "torch" and options.get("jit_compile"):
        pytest.skip("torch.compile needs a C++ compiler, which not every machine has")
    tables = []
    for mine in ({}, options):
        pair = make_pair()
        trained(pair, row_optimizers.Adagrad(0.1), **mine)
        tables.append(table_of(pair))
    np.testing.assert_allclose(*tables, atol=1e-6)


def test_a_ctr_pair_over_sparse_tables():
    features = [zoo.Categorical("user", 50, 4), zoo.Categorical("item", 20, 4), zoo.Numeric("price")]
    pair = zoo.ctr_pair(features, light_units=(8,), booster_units=(16,), embedding="sparse")
    table = next(layer for layer in pair.light.layers if isinstance(layer, rk.layers.SparseEmbedding))
    assert table.field_names == ("user", "item")
    rocket = rk.Rocket(pair)
    rocket.compile(keras.optimizers.Adam(0.02), BINARY(from_logits=True), row_optimizer=row_optimizers.Adagrad(0.5))
    rng = np.random.default_rng(0)
    x = {"user": rng.integers(0, 50, 64).astype("int32"), "item": rng.integers(0, 20, 64).astype("int32")}
    x["price"] = rng.normal(size=64).astype("float32")
    y = (x["item"] % 2).astype("float32")[:, None]
    history = rocket.fit(x, y, batch_size=16, epochs=15, verbose=0).history
    assert history["booster_loss"][-1] < 0.7 * history["booster_loss"][0]
    assert rk.grow_rows(rocket, {"user": 60}) == {"user": 10}
