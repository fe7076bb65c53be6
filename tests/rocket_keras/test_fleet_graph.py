"""How light nets of several pairs come onto one booster: what is shared, copied, read and left behind."""

import gc
import runpy
import weakref
from pathlib import Path

import keras
import numpy as np

from rocket_keras import Fleet, Pair
from rocket_keras.term_means import TermMeans

made_up = runpy.run_path(str(Path(__file__).with_name("made_up_fleet.py")))
ctr_pair, ctr_rows, pairs_of = (made_up[name] for name in ("ctr_pair", "ctr_rows", "pairs_of"))
launched_alone, distance, SPARSE = (made_up[name] for name in ("launched_alone", "distance", "SPARSE"))
trained, adam = (made_up[name] for name in ("trained", "adam"))

TOLERANCE = 1e-5


def bottom_pair(bottom):
    return ctr_pair(3, bottom)


def test_light_nets_may_leave_the_booster_at_different_depths():
    x, y = ctr_rows(160)
    depths = {"embedding": 0, "dense": 1}
    alone = launched_alone(pairs_of(bottom_pair, depths), x, y, adam)
    fleet = trained(x, y, pairs_of(bottom_pair, depths))
    assert distance(fleet, alone) < TOLERANCE
    assert [len(pair.shared_variables) for pair in fleet.pairs.values()] == [1, 3]


def drop_pair(width):
    ids = keras.Input((4,), name="ids", dtype="int32")
    found = keras.layers.Embedding(30, 5, mask_zero=True, name="embedding")(ids)
    heads = {}
    for net, units in (("light", width), ("booster", 9)):
        x = keras.layers.GlobalAveragePooling1D(name=f"{net}_mean")(found)
        x = keras.layers.Dense(units, "tanh", name=f"{net}_dense")(x)
        # PyTorch draws for all layers from one stream, unless a layer has a seed.
        x = keras.layers.Dropout(0.3, seed=units, name=f"{net}_drop")(x)
        heads[net] = keras.Model(ids, keras.layers.Dense(1, name=f"{net}_logits")(x), name=net)
    return Pair(**heads)


def test_masks_and_the_draws_of_dropout_are_those_of_launches_alone():
    x, y = ctr_rows(160)
    nets = {"a": 3, "b": 4}
    alone = launched_alone(pairs_of(drop_pair, nets), x, y, adam)
    assert distance(trained(x, y, pairs_of(drop_pair, nets)), alone) < TOLERANCE


def test_pairs_of_one_booster_object_keep_their_layers():
    x, y = ctr_rows(80)
    ids = keras.Input((4,), name="ids", dtype="int32")
    found = keras.layers.Flatten()(keras.layers.Embedding(30, 5)(ids))
    booster = keras.Model(ids, keras.layers.Dense(1)(keras.layers.Dense(8, "tanh")(found)))
    pairs = {}
    for name, units in (("a", 3), ("b", 4)):
        hidden = keras.layers.Dense(units, "tanh", name="light_hidden")(found)
        pairs[name] = Pair(keras.Model(ids, keras.layers.Dense(1, name="light_logits")(hidden)), booster)
    copies = {name: Pair.from_config(pair.get_config()) for name, pair in pairs.items()}
    for name, pair in pairs.items():
        copies[name].joint.set_weights(pair.joint.get_weights())
    fleet = trained(x, y, pairs)
    assert distance(fleet, launched_alone(copies, x, y, adam)) < TOLERANCE
    assert all(fleet.pairs[n].light_variables[0] is pair.light_variables[0] for n, pair in pairs.items())


def twice_pair(units):
    inputs, shared = keras.Input((5,), name="x"), keras.layers.Dense(5, "tanh", name="shared")
    first = shared(inputs)
    own = keras.layers.Dense(5, name="light_own")(keras.layers.Concatenate(name="light_both")([first, inputs]))
    hidden = keras.layers.Dense(units, "tanh", name="light_hidden")(shared(own))
    booster = keras.layers.Dense(8, "tanh", name="booster_hidden")(first)
    heads = {"light": hidden, "booster": booster}
    return Pair(**{n: keras.Model(inputs, keras.layers.Dense(3, name=f"{n}_logits")(x)) for n, x in heads.items()})


