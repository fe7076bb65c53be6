"""Fleets of pairs with models inside: a nested Sequential or functional model is a layer like any other."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Fleet, Pair

made_up = runpy.run_path(str(Path(__file__).with_name("made_up_fleet.py")))
pairs_of, launched_alone, distance, trained = (
    made_up[name] for name in ("pairs_of", "launched_alone", "distance", "trained")
)
adam, SPARSE = made_up["adam"], made_up["SPARSE"]
TOLERANCE = 1e-5


def steps(width):
    layers = [keras.layers.Dense(width, "tanh"), keras.layers.BatchNormalization(), keras.layers.Dense(3, "tanh")]
    return keras.Sequential(layers)


def begun(width):
    return keras.Sequential([keras.Input((4,)), *steps(width).layers])


def functional(width):
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3, "tanh")(keras.layers.Dense(width, "tanh")(inputs)))


def deep(width):
    return keras.Sequential([keras.Sequential([begun(width), keras.layers.Dense(4, "tanh")]), functional(5)])


MODELS = {"sequential": steps, "begun": begun, "functional": functional, "deep": deep}
OWNERS = ("booster", "light", "both", "shared")


def builder(model, owner):
    def build(units):
        x = keras.Input((4,), name="x")
        bottom = keras.layers.Dense(4, "tanh")(x)
        nets = {"light": keras.layers.Dense(units, "tanh"), "booster": keras.layers.Dense(6, "tanh")}
        if owner == "shared":
            bottom = model(6)(bottom)
        else:
            inner = {"light": model(units), "booster": model(6)}
            nets |= {net: inner[net] for net in nets if owner in (net, "both")}
        return Pair(**{net: keras.Model(x, keras.layers.Dense(3)(layer(bottom))) for net, layer in nets.items()})

    return build


@pytest.mark.parametrize(
    ("model", "owner"),
    [("sequential", owner) for owner in OWNERS] + [("begun", "both"), ("functional", "both"), ("deep", "both")],
)
def test_models_inside_train_as_in_launches_alone(model, owner):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(48, 4)).astype("float32"), rng.integers(0, 3, 48).astype("int32")
    candidates, build = {"a": 3, "b": 5}, builder(MODELS[model], owner)
    alone = launched_alone(pairs_of(build, candidates), x, y, adam, SPARSE)
    fleet = trained(x, y, pairs_of(build, candidates), loss=SPARSE)
    assert distance(fleet, alone) < TOLERANCE
    assert len({len(pair.shared_variables) for pair in fleet.pairs.values()}) == 1


def test_a_difference_inside_is_named():
    build = builder(steps, "booster")
    other = builder(lambda width: steps(width + 1), "booster")
    with pytest.raises(
        ValueError, match=r"pairs 'b' and 'a' the layer 'sequential\w*' differs .* in units: 7, not 6"
    ) as error:
        Fleet({"a": build(3), "b": other(3)})
    assert "\n" not in str(error.value)


def test_a_booster_layer_inside_of_a_light_nets_model_stays_shared():
    def build(units):
        x, bottom = keras.Input((4,), name="x"), keras.layers.Dense(4, "tanh")
        light = keras.Sequential([bottom, keras.layers.Dense(units, "tanh")])(x)
        nets = {"light": light, "booster": keras.layers.Dense(6, "tanh")(bottom(x))}
        return Pair(**{net: keras.Model(x, keras.layers.Dense(3)(tensor)) for net, tensor in nets.items()})

    fleet = Fleet(pairs_of(build, {"a": 3, "b": 5}))
    kernels = [pair.shared_variables[0] for pair in fleet.pairs.values()]
    assert kernels[0] is kernels[1]
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    for name, logits in fleet.predict(x, verbose=0).items():
        if name != "booster":
            np.testing.assert_allclose(logits, fleet.pairs[name].light.predict(x, verbose=0), atol=1e-6)
