"""A table that is trained row by row ends as one that is trained in full, where the mathematics is the same."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras as rk
from rocket_keras import row_optimizers

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rows.py")))
make_pair, dense, drawn, trained, table_of = (
    helpers[name] for name in ("make_pair", "dense", "drawn", "trained", "table_of")
)
ROUTES = [
    {"light_to_shared": to_shared, "gradient_block": block} for to_shared in (True, False) for block in (True, False)
]


def weights(model):
    return [keras.ops.convert_to_numpy(v.value) for v in model.weights]


def assert_same(pair, other, atol=1e-6):
    for net, twin in ((pair.light, other.light), (pair.booster, other.booster)):
        for a, b in zip(weights(net), weights(twin), strict=True):
            np.testing.assert_allclose(a, b, atol=atol, rtol=0)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("switches", ROUTES)
def test_sgd_equals_the_dense_update(switches, apart):
    pair, other = make_pair(apart=apart), dense(apart=apart)
    before = table_of(pair)
    trained(pair, row_optimizers.SGD(0.1), switches=switches)
    trained(other, switches=switches)
    assert_same(pair, other)
    assert np.abs(table_of(pair) - before).max() > 1e-3


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("switches", ROUTES)
def test_adagrad_equals_the_dense_update(switches, apart):
    pair, other = make_pair(apart=apart), dense(apart=apart)
    rate = 0.05
    trained(pair, row_optimizers.Adagrad(rate, row_wise=False), keras.optimizers.Adagrad(rate), switches=switches)
    trained(other, None, keras.optimizers.Adagrad(rate), switches=switches)
    assert_same(pair, other)


def test_row_wise_adagrad_equals_numpy():
    optimizer = row_optimizers.Adagrad(0.5, initial_accumulator_value=0.2)
    layer = rk.layers.SparseEmbedding([6], 3, embeddings_initializer="normal")
    layer.build(None)
    table, sums = np.array(keras.ops.convert_to_numpy(layer.table.value)), np.full((6, 1), 0.2)
    optimizer.build([layer])
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows, gradients = rng.integers(0, 6, 9).astype("int32"), rng.normal(size=(9, 3)).astype("float32")
        optimizer.move(layer, keras.ops.convert_to_tensor(rows), keras.ops.convert_to_tensor(gradients))
        for row in set(rows.tolist()):
            whole = gradients[rows == row].sum(axis=0)
            sums[row] += np.mean(whole**2)
            table[row] -= 0.5 * whole / np.sqrt(sums[row] + 1e-7)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer.table.value), table, atol=1e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(optimizer.slots_of(layer)[0].value), sums, rtol=1e-6)


def test_lazy_adam_equals_adam_where_every_batch_has_every_row():
    layer = rk.layers.SparseEmbedding([5], 3, embeddings_initializer="normal")
    layer.build(None)
    whole = keras.Variable(keras.ops.convert_to_numpy(layer.table.value))
    lazy, adam = row_optimizers.LazyAdam(0.01), keras.optimizers.Adam(0.01)
    lazy.build([layer])
    for seed in range(4):
        gradients = np.random.default_rng(seed).normal(size=(10, 3)).astype("float32")
        rows = np.tile(np.arange(5, dtype="int32"), 2)
        lazy.move(layer, keras.ops.convert_to_tensor(rows), keras.ops.convert_to_tensor(gradients))
        adam.apply([keras.ops.convert_to_tensor(gradients[:5] + gradients[5:])], [whole])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer.table.value), keras.ops.convert_to_numpy(whole.value), atol=1e-6
    )


@pytest.mark.parametrize("optimizer", [row_optimizers.LazyAdam, row_optimizers.Adagrad])
def test_rows_that_no_example_reads_stay_bit_by_bit(optimizer):
    pair = make_pair()
    before, rows = table_of(pair), optimizer(0.1)
    trained(pair, rows, few=5)
    # Padding reads row 0 of its field, without a gradient.
    read = [place for first, size in ((0, 30), (30, 12), (42, 7)) for place in range(first, first + min(5, size))]
    moved = (table_of(pair) != before).any(axis=1)
    assert set(np.flatnonzero(moved)) <= set(read)
    assert moved.sum() > 10
    for slot, kept in zip(rows.slots, rows.slots_of(pair.light.get_layer("table")), strict=True):
        untouched = np.delete(keras.ops.convert_to_numpy(kept.value), read, axis=0)
        np.testing.assert_array_equal(untouched, np.full_like(untouched, slot.initial))


def test_a_frozen_table_does_not_move():
    pair = make_pair()
    pair.light.get_layer("table").trainable = False
    before = table_of(pair)
    rocket = trained(pair)
    np.testing.assert_array_equal(table_of(pair), before)
    assert rocket.row_optimizer is None


def test_the_optimizer_never_sees_the_table():
    rocket = trained(make_pair(), optimizer=keras.optimizers.Adam(0.01))
    table = rocket.pair.light.get_layer("table").table
    assert all(variable is not table for variable in rocket.trainable_variables)
    assert any(variable is table for variable in rocket.pair.shared_variables)
    assert all(tuple(variable.shape) != tuple(table.shape) for variable in rocket.optimizer.variables)
    assert sum(variable is table for variable in rocket.weights) == 1
    kept = {id(variable) for variable in rocket.row_optimizer.variables}
    assert not kept & {id(variable) for variable in [*rocket.weights, *rocket.pair.light.weights]}


def test_the_light_nets_terms_do_not_move_the_table_where_they_are_routed():
    tables = []
    for weight in (0.0, 5.0):
        pair = make_pair(apart=True)
        rocket = rk.Rocket(pair, hint_weight=weight, light_to_shared=False)
        rocket.compile("sgd", helpers["BINARY"](from_logits=True), row_optimizer=row_optimizers.LazyAdam(0.1))
        rocket.fit(*drawn(64, few=5), batch_size=16, shuffle=False, verbose=0)
        tables.append(table_of(pair))
    np.testing.assert_array_equal(*tables)


def test_weights_of_zero_move_no_row():
    pair = make_pair()
    before = table_of(pair)
    trained(pair, row_optimizers.LazyAdam(0.1), weights=np.zeros(64, "float32"))
    np.testing.assert_array_equal(table_of(pair), before)


def test_a_schedule_of_the_row_optimizer_counts_batches():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.0])
    one, other = make_pair(), make_pair()
    trained(one, row_optimizers.SGD(schedule), steps=4)
    trained(other, row_optimizers.SGD(0.1), steps=2)
    assert np.abs(table_of(one) - table_of(make_pair())).max() > 1e-4
    rocket = trained(make_pair(), row_optimizers.SGD(schedule), steps=3)
    assert int(keras.ops.convert_to_numpy(rocket.row_optimizer.iterations.value)) == 3


def test_a_sparse_net_equals_the_net_trained_in_full():
    nets = []
    for make, model in ((make_pair, rk.SparseNet), (dense, lambda net: net)):
        net = make().booster
        trainer = model(net)
        rows = {"row_optimizer": row_optimizers.SGD(0.1)} if make is make_pair else {}
        trainer.compile(keras.optimizers.SGD(0.1), helpers["BINARY"](from_logits=True), **rows)
        trainer.fit(*drawn(64, few=5), batch_size=16, shuffle=False, verbose=0)
        nets.append(net)
    for a, b in zip(*map(weights, nets), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_plain_keras_model_trains_the_table_in_full():
    nets = [make().light for make in (make_pair, dense)]
    for net in nets:
        net.compile(keras.optimizers.SGD(0.1), helpers["BINARY"](from_logits=True))
        net.fit(*drawn(64, few=5), batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(*map(weights, nets), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_what_rows_cannot_do_is_refused():
    with pytest.raises(ValueError, match="gradient_accumulation_steps=2"):
        trained(make_pair(), optimizer=keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    with pytest.raises(ValueError, match="trains none"):
        trained(dense(), row_optimizers.SGD(0.1))
    rows = row_optimizers.SGD(0.1)
    trained(make_pair(), rows, steps=1)
    with pytest.raises(ValueError, match="Make a new one"):
        trained(make_pair(), rows, steps=1)