def test_a_shared_layer_may_be_called_once_more_by_a_light_net_that_reads_the_inputs_as_well(rows):
    x, y = rows(160)
    alone = launched_alone(pairs_of(twice_pair, {"a": 2, "b": 4}), x, y, adam, SPARSE)
    fleet = trained(x, y, pairs_of(twice_pair, {"a": 2, "b": 4}), loss=SPARSE)
    assert distance(fleet, alone) < TOLERANCE
    assert [len(pair.shared_variables) for pair in fleet.pairs.values()] == [2, 2]


def extra_pair(extra):
    columns = {name: keras.Input((2,), name=name) for name in ("x", "z")[: 1 + extra]}
    shared = keras.layers.Dense(4, "tanh", name="shared")(columns["x"])
    read = keras.layers.Concatenate()([shared, columns["z"]]) if extra else shared
    light = keras.Model(columns, keras.layers.Dense(1, name="light_logits")(read))
    booster = keras.layers.Dense(1, name="booster_logits")(keras.layers.Dense(6, "tanh", name="hidden")(shared))
    return Pair(light, keras.Model({"x": columns["x"]}, booster))


def test_light_nets_may_have_columns_that_the_booster_does_not_have():
    rng = np.random.default_rng(0)
    x = {name: rng.normal(size=(80, 2)).astype("float32") for name in "xz"}
    y = rng.integers(0, 2, (80, 1)).astype("float32")
    candidates = {"plain": 0, "more": 1, "also": 1}
    fleet = trained(x, y, pairs_of(extra_pair, candidates))
    alone = launched_alone(pairs_of(extra_pair, candidates), x, y, adam, only="more")
    alone |= launched_alone(pairs_of(extra_pair, candidates), {"x": x["x"]}, y, adam, only="plain")
    assert distance(fleet, alone, ["plain", "more"]) < TOLERANCE
    assert sorted(fleet.joint.input) == ["x", "z"]
    assert list(fleet.pairs["plain"].light.input) == ["x"]


class CountCalls(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=None):
        if training:
            self.calls.assign_add(1.0)
        return x


def counting_pair(units):
    inputs = keras.Input((5,), name="x")
    shared = CountCalls(name="count")(keras.layers.Dense(4, name="shared")(inputs))
    light = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(units)(shared)))
    return Pair(light, keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(8)(shared))))


def test_what_is_shared_runs_once_a_step_for_all(rows):
    x, y = rows(40)
    fleet = trained(x, y, [counting_pair(units) for units in (2, 3, 4)], loss=SPARSE)
    (count,) = (layer for layer in fleet.joint.layers if isinstance(layer, CountCalls))
    assert float(count.calls) == 5.0
    assert list(fleet.pairs) == ["0", "1", "2"]


def regular_pair(units):
    inputs = keras.Input((5,), name="x")
    shared = keras.layers.Dense(4, kernel_regularizer="l2", name="shared")(inputs)
    hidden = keras.layers.Dense(units, "tanh", kernel_regularizer="l2", activity_regularizer="l1", name="hidden")(
        shared
    )
    light = keras.Model(inputs, keras.layers.Dense(3, name="light_logits")(hidden))
    return Pair(light, keras.Model(inputs, keras.layers.Dense(3, name="booster_logits")(shared)))


def test_regularisation_moves_each_layer_as_alone(rows):
    x, y = rows(160)
    alone = launched_alone(pairs_of(regular_pair, {"a": 2, "b": 4}), x, y, adam, SPARSE)
    fleet = trained(x, y, pairs_of(regular_pair, {"a": 2, "b": 4}), loss=SPARSE)
    assert distance(fleet, alone) < TOLERANCE
    logs = fleet.evaluate(x, y, verbose=0, return_dict=True)
    terms = sum(value if "hint" not in name else 0.03 * value for name, value in logs.items() if name != "loss")
    assert logs["loss"] > terms + 1e-3


