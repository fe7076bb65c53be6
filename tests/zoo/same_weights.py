"""Run in a fresh process: build each net of the zoo twice at one seed and print those whose initial weights differ."""

import json
from unittest import mock

import keras
import numpy as np

import zoo
from rocket_keras import Rocket, hints
from zoo.ctr import TOWERS

FEATURES = [
    zoo.Categorical("user", 9, dim=4, side="user"),
    zoo.Categorical("ad", 5, dim=4, side="item"),
    zoo.History("clicks", "ad", 3),
    zoo.Numeric("price", side="item"),
]


def ctr(**options):
    features = [f for f in FEATURES if f.name != "clicks" or "din" in options.values()]
    return lambda: zoo.ctr_pair(features, light_units=(4,), booster_units=(6,), **options)


def hinted():
    """A pair with what a hint on features adds: its regressor."""
    pair = zoo.wide_resnet_pair(10, 16, 1, 3, (8, 8, 1))
    pair = pair.with_taps([pair.light.layers[-2].name, pair.booster.layers[-2].name])
    return Rocket(pair, hints.FeatureHint(*pair.tap_names))


def mobile(light):
    """A mobile pair whose weights are their initializers' seeds: drawing so many shapes takes JAX long."""

    def seed(self, shape, dtype=None):
        return np.full(shape, self.seed % 2**20, "float32")

    def build():
        with mock.patch.object(keras.initializers.VarianceScaling, "__call__", seed):
            return zoo.mobile_pair(light, 10, 1, 3, (8, 8, 1))

    return build


FAMILIES = {
    "wide_resnet": lambda: zoo.wide_resnet_pair(10, 16, 1, 3, (8, 8, 1)),
    "mobilenet_v2": mobile("mobilenet_v2"),
    "shufflenet_v2": mobile("shufflenet_v2"),
    "regressor": hinted,
    "sparse": ctr(embedding="sparse"),
    **{tower: ctr(booster=tower) for tower in TOWERS},
}


def weights(build):
    """Return the initial weights at seed 0."""
    keras.utils.set_random_seed(0)
    built = build()
    model = built if isinstance(built, keras.Model) else built.joint
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def differing():
    """Return the families whose first net differs from the second."""
    found = []
    for family, build in FAMILIES.items():
        first, second = weights(build), weights(build)
        if not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)):
            found.append(family)
    return found


if __name__ == "__main__":
    print(json.dumps({"differ": differing(), "families": list(FAMILIES)}))
