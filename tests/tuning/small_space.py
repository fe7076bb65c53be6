"""Twenty light nets under one booster, and rows for them. Run by its path: processes of a test share it."""

import itertools

import keras
import numpy as np

from rocket_keras import Pair

UNITS = (4, 8, 16, 32)


def build(hp):
    """A light net of one or two layers over what it shares with a booster of a fixed shape; 5 to 6 columns."""
    x = keras.Input((6,), name="x")
    shared = keras.layers.Dense(8, "relu", name="shared")(x)
    depth = hp.Int("light_depth", 1, 2)
    h = keras.layers.Dense(hp.Choice("light_units_0", list(UNITS)), "relu", name="light_dense0")(shared)
    if depth > 1:
        with hp.conditional_scope("light_depth", [2]):
            h = keras.layers.Dense(hp.Choice("light_units_1", list(UNITS)), "relu", name="light_dense1")(h)
    else:
        with hp.conditional_scope("light_depth", [2]):
            hp.Choice("light_units_1", list(UNITS))
    light = keras.Model(x, keras.layers.Dense(1, name="light_logits")(h), name="light")
    b = keras.layers.Dense(24, "relu", name="booster_dense")(shared)
    return Pair(light=light, booster=keras.Model(x, keras.layers.Dense(1, name="booster_logits")(b), name="booster"))


def multiply_adds_of(values):
    widths = [8, *(values[name] for name in ("light_units_0", "light_units_1") if name in values), 1]
    return 6 * 8 + sum(a * b for a, b in itertools.pairwise(widths))


def rows(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 6)).astype("float32")
    logits = x[:, 0] * x[:, 1] + x[:, 2]
    return x, (rng.random(count) < 1 / (1 + np.exp(-logits))).astype("float32")
