"""Presets, new heads and saved Rockets keep what layers have learnt beside their weights."""

import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Pair, Rocket, export_light
from rocket_keras.export import made_up_rows
from zoo.heads import without_head
from zoo.preset import save_preset

PATH = Path(__file__).parents[1] / "rocket_keras" / "made_up_nets.py"
made_up = runpy.run_path(str(PATH))
CASES, pair_of, logits, weights, trained = (made_up[n] for n in ("CASES", "pair_of", "logits", "weights", "trained"))
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
LOADABLE = {name: case for name, case in CASES.items() if not case.code}
CODE = {name: case for name, case in CASES.items() if case.code}


@every_case
def test_below_new_heads_all_stays_as_it_is_and_the_old_pair_too(case):
    pair = pair_of(case)
    expected, before = logits(without_head(pair.light), case), weights(pair.joint)
    new = zoo.replace_head(pair, 3)
    np.testing.assert_allclose(logits(without_head(new.light), case), expected, atol=1e-6)
    assert len(new.shared_variables) == len(pair.shared_variables)
    rocket = Rocket(new)
    trained(rocket, case)
    for now, then in zip(weights(pair.joint), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("case", LOADABLE.values(), ids=LOADABLE)
def test_presets_and_saved_rockets_compute_the_same(case, tmp_path):
    pair = pair_of(case)
    rocket = Rocket(pair)
    rocket.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    save_preset(pair, tmp_path / "preset")
    rocket.save(tmp_path / "rocket.keras")
    loaded, again = zoo.load(tmp_path / "preset"), keras.models.load_model(tmp_path / "rocket.keras").pair
    for head in ("light", "booster"):
        expected = logits(getattr(pair, head), case)
        for net in (getattr(loaded, head), getattr(again, head)):
            np.testing.assert_allclose(logits(net, case), expected, atol=1e-6)
    np.testing.assert_allclose(logits(zoo.load_light(tmp_path / "preset"), case), logits(pair.light, case), atol=1e-6)
    assert len(loaded.shared_variables) == len(pair.shared_variables)


_LOAD = """
import sys, pathlib, keras, numpy as np, zoo
for folder in pathlib.Path(sys.argv[1]).iterdir():
    x = np.load(folder / "rows.npy")
    x = keras.ops.convert_to_tensor(x.tolist()) if x.dtype.kind == "U" else x
    np.save(folder / "found.npy", zoo.load_light(folder).predict(x, verbose=0))
    pair = zoo.load(folder)
    np.save(folder / "booster.npy", pair.booster.predict(x, verbose=0))
"""


def test_adapted_layers_come_back_in_another_process(tmp_path):
    names = [name for name in ("normalization", "string lookup", "text", "discretization") if name in LOADABLE]
    pairs = {name: pair_of(LOADABLE[name]) for name in names}
    for name, pair in pairs.items():
        save_preset(pair, tmp_path / name)
        np.save(tmp_path / name / "rows.npy", LOADABLE[name].rows)
    subprocess.run([sys.executable, "-c", _LOAD, str(tmp_path)], check=True)
    for name, pair in pairs.items():
        for net, file in ((pair.light, "found"), (pair.booster, "booster")):
            found = np.load(tmp_path / name / f"{file}.npy")
            np.testing.assert_allclose(found, logits(net, LOADABLE[name]), atol=1e-6)


@pytest.mark.parametrize("name", CODE)
def test_what_no_file_can_name_is_refused_in_one_line_with_the_layer(name, tmp_path):
    pair = pair_of(CODE[name])
    kinds = {
        "lambda": "Lambda 'lambda",
        "lambda in a wrapper": "TimeDistributed 'time_distributed",
        "own layer": "Own 'own",
        "own layer without a config": "Plain 'plain",
        "own activation": "Dense 'dense",
        "subclassed": "Block 'block",
        "functional of an own class": "Traced 'traced",
        "operations": "'map",
    }
    for write in (lambda: save_preset(pair, tmp_path / "p"), lambda: export_light(pair, tmp_path / "light.keras")):
        with pytest.raises(ValueError, match="expected layers that a file can name") as caught:
            write()
        assert "\n" not in str(caught.value)
        assert kinds.get(name, "") in str(caught.value)
    assert not list(tmp_path.iterdir())


@keras.saving.register_keras_serializable(package="test_copies")
def doubled(x):
    return 2 * keras.ops.tanh(x)


@keras.saving.register_keras_serializable(package="test_copies")
class Scaled(keras.layers.Layer):
    def __init__(self, fn, **kwargs):
        super().__init__(**kwargs)
        self.fn = keras.activations.get(fn)

    def call(self, x):
        return self.fn(x)

    def get_config(self):
        return {**super().get_config(), "fn": keras.activations.serialize(self.fn)}


def test_registered_layers_and_functions_are_saved(tmp_path):
    x = keras.Input((4,), name="x")
    bottom = Scaled(doubled)(keras.layers.Dense(3, doubled)(x))
    light = keras.Model(x, keras.layers.Dense(1)(bottom))
    pair = Pair(light, keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(5)(bottom))))
    save_preset(pair, tmp_path / "preset")
    rows = made_up_rows(light, 5)
    again = zoo.load_light(tmp_path / "preset")
    np.testing.assert_allclose(again.predict(rows, verbose=0), light.predict(rows, verbose=0), atol=1e-6)
    assert export_light(pair, tmp_path / "light.keras").exists()
