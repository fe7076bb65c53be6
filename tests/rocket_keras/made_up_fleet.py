"""What the tests of Fleet share: pairs of one booster and several light nets, and their launches alone."""

import keras
import numpy as np

from rocket_keras import Fleet, Pair, Rocket

BINARY = keras.losses.BinaryCrossentropy(from_logits=True)
SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
TWO = {"a": 3, "b": (5, 2)}  # units of light nets
THREE = {"narrow": 3, "wide": 9, "deep": (8, 4)}
PLAIN = {"batch_size": 8, "shuffle": False, "verbose": 0}
SMOOTH = "tanh"  # a ReLU whose input is near 0 turns rounding into another gradient
BLOCKS = {"one": 1, "two": 2}  # blocks of light nets


def ctr_pair(units, bottom=0, **options):
    """An embedding that both nets share; with `bottom` a dense layer above it that this light net shares as well."""
    ids = keras.Input((4,), name="ids", dtype="int32")
    found = keras.layers.Flatten(name="flat")(keras.layers.Embedding(30, 5, name="embedding")(ids))
    above = keras.layers.Dense(12, SMOOTH, name="bottom", **options)(found)
    light, booster = (above if bottom else found), above
    for i, width in enumerate(units if isinstance(units, tuple) else (units,)):
        light = keras.layers.Dense(width, SMOOTH, name=f"light_hidden{i}")(light)
    booster = keras.layers.Dense(7, SMOOTH, name="booster_hidden")(booster)
    light = keras.Model(ids, keras.layers.Dense(1, name="light_logits")(light), name="light")
    return Pair(light, keras.Model(ids, keras.layers.Dense(1, name="booster_logits")(booster), name="booster"))


def ctr_rows(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 30, (count, 4)).astype("int32"), rng.integers(0, 2, (count, 1)).astype("float32")


def conv_pair(blocks):
    """Interval sharing: the light net calls the booster's convolutions on maps of its own, with its own BatchNorms."""
    images = keras.Input((6, 6, 2), name="images")
    convolutions = [keras.layers.Conv2D(4, 3, padding="same", name=f"conv{i}") for i in range(3)]
    stem = convolutions[0](images)
    nets = {}
    for net, count in (("light", blocks), ("booster", 2)):
        x = stem
        for i, convolution in enumerate(convolutions[1 : count + 1]):
            x = keras.layers.BatchNormalization(momentum=0.9, name=f"{net}_norm{i}")(x)
            x = convolution(keras.layers.Activation(SMOOTH, name=f"{net}_active{i}")(x))
        x = keras.layers.GlobalAveragePooling2D(name=f"{net}_pool")(x)
        nets[net] = keras.Model(images, keras.layers.Dense(3, name=f"{net}_logits")(x), name=net)
    return Pair(**nets)


def image_rows(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 6, 6, 2)).astype("float32"), rng.integers(0, 3, count).astype("int32")


def pairs_of(build=ctr_pair, candidates=None, seed=3):
    """One pair a candidate, drawn anew from the same seed: called twice it gives two equal sets."""
    keras.utils.set_random_seed(seed)
    return {name: build(units) for name, units in (candidates or TWO).items()}


def adam():
    # Keras's epsilon of 1e-7 turns the rounding of small gradients into steps.
    return keras.optimizers.Adam(0.01, epsilon=1e-2)


def momentum():
    return keras.optimizers.SGD(0.05, momentum=0.9)


def trained(x, y, pairs=None, optimizer=adam, loss=BINARY, compiled=dict, fit=None, **options):
    """A fleet after its training."""
    fleet = Fleet(pairs or pairs_of(), **options)
    fleet.compile(optimizer(), loss, **compiled())
    fleet.fit(x, y, **{**PLAIN, **(fit or {})})
    return fleet


def launched_alone(pairs, x, y, optimizer, loss=BINARY, only=None, **options):
    """Launch each pair in a Rocket of its own, with the initial booster of the first; return the weights of both nets.

    Args:
        pairs: What `pairs_of` returned.
        x, y: Rows.
        optimizer: Returns a new optimizer.
        loss: Label loss.
        only: Name of the one pair to launch.
        **options: Of Rocket; `fit`, the options of `fit`; `compiled`, which returns further options of `compile`.
    """
    fit = {**PLAIN, **options.pop("fit", {})}
    compiled = options.pop("compiled", dict)
    # All variables, not the weights: Dropout's draws are those of the first booster, too.
    start = [np.array(keras.ops.convert_to_numpy(v.value)) for v in next(iter(pairs.values())).booster.variables]
    weights = {}
    for name, pair in pairs.items() if only is None else [(only, pairs[only])]:
        for variable, value in zip(pair.booster.variables, start, strict=True):
            variable.assign(value)
        rocket = Rocket(pair, **{"light_to_shared": False, **options})
        rocket.compile(optimizer(), loss, **compiled())
        rocket.fit(x, y, **fit)
        weights[name] = {"light": pair.light.get_weights(), "booster": pair.booster.get_weights()}
    return weights


def distance(fleet, alone, names=None):
    """The largest difference of a weight between the fleet's pairs and those that were launched alone."""
    return max(
        float(np.abs(a - b).max())
        for name in names or fleet.pairs
        for net in ("light", "booster")
        for a, b in zip(getattr(fleet.pairs[name], net).get_weights(), alone[name][net], strict=True)
    )
