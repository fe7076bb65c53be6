"""A fleet trains each light net as if it had been launched alone."""

import runpy
from pathlib import Path

import keras
import pytest

from rocket_keras import hints, schedules

made_up = runpy.run_path(str(Path(__file__).with_name("made_up_fleet.py")))
ctr_pair, ctr_rows, conv_pair, image_rows = (made_up[n] for n in ("ctr_pair", "ctr_rows", "conv_pair", "image_rows"))
pairs_of, launched_alone, distance = (made_up[name] for name in ("pairs_of", "launched_alone", "distance"))
trained, adam, momentum = (made_up[name] for name in ("trained", "adam", "momentum"))
SPARSE, BLOCKS, THREE = (made_up[name] for name in ("SPARSE", "BLOCKS", "THREE"))

TOLERANCE = 1e-5


def test_fifty_steps_of_nets_on_embeddings_equal_launches_alone():
    x, y = ctr_rows(400)
    options = {"hint_weight": 0.5, "label_weight": 0.8}
    alone = launched_alone(pairs_of(candidates=THREE), x, y, adam, **options)
    assert distance(trained(x, y, pairs_of(candidates=THREE), **options), alone) < TOLERANCE


def test_fifty_steps_of_convolutions_with_batch_norms_equal_launches_alone():
    x, y = image_rows(400)
    alone = launched_alone(pairs_of(conv_pair, BLOCKS), x, y, momentum, SPARSE, hint_weight=0.1)
    fleet = trained(x, y, pairs_of(conv_pair, BLOCKS), momentum, SPARSE, hint_weight=0.1)
    assert distance(fleet, alone) < TOLERANCE
    one, two = (len(fleet.pairs[name].shared_variables) for name in BLOCKS)
    assert (one, two) == (4, 6)


def test_a_booster_optimizer_moves_the_booster_and_may_clip_by_a_norm():
    x, y = ctr_rows(160)

    def clipped():
        return keras.optimizers.SGD(0.5, global_clipnorm=0.1)

    def compiled():
        return {"booster_optimizer": keras.optimizers.Adam(0.01, epsilon=1e-4, global_clipnorm=0.1)}

    alone = launched_alone(pairs_of(), x, y, clipped, compiled=compiled)
    fleet = trained(x, y, optimizer=clipped, compiled=compiled)
    assert distance(fleet, alone) < TOLERANCE
    fleet.optimizer.learning_rate = 0.25
    rates = {name: float(part.learning_rate) for name, part in fleet.optimizer.parts.items()}
    assert rates == pytest.approx({"a": 0.25, "b": 0.25, "booster": 0.01})


def test_a_learning_rate_that_is_set_reaches_all_nets():
    x, y = ctr_rows(80)
    rates = keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch))
    fit = {"epochs": 3, "callbacks": [rates]}
    alone = launched_alone(pairs_of(), x, y, adam, fit=fit)
    assert distance(trained(x, y, fit=fit), alone) < TOLERANCE


def test_each_candidate_may_have_its_own_weights_and_hints():
    x, y = ctr_rows(160)
    weights = {"a": 2.0, "b": schedules.WarmUp(0.5, 10)}
    loss_hints = {"a": None, "b": hints.SoftTargetHint(2.0)}
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
    assert len({float(keras.ops.convert_to_numpy(found[0].scale)) for found in fleet.hints.values()}) == 2
    assert fleet.keep(["b"]).hints["b"][0] is fleet.hints["b"][0]


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
