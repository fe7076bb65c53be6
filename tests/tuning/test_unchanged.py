"""A search is not gone on with by a builder that makes other nets, whatever their number of parameters."""

import re
import runpy
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from rocket_keras import Pair
from tuning import Gate, LatencyBudget, Meter
from tuning.hypermodel import LightHyperModel
from tuning.unchanged import check_unchanged

SMALL = runpy.run_path(str(Path(__file__).with_name("small_space.py")))
build = SMALL["build"]


def builder(activation="relu", where=lambda hp: True, names=""):
    """Nets of two widths; the light net's activation changes where `where` says so."""

    def make(hp):
        units = hp.Choice("units", [2, 3, 4, 5])
        x = keras.Input((6,), name="x")
        shared = keras.layers.Dense(4, name=names and f"{names}_shared")(x)
        light = keras.layers.Dense(units, activation if where(hp) else "relu")(shared)
        booster = keras.layers.Dense(9, "relu")(shared)
        return Pair(*(keras.Model(x, keras.layers.Dense(1)(h)) for h in (light, booster)))

    return make


@pytest.mark.usefixtures("untrained")
def test_relu_is_not_gone_on_with_as_tanh(find):
    before = find(10**6, builder(), max_trials=1)
    with pytest.raises(ValueError, match="activation: relu before, tanh now") as caught:
        find(10**6, builder("tanh"), max_trials=2)
    assert "holds a run with other nets than are built now, in the default candidate, layer " in str(caught.value)
    assert "Choose another folder with --out (`folder=` in Python), or remove that one." in str(caught.value)
    assert "\n" not in str(caught.value)
    # Names are free, and the same search goes on.
    again = find(10**6, builder(names="other"), max_trials=1)
    assert again.score == pytest.approx(before.score, abs=1e-6)


@pytest.mark.usefixtures("untrained")
def test_a_change_between_the_ends_of_the_space_is_noticed_where_a_trial_was_made(find):
    find(10**6, builder(), oracle="grid", max_trials=2)
    only = builder("tanh", lambda hp: hp.get("units") == 3)
    with pytest.raises(ValueError, match="made another candidate at units=3 than it makes now") as caught:
        find(10**6, only, oracle="grid", max_trials=3)
    assert "\n" not in str(caught.value)
    # Where nothing was made yet, nothing is compared.
    later = builder("tanh", lambda hp: hp.get("units") == 4)
    assert find(10**6, later, oracle="grid", max_trials=3).facts["trials"] == 3


@pytest.mark.usefixtures("untrained")
def test_another_teacher_is_noticed(find):
    def loading(value):
        def make(hp):
            pair = builder()(hp)
            dense = pair.booster.layers[-2]
            dense.set_weights([np.full_like(weight, value) for weight in dense.get_weights()])
            return pair

        return make

    find(10**6, loading(0.5), max_trials=1)
    line = "in the weights that the builder loads, weight 2: 3 "
    with pytest.raises(ValueError, match=re.escape(line)):
        find(10**6, loading(0.6), max_trials=1)


def test_another_optimizer_of_a_compiled_model_is_noticed(find):
    class Own(keras_tuner.HyperModel):
        def __init__(self, rate):
            super().__init__()
            self.rate = rate

        def build(self, hp):
            x = keras.Input((6,), name="x")
            model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(hp.Choice("units", [2, 3]))(x)))
            model.compile(keras.optimizers.SGD(self.rate), "mse")
            return model

        def fit(self, hp, model, *arguments, **options):
            return 0.5

    options = {"objective": keras_tuner.Objective("val_loss", "min"), "max_trials": 1}
    find(10**6, Own(0.25), **options)
    with pytest.raises(ValueError, match=r"compiled, optimizer, SGD, learning_rate: 0\.25 before, 0\.5 now"):
        find(10**6, Own(0.5), **options)


def test_rejected_points_are_compared_too_and_those_of_older_folders_are_not():
    gate = Gate(LightHyperModel(builder()), Meter(LatencyBudget(multiply_adds=10)))
    hp = keras_tuner.HyperParameters()
    builder()(hp)
    gate.look({"units": 5}, hp)
    oracle = type("Oracle", (), {"gate": gate, "trials": {}, "get_space": lambda self: hp})()
    check_unchanged(oracle, "folder")
    state = gate.state()
    gate.hypermodel = LightHyperModel(builder("tanh"))
    with pytest.raises(ValueError, match="made another candidate at units=5"):
        check_unchanged(oracle, "folder")
    del state[0]["nets"]
    gate.looks = {}
    gate.restore(state, hp)
    check_unchanged(oracle, "folder")
