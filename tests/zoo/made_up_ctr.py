"""A pair of small click-through-rate nets over features of every kind, and rows for it."""

import keras
import numpy as np

import zoo
from rocket_keras import Rocket
from zoo.features import PAD

FEATURES = [
    zoo.Categorical("user", 12, dim=4, side="user"),
    zoo.History("history", of="item", length=4),
    zoo.Categorical("item", 9, dim=4, side="item"),
    zoo.MultiCategorical("genres", 5, length=3, dim=4, side="item"),
    zoo.Categorical("age", 3, dim=2, side="user"),
    zoo.Numeric("price", side="item"),
    zoo.Numeric("hour", side="user"),
]


def rows(count=24):
    rng = np.random.default_rng(0)
    x = {name: rng.integers(0, n, count).astype("int32") for name, n in (("user", 12), ("item", 9), ("age", 3))}
    x["history"] = rng.integers(0, 9, (count, 4)).astype("int32")
    x["genres"] = rng.integers(0, 5, (count, 3)).astype("int32")
    x["history"][:6, 2:] = x["genres"][::2, 1:] = PAD
    x["history"][3:5] = PAD
    x.update({name: rng.normal(size=count).astype("float32") for name in ("price", "hour")})
    return x, rng.integers(0, 2, count).astype("float32")


def pair_of(family, features=FEATURES, **options):
    arguments = {"light_units": (5,), "booster_units": (8, 4), "light": family, "booster": family, **options}
    return zoo.ctr_pair(features, **arguments)


def step(pair, x, y):
    rocket = Rocket(pair, hint_weight=1.0)
    rocket.compile(keras.optimizers.Adam(0.05), keras.losses.BinaryCrossentropy(from_logits=True))
    rocket.train_on_batch(x, y)
