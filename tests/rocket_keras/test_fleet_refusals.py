"""What cannot be a fleet is one clear line."""

import runpy
from pathlib import Path

import keras
import pytest

from rocket_keras import Fleet, Pair, hints

made_up = runpy.run_path(str(Path(__file__).with_name("made_up_fleet.py")))
ctr_pair, pairs_of, BINARY = (made_up[name] for name in ("ctr_pair", "pairs_of", "BINARY"))


def other_booster(units):
    pair = ctr_pair(units)
    booster = keras.Model(pair.booster.input, keras.layers.Dense(1)(pair.booster.get_layer("booster_hidden").output))
    return Pair(pair.light, keras.Model(booster.input, keras.layers.Dense(1)(booster.output)))


def narrow_booster(units):
    ids = keras.Input((4,), name="ids", dtype="int32")
    found = keras.layers.Flatten(name="flat")(keras.layers.Embedding(30, 5, name="embedding")(ids))
    x = keras.layers.Dense(11, "relu", name="bottom")(found)
    x = keras.layers.Dense(1)(keras.layers.Dense(7, "relu", name="booster_hidden")(x))
    return Pair(keras.Model(ids, keras.layers.Dense(1)(found)), keras.Model(ids, x))


def normed_pair(units):
    inputs = keras.Input((5,))
    norm, first = keras.layers.BatchNormalization(name="norm"), keras.layers.Dense(4)(inputs)
    light = keras.layers.Dense(1)(norm(keras.layers.Dense(4)(inputs)))
    return Pair(keras.Model(inputs, light), keras.Model(inputs, keras.layers.Dense(1)(norm(first))))


def related_pairs():
    pair = ctr_pair(3)
    wide = keras.layers.Dense(1)(pair.light.get_layer("light_hidden0").output)
    return {"a": pair, "b": Pair(keras.Model(pair.light.input, wide), pair.booster)}


def wrapped_pair(units):
    """The light net shares a layer inside of a wrapper of the booster's."""
    inputs, inner = keras.Input((5,)), keras.layers.Dense(4)
    steps = keras.layers.TimeDistributed(inner)(keras.layers.Reshape((1, 5))(inputs))
    booster = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(steps)))
    return Pair(keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(units)(inner(inputs)))), booster)


@pytest.mark.parametrize(
    ("pairs", "options", "message"),
    [
        (dict, {}, "at least one Pair"),
        (lambda: [1], {}, "objects of Pair. Received: int"),
        (lambda: {"booster": ctr_pair(3)}, {}, "not 'booster'"),
        (lambda: {"a/b": ctr_pair(3)}, {}, "without '/'"),
        (lambda: [ctr_pair(3), other_booster(3)], {}, r"pairs '1' and '0' the net .* has 7 layers, not 6"),
        (lambda: [ctr_pair(3), narrow_booster(3)], {}, "the layer 'bottom' differs from 'bottom' in units: 11, not 12"),
        (lambda: [normed_pair(3)], {}, "'norm' on a tensor of its own, and would move the state"),
        (lambda: [wrapped_pair(3), wrapped_pair(2)], {}, "'1' shares 2 variables with its booster, but 0 could be"),
        (related_pairs, {}, "'a' and 'b' have 'light_hidden0/kernel' in common"),
        (lambda: [ctr_pair(3)], {"hint": hints.FeatureHint("x", "y")}, "read the logits .* Received: FeatureHint"),
        (lambda: [ctr_pair(3)], {"hint": hints.MutualHint(hints.SoftTargetHint())}, "Received: MutualHint"),
        (lambda: [ctr_pair(3)], {"hint_weight": {"b": 1.0}}, r"must have the keys \['0'\]"),
        (lambda: [ctr_pair(3)], {"hint_weight": -1.0}, "finite number of at least 0"),
    ],
)
def test_refusals_say_what_is_wrong(pairs, options, message):
    with pytest.raises(ValueError, match=message) as error:
        Fleet(pairs(), **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda sgd: {"optimizer": sgd(global_clipnorm=1.0)}, "instead of global_clipnorm"),
        (lambda sgd: {"optimizer": sgd(loss_scale_factor=8.0)}, "does not scale losses"),
        (lambda sgd: {"booster_optimizer": keras.optimizers.LossScaleOptimizer(sgd())}, "does not scale losses"),
        (lambda sgd: {"loss": keras.losses.BinaryCrossentropy()}, "takes probabilities"),
        (lambda sgd: {"loss_weights": [1.0, 2.0]}, "Fleet.compile expected no loss_weights"),
        (lambda sgd: {"loss": None}, "Fleet.compile needs a loss"),
    ],
)
def test_compile_refuses_what_would_couple_the_nets(options, message):
    with pytest.raises(ValueError, match=message):
        Fleet(pairs_of()).compile(**{"optimizer": "sgd", "loss": BINARY, **options(keras.optimizers.SGD)})


def test_an_optimizer_that_a_copy_would_not_equal_is_refused():
    used = keras.optimizers.Adam()
    used.build([keras.Variable([1.0])])
    excluding = keras.optimizers.AdamW()
    excluding.exclude_from_weight_decay(var_names=["bias"])
    for optimizer, message in ((used, "state from other variables"), (excluding, "excluded from weight decay")):
        with pytest.raises(ValueError, match=message):
            Fleet(pairs_of()).compile(optimizer, BINARY)


def test_scaled_losses_are_refused():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        fleet = Fleet(pairs_of())
        with pytest.raises(ValueError, match="does not scale losses, as float16 needs it"):
            fleet.compile("adam", BINARY)
        fleet.compile("adam", BINARY, auto_scale_loss=False)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("names", [[], ["a", "c"], "a"])
def test_keep_takes_names_of_the_fleet(names):
    with pytest.raises(ValueError, match=r"among \['a', 'b'\]"):
        Fleet(pairs_of()).keep(names)
