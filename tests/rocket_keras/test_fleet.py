"""A fleet trains each light net as if it had been launched alone."""

import gc
import runpy
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Fleet, Pair, hints, schedules

made_up = runpy.run_path(str(Path(__file__).with_name("made_up_fleet.py")))
ctr_pair, ctr_rows, conv_pair, image_rows = (made_up[n] for n in ("ctr_pair", "ctr_rows", "conv_pair", "image_rows"))
pairs_of, launched_alone, distance = (made_up[name] for name in ("pairs_of", "launched_alone", "distance"))
BINARY, SPARSE, BLOCKS = made_up["BINARY"], made_up["SPARSE"], made_up["BLOCKS"]

TOLERANCE = 1e-5
PLAIN = {"batch_size": 8, "shuffle": False, "verbose": 0}


def adam():
    return keras.optimizers.Adam(0.01)


def momentum():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def trained(x, y, pairs=None, optimizer=adam, loss=BINARY, compiled=dict, fit=None, **options):
    """A fleet after its training."""
    fleet = Fleet(pairs or pairs_of(), **options)
    fleet.compile(optimizer(), loss, **compiled())
    fleet.fit(x, y, **{**PLAIN, **(fit or {})})
    return fleet


def test_fifty_steps_of_nets_on_embeddings_equal_launches_alone():
    x, y = ctr_rows(400)
    options = {"hint_weight": 0.5, "label_weight": 0.8}
    alone = launched_alone(pairs_of(), x, y, adam, **options)
    assert distance(trained(x, y, **options), alone) < TOLERANCE


def test_fifty_steps_of_convolutions_with_batch_norms_equal_launches_alone():
    x, y = image_rows(400)
    alone = launched_alone(pairs_of(conv_pair, BLOCKS), x, y, momentum, SPARSE, hint_weight=0.1)
    fleet = trained(x, y, pairs_of(conv_pair, BLOCKS), momentum, SPARSE, hint_weight=0.1)
    assert distance(fleet, alone) < TOLERANCE
    one, two = (len(fleet.pairs[name].shared_variables) for name in BLOCKS)
    assert (one, two) == (4, 6)


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
        x = keras.layers.Dense(units, "relu", name=f"{net}_dense")(x)
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
    booster = keras.Model(ids, keras.layers.Dense(1)(keras.layers.Dense(8, "relu")(found)))
    pairs = {}
    for name, units in (("a", 3), ("b", 4)):
        hidden = keras.layers.Dense(units, "relu", name="light_hidden")(found)
        pairs[name] = Pair(keras.Model(ids, keras.layers.Dense(1, name="light_logits")(hidden)), booster)
    copies = {name: Pair.from_config(pair.get_config()) for name, pair in pairs.items()}
    for name, pair in pairs.items():
        copies[name].joint.set_weights(pair.joint.get_weights())
    fleet = trained(x, y, pairs)
    assert distance(fleet, launched_alone(copies, x, y, adam)) < TOLERANCE
    assert all(fleet.pairs[n].light_variables[0] is pair.light_variables[0] for n, pair in pairs.items())


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


def test_the_boosters_left_behind_can_be_freed():
    pairs = pairs_of()
    left = weakref.ref(pairs["wide"].booster.get_layer("embedding"))
    fleet = Fleet(pairs)
    del pairs
    gc.collect()
    assert left() is None
    assert len(fleet.pairs) == 3


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


def test_a_booster_optimizer_moves_the_booster_and_may_clip_by_a_norm():
    x, y = ctr_rows(160)

    def clipped():
        return keras.optimizers.SGD(0.5, global_clipnorm=0.1)

    def compiled():
        return {"booster_optimizer": keras.optimizers.Adam(0.01, global_clipnorm=0.1)}

    alone = launched_alone(pairs_of(), x, y, clipped, compiled=compiled)
    fleet = trained(x, y, optimizer=clipped, compiled=compiled)
    assert distance(fleet, alone) < TOLERANCE
    fleet.optimizer.learning_rate = 0.25
    rates = {name: float(part.learning_rate) for name, part in fleet.optimizer.parts.items()}
    assert rates == pytest.approx({"narrow": 0.25, "wide": 0.25, "deep": 0.25, "booster": 0.01})


def test_a_learning_rate_that_is_set_reaches_all_nets():
    x, y = ctr_rows(80)
    rates = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch))
    fit = {"epochs": 3, "callbacks": [rates]}
    alone = launched_alone(pairs_of(), x, y, adam, fit=fit)
    assert distance(trained(x, y, fit=fit), alone) < TOLERANCE


def test_each_candidate_may_have_its_own_weights_and_hints():
    x, y = ctr_rows(160)
    weights = {"narrow": 0.0, "wide": schedules.WarmUp(0.5, 10), "deep": 2.0}
    loss_hints = {"narrow": None, "wide": hints.SoftTargetHint(2.0), "deep": None}
    alone = {}
    for name in weights:
        switches = {"hint": loss_hints[name], "hint_weight": weights[name]}
        alone |= launched_alone(pairs_of(), x, y, adam, only=name, **switches)
    assert distance(trained(x, y, hint=loss_hints, hint_weight=weights), alone) < TOLERANCE


class ScaledHint(hints.Hint, keras.layers.Layer):
    """A hint on logits with a variable of its own."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def per_example(self, booster_outputs, light_outputs):
        return keras.ops.sum(keras.ops.square(self.scale * light_outputs - booster_outputs), axis=-1)

    def get_config(self):
        return keras.layers.Layer.get_config(self)


def test_each_light_net_has_a_copy_of_a_hint_with_variables():
    x, y = ctr_rows(160)
    fleet = trained(x, y, hint=[ScaledHint(), hints.SquaredLogitHint()], hint_weight=[0.5, 0.1])
    alone = {}
    for name in fleet.pairs:
        fresh = [ScaledHint(), hints.SquaredLogitHint()]
        alone |= launched_alone(pairs_of(), x, y, adam, only=name, hint=fresh, hint_weight=[0.5, 0.1])
    assert distance(fleet, alone) < TOLERANCE
    assert len({float(keras.ops.convert_to_numpy(found[0].scale)) for found in fleet.hints.values()}) == 3
    assert fleet.keep(["deep"]).hints["deep"][0] is fleet.hints["deep"][0]


def test_one_frozen_teacher_for_many_students():
    x, y = ctr_rows(80)

    def build(units):
        pair = ctr_pair(units)
        pair.booster.trainable = False
        return pair

    # Nothing of the booster trains, so that the paper's way is the same.
    alone = launched_alone(pairs_of(build), x, y, adam, hint_weight=1.0, light_to_shared=True)
    fleet = trained(x, y, pairs_of(build), hint_weight=1.0)
    assert distance(fleet, alone) < TOLERANCE
