import gc
import os
import re
import sys

import rocket_keras  # noqa: F401  # first: the documents are tested where no backend is chosen

# isort: split
import keras
import numpy as np
import pytest

from rocket_keras import Pair


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(7)


@pytest.fixture(scope="session", autouse=True)
def _imports_frozen():
    """What is imported stays: no garbage collection has to look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _file_frozen():
    """Nor at what the backend keeps of a file's models: searches and comparisons collect after every training."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def nothing_set(tmp_path_factory):
    """The environment of a user who has chosen no backend and has never imported Keras."""
    kept = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return {**kept, "KERAS_HOME": str(tmp_path_factory.mktemp("keras_home"))}


@pytest.fixture
def command_line(monkeypatch, capsys, tmp_path):
    """A function that runs `rocket-keras` in an empty folder and returns (exit status, output, errors)."""
    from rocket_keras import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rocket-keras", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, re.sub(r"\x1b\[[0-9;]*m", "", out), err

    return run


@pytest.fixture
def make_pair():
    """A function that builds a small pair: a shared layer (or none), a light head, a booster with one hidden layer."""

    def make(logits=3, share=True, features=5, kernel_regularizer=None):
        inputs = keras.Input((features,), name="x")

        def bottom(name):
            return keras.layers.Dense(8, "tanh", name=name, kernel_regularizer=kernel_regularizer)

        if share:
            light_in = booster_in = bottom("shared")(inputs)
        else:
            light_in, booster_in = bottom("light_bottom")(inputs), bottom("booster_bottom")(inputs)
        light = keras.Model(inputs, keras.layers.Dense(logits, name="light_logits")(light_in), name="light")
        hidden = keras.layers.Dense(16, "tanh", name="booster_hidden")(booster_in)
        booster = keras.Model(inputs, keras.layers.Dense(logits, name="booster_logits")(hidden), name="booster")
        return Pair(light=light, booster=booster)

    return make


@pytest.fixture
def rows():
    """A function that draws `(x, y)` for that pair."""

    def draw(count=64, logits=3, features=5, seed=0):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(count, features)).astype("float32")
        return x, rng.integers(0, max(2, logits), count).astype("int32")

    return draw