def test_the_boosters_left_behind_can_be_freed():
    pairs = pairs_of()
    left = weakref.ref(pairs["b"].booster.get_layer("embedding"))
    fleet = Fleet(pairs)
    del pairs
    gc.collect()
    assert left() is None
    assert len(fleet.pairs) == 2


def test_dict_inputs_and_privileged_columns_stay_what_they_are():
    def build(units):
        user, dwell = keras.Input((4,), name="user"), keras.Input((2,), name="dwell")
        bottom = keras.layers.Dense(3, name="bottom")(user)
        light = keras.Model({"user": user}, keras.layers.Dense(1)(keras.layers.Dense(units)(bottom)))
        both = keras.layers.Concatenate()([bottom, dwell])
        booster = keras.Model({"user": user, "dwell": dwell}, keras.layers.Dense(1)(both))
        return Pair(light, booster, privileged=["dwell"])

    rng = np.random.default_rng(0)
    x = {"user": rng.normal(size=(24, 4)).astype("float32"), "dwell": rng.normal(size=(24, 2)).astype("float32")}
    y = rng.integers(0, 2, (24, 1)).astype("float32")
    alone = launched_alone(pairs_of(build, {"a": 2, "b": 3}), x, y, adam)
    fleet = trained(x, y, pairs_of(build, {"a": 2, "b": 3}))
    assert distance(fleet, alone) < TOLERANCE
    assert [tensor.name for tensor in fleet.pairs["b"].light.inputs] == ["user"]
    assert fleet.pairs["b"].privileged == ("dwell",)


def history_pair(units):
    """The table is called on the item and, further on, on the history."""
    item, history = keras.Input((1,), name="item", dtype="int32"), keras.Input((3,), name="history", dtype="int32")
    table, columns = keras.layers.Embedding(9, 4), {"item": item, "history": history}
    one = keras.layers.Flatten()(table(item))
    events = keras.layers.GlobalAveragePooling1D()(table(history))
    gate = keras.layers.Dense(4)(keras.layers.Dense(5, "tanh")(one))
    booster = keras.layers.Dense(1)(keras.layers.Multiply()([gate, events]))
    light = keras.layers.Dense(1)(keras.layers.Dense(units)(events))
    return Pair(keras.Model(columns, light), keras.Model(columns, booster))


def test_layers_are_matched_by_position_where_automatic_names_differ():
    fleet = Fleet([history_pair(units) for units in (2, 3)])
    assert [len(pair.shared_variables) for pair in fleet.pairs.values()] == [1, 1]
    rng = np.random.default_rng(0)
    x = {"item": rng.integers(0, 9, (5, 1)), "history": rng.integers(0, 9, (5, 3))}
    together = fleet.joint(x)
    for name, pair in fleet.pairs.items():
        alone = pair.light(x)
        np.testing.assert_allclose(*(keras.ops.convert_to_numpy(found) for found in (together[name], alone)), atol=1e-6)


def test_values_of_the_light_nets_are_kept_and_the_first_booster_counts():
    pairs = pairs_of()
    fleet = Fleet(pairs)
    for name, pair in pairs.items():
        for a, b in zip(pair.light_variables, fleet.pairs[name].light_variables, strict=True):
            np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(v.value) for v in (a, b)))
        assert fleet.pairs[name].booster_variables[0] is pairs["a"].booster_variables[0]


def test_means_of_several_terms_are_those_of_one_metric_each():
    means = TermMeans(["a", "b"])
    for values, rows in (([1.0, 4.0], 3), ([5.0, 0.0], 1)):
        means.update_state(keras.ops.convert_to_tensor(values), rows)
    assert {name: float(value) for name, value in means.result().items()} == {"a": 2.0, "b": 3.0}
    assert TermMeans.from_config(means.get_config()).get_config() == {"names": ["a", "b"], "name": "term_means"}
