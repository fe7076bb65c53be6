"""A folder is gone on with by the same search alone."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

import rocket_keras as rk
import tuning
from tuning import LatencyBudget
from tuning.hypermodel import LightHyperModel
from tuning.plain import fingerprint, plain
from tuning.rows import Rows, as_rows
from tuning.settings import Settings

SMALL = runpy.run_path(str(Path(__file__).with_name("small_space.py")))
build, rows = SMALL["build"], SMALL["rows"]


def with_a_switch(hp):
    hp.Boolean("switch")
    return build(hp)


def with_a_wider_booster(hp):
    pair = build(hp)
    logits = keras.layers.Dense(1)(keras.layers.Dense(40)(pair.booster.get_layer("booster_dense").input))
    return rk.Pair(light=pair.light, booster=keras.Model(pair.booster.input, logits))


def with_tanh(hp):
    return edited(build(hp), "light_dense0", activation="tanh")


def edited(pair, name, **settings):
    """The pair with other settings of a layer."""

    def clone(layer):
        config = layer.get_config()
        return type(layer).from_config({**config, **settings} if layer.name == name else config)

    joint = keras.models.clone_model(pair.joint, clone_function=clone)
    return rk.Pair.from_joint(joint, *(pair.get_config()[f"{head}_inputs"] for head in ("light", "booster")))


def with_loaded_zeros(hp):
    pair = build(hp)
    dense = pair.booster.get_layer("booster_dense")
    dense.set_weights([np.zeros_like(weight) for weight in dense.get_weights()])
    return pair


NETS = {f"the {point} candidate" for point in ("default", "smallest", "largest")}


@pytest.fixture
def claimed(training, data):
    """A function that makes the settings that a search writes down, as it reads them again."""

    def make(builder=build, oracle="random", multiply_adds=300, headroom=0.1, told=None, fit=None, **changes):
        parts = {name: as_rows(changes.pop(name, data[name]), name) for name in ("train", "validation")}
        objective = changes.pop("objective", None)
        made = Settings(
            oracle, objective, LatencyBudget(multiply_adds=multiply_adds), headroom, training(**changes),
            **parts, fit_options=fit or {}, told=told or {},
        )  # fmt: skip
        settings, nets = made.claimed(LightHyperModel(builder))
        return json.loads(json.dumps({**settings, **nets}))

    return make


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"oracle": "grid"}, {"oracle"}),
        ({"multiply_adds": 200}, {"budget"}),
        ({"headroom": 0.2}, {"headroom"}),
        ({"seed": 5}, {"seed"}),
        ({"epochs": 3}, {"epochs"}),
        ({"batch_size": 32}, {"batch_size"}),
        ({"metric": "log_loss"}, {"metric"}),
        ({"objective": keras_tuner.Objective("val_auc", "max")}, {"objective"}),
        ({"hint": lambda: rk.hints.SoftTargetHint(3.0)}, {"hint"}),
        ({"hint_weight": 0.5}, {"hint_weight"}),
        ({"hint_weight": lambda steps: rk.schedules.WarmUp(1.0, steps)}, {"hint_weight"}),
        ({"loss": lambda: keras.losses.BinaryFocalCrossentropy(from_logits=True)}, {"loss"}),
        ({"optimizer": lambda steps: keras.optimizers.Adam(0.02)}, {"optimizer"}),
        ({"light_to_shared": True}, {"light_to_shared"}),
        ({"fleet_size": 2}, {"fleet_size"}),
        ({"halving": 3}, {"halving"}),
        ({"fit": {"class_weight": {0: 2.0}}}, {"fit class_weight"}),
        ({"told": {"dataset": "another", "command": "search"}}, {"dataset"}),
        ({"train": rows(255, 1)}, {"train_rows", "train_values"}),
        ({"train": rows(256, 3)}, {"train_values"}),
        ({"validation": rows(200, 3)}, {"validation_values"}),
        ({"builder": with_a_switch}, {"space switch"}),
        ({"builder": with_a_wider_booster}, NETS),
        ({"builder": with_tanh}, NETS),
        ({"builder": with_loaded_zeros}, {"the weights that the builder loads"}),
    ],
)
def test_another_search_has_other_settings(claimed, changes, named):
    one, other = claimed(), claimed(**changes)
    assert {key for key in {*one, *other} if one.get(key) != other.get(key)} == named


def test_it_is_refused_in_one_line_and_more_trials_are_not(find):
    find(max_trials=1)
    for changes, named in (({"limit": 200}, "budget"), ({"headroom": 0.2}, "headroom")):
        with pytest.raises(ValueError, match=f"holds a run with {named}") as caught:
            find(max_trials=1, **changes)
        assert "\n" not in str(caught.value)
    assert find(max_trials=2, patience=7).facts["trials"] == 2


def test_another_process_has_the_same_settings(claimed):
    code = (
        "import json, runpy, sys, keras, tuning\n"
        "from tuning.hypermodel import LightHyperModel\n"
        "from tuning.rows import as_rows\n"
        "from tuning.settings import Settings\n"
        "small = runpy.run_path(sys.argv[1])\n"
        "training = tuning.Training(2, 64, lambda steps: keras.optimizers.Adam(0.01), 'auc')\n"
        "data = [as_rows(small['rows'](*size), 'rows') for size in ((256, 1), (200, 2))]\n"
        "budget = tuning.LatencyBudget(multiply_adds=300)\n"
        "made = Settings('random', None, budget, 0.1, training, *data, {'callbacks': [object()]}, {})\n"
        "settings, nets = made.claimed(LightHyperModel(small['build']))\n"
        "print(json.dumps({**settings, **nets}))\n"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).with_name("small_space.py"))]
    there = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert there == claimed(fit={"callbacks": [object()]})
    assert there["space light_units_1"][0]["conditions"]


def test_texts_and_pictures_have_fingerprints():
    def of(x):
        return fingerprint(Rows(x, np.arange(4)))

    words = np.array(["a", "b", "c", "d"], dtype=object)
    assert of({"w": words}) == of({"w": np.array(["a", "b", "c", "d"], dtype=object)})
    assert of({"w": words}) != of({"w": words[::-1]})
    assert of(np.zeros((4, 8, 8, 3))) != of(np.zeros((4, 8, 8, 1)))
    assert fingerprint(Rows(words, np.arange(4), np.arange(4))) != of(words)


def test_plain_values_have_no_addresses_and_no_counted_names():
    class Unsaved(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1

    one, other = (keras.optimizers.Adam(0.5, weight_decay=0.1) for _ in range(2))
    assert plain(one) == plain(other)
    assert plain(one)["Adam"]["learning_rate"] == 0.5
    assert " at 0x" not in json.dumps(plain([Unsaved(), object(), len, {"a": (np.int64(1), float("nan"), {2, 1})}]))
    assert plain({"a": (np.int64(1), float("nan"), {2, 1})}) == {"a": [1, "nan", [1, 2]]}
    assert tuning.Training(1, 1, lambda steps: one, "auc").describe(Rows(np.zeros((1, 1)), np.zeros(1)))["loss"] is None
