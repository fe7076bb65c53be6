"""Tables that get rows, and rows that are given to other ids: all else stays bit by bit."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras as rk
from rocket_keras import row_optimizers

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rows.py")))
SIZES, BINARY, drawn, make_pair, trained = (
    helpers[name] for name in ("SIZES", "BINARY", "drawn", "make_pair", "trained")
)
NAMES = ("user", "item", "hour")


def array(variable):
    return np.array(keras.ops.convert_to_numpy(variable.value))


def named_pair(**options):
    return make_pair(field_names=NAMES, **options)


def parts(layer, variable):
    """The rows of each field, hash rows apart."""
    whole = array(variable)
    ids = [whole[begin : begin + size] for begin, size in zip(layer.offsets, layer.sizes, strict=True)]
    ends = [begin + size for begin, size in zip(layer.offsets, layer.sizes, strict=True)]
    return ids, [whole[end : end + layer.hash_rows] for end in ends]


def variables_of(rocket):
    layer = rocket.pair.light.get_layer("table")
    return layer, [layer.table, *rocket.row_optimizer.slots_of(layer)]


@pytest.mark.parametrize("hash_rows", [0, 2])
def test_ids_keep_their_rows_and_slots_when_a_table_grows(hash_rows):
    rocket = trained(named_pair(hash_rows=hash_rows), row_optimizers.LazyAdam(0.05))
    layer, variables = variables_of(rocket)
    before, state = [parts(layer, v) for v in variables], [array(v) for v in rocket.optimizer.variables]
    assert rk.grow_rows(rocket, {"user": 40, "hour": 8, "elsewhere": 3}) == {"user": 10, "hour": 1}
    assert layer.sizes == (40, 12, 8)
    layer, variables = variables_of(rocket)
    for (ids, hashed), variable, slot in zip(before, variables, [None, *rocket.row_optimizer.slots], strict=True):
        new_ids, new_hashed = parts(layer, variable)
        for field, (old, new) in enumerate(zip(ids, new_ids, strict=True)):
            np.testing.assert_array_equal(new[: len(old)], old)
            np.testing.assert_array_equal(new_hashed[field], hashed[field])
            if slot is not None:
                np.testing.assert_array_equal(new[len(old) :], np.full_like(new[len(old) :], slot.initial))
    added = parts(layer, layer.table)[0][0][30:]
    assert (np.abs(added) > 0).all()
    assert len(np.unique(added, axis=0)) == 10
    for old, variable in zip(state, rocket.optimizer.variables, strict=True):
        np.testing.assert_array_equal(array(variable), old)
    assert int(array(rocket.step)) == 4


@pytest.mark.parametrize("seed", [None, 3])
def test_new_rows_are_like_no_others(seed):
    """Of two fields that grow together, and of two growths; whether or not the initializer has a seed."""
    layer = rk.layers.SparseEmbedding(
        (4, 4), 5, keras.initializers.RandomNormal(seed=seed), field_names=("user", "item"), name="table"
    )
    inputs = [keras.Input((), dtype="int32") for _ in range(2)]
    net = keras.Model(inputs, layer(inputs))
    rk.grow_rows(net, {"user": 7, "item": 7})
    rk.grow_rows(net, {"user": 9})
    rk.free_rows(net, {"item": [1]})
    rk.free_rows(net, {"item": [2]})
    assert len(np.unique(array(layer.table), axis=0)) == 16


def test_training_goes_on_after_growth_as_without_it():
    tables = []
    for grow in (False, True):
        rocket = trained(named_pair(), row_optimizers.Adagrad(0.1))
        x, y = drawn(32, few=5, seed=1)
        if grow:
            rocket.pair.light.predict(x, verbose=0)
            rocket.predict(x, verbose=0)
            rk.grow_rows(rocket, {"user": 35})
        rocket.fit(x, y, batch_size=16, shuffle=False, verbose=0)
        layer, variables = variables_of(rocket)
        tables.append(
            [
                rows
                for v in variables
                for rows in (part[:size] for part, size in zip(parts(layer, v)[0], SIZES, strict=True))
            ]
        )
        again = rocket.pair.light.predict(x, verbose=0)
        np.testing.assert_allclose(again, keras.ops.convert_to_numpy(rocket.pair.light(x)), atol=1e-6)
    for one, other in zip(*tables, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


def test_new_ids_learn_after_growth():
    rocket = trained(named_pair(), row_optimizers.Adagrad(0.1))
    rk.grow_rows(rocket, {"user": 35})
    layer, _ = variables_of(rocket)
    before = parts(layer, layer.table)[0][0]
    x, y = drawn(16, few=5)
    x["f0"] = np.full(16, 34, "int32")
    rocket.fit(x, y, batch_size=16, verbose=0)
    moved = np.flatnonzero((parts(layer, layer.table)[0][0] != before).any(axis=1))
    assert 34 in moved
    assert not set(range(30, 34)) & set(moved)


def test_freed_rows_are_like_new_ones_and_no_other_changes():
    rocket = trained(named_pair(), row_optimizers.LazyAdam(0.05))
    layer, variables = variables_of(rocket)
    before = [array(v) for v in variables]
    assert rk.free_rows(rocket, {"user": [1, 3], "hour": [0], "elsewhere": [5]}) == {"user": 2, "hour": 1}
    freed = [1, 3, layer.offsets[2]]
    for old, variable, slot in zip(before, variables, [None, *rocket.row_optimizer.slots], strict=True):
        new = array(variable)
        np.testing.assert_array_equal(np.delete(new, freed, axis=0), np.delete(old, freed, axis=0))
        if slot is None:
            assert (new[freed] != old[freed]).all()
        else:
            np.testing.assert_array_equal(new[freed], np.full_like(new[freed], slot.initial))


def test_growth_is_the_same_after_a_reload(tmp_path):
    rocket = trained(named_pair(), row_optimizers.Adagrad(0.1))
    rocket.save(tmp_path / "rocket.keras")
    again = keras.models.load_model(tmp_path / "rocket.keras")
    found = []
    for one in (rocket, again):
        keras.utils.set_random_seed(5)
        rk.free_rows(one, {"item": [2]})
        rk.grow_rows(one, {"user": 44})
        one.fit(*drawn(32, few=5, seed=2), batch_size=16, shuffle=False, verbose=0)
        found.append([array(v) for v in [*variables_of(one)[1], *one.weights]])
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_grown_rocket_is_saved_with_its_new_sizes(tmp_path):
    rocket = trained(named_pair(), row_optimizers.Adagrad(0.1))
    rk.grow_rows(rocket, {"user": 44})
    rocket.save(tmp_path / "rocket.keras")
    again = keras.models.load_model(tmp_path / "rocket.keras")
    for a, b in zip(variables_of(rocket)[1], variables_of(again)[1], strict=True):
        np.testing.assert_array_equal(array(a), array(b))


def test_what_cannot_be_is_refused():
    rocket = trained(named_pair(), steps=1)
    with pytest.raises(ValueError, match=r"'user' has 30 ids and cannot have fewer\. Received: 20"):
        rk.grow_rows(rocket, {"user": 20})
    for ids in ([30], [-1], [2, 2]):
        with pytest.raises(ValueError, match="from 0 to 29 of 'user', each once"):
            rk.free_rows(rocket, {"user": ids})


def test_a_fleet_grows_with_all_its_nets():
    fleet = rk.Fleet({"a": named_pair(), "b": named_pair()}, hint_weight=0.3)
    fleet.compile(keras.optimizers.SGD(0.1), BINARY(from_logits=True), row_optimizer=row_optimizers.Adagrad(0.1))
    x, y = drawn(32, few=5)
    fleet.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    nets = [fleet.pairs["a"].light, fleet.pairs["b"].light, fleet.pairs["a"].booster]
    before = [net.predict(x, verbose=0) for net in nets]
    assert rk.grow_rows(fleet, {"user": 40}) == {"user": 10}
    for net, found in zip(nets, before, strict=True):
        np.testing.assert_array_equal(net.predict(x, verbose=0), found)
    old = array(nets[0].get_layer("table").table)
    x["f0"][:] = 39
    fleet.keep(["b"]).fit(x, y, batch_size=16, shuffle=False, verbose=0)
    new = array(nets[0].get_layer("table").table)
    assert (new[39] != old[39]).all()
    np.testing.assert_array_equal(new[30:39], old[30:39])
