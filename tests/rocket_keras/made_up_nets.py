"""Pairs with layers that a copy by `from_config` and `set_weights` gets wrong, or not at all."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from rocket_keras import Pair

L = keras.layers
RNG = np.random.default_rng(5)
NUMBERS = (RNG.normal(size=(16, 4)) * 50 + 100).astype("float32")
WHOLE = RNG.integers(2, 9, (16, 4)).astype("int64")
WORDS = np.array([["ad", "user", "shop", "new"][i % 4] for i in range(16)])[:, None]
TENSORFLOW = keras.backend.backend() == "tensorflow"


def scaled(factor):
    def inner(x):
        return factor * keras.ops.tanh(x)

    return inner


def relu(x):
    """Not Keras's function of this name."""
    return keras.ops.maximum(x, -0.5)


class Own(L.Layer):
    """Unregistered, with a function and a weight; its get_config names the function."""

    def __init__(self, units, fn=relu, **kwargs):
        super().__init__(**kwargs)
        self.units, self.fn = units, keras.activations.get(fn)
        self.bound = lambda x: x * self.factor

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, x):
        return self.bound(self.fn(x @ self.kernel))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "fn": keras.activations.serialize(self.fn)}


class Plain(L.Layer):
    """Unregistered, without get_config and without a name."""

    def __init__(self, units):
        super().__init__()
        self.inner = L.Dense(units, "tanh")

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x)


class Block(keras.Model):
    """A subclassed model with a state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.net = keras.Sequential([L.Dense(units), L.Lambda(lambda x: keras.ops.tanh(x) * 3)])
        self.norm = L.BatchNormalization()

    def call(self, x, training=None):
        return self.norm(self.net(x), training=training)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Traced(keras.Model):
    """A functional model of a class of its own."""

    def train_step(self, data):
        raise AssertionError("nobody trains it alone")


def normalization(x, **options):
    layer = L.Normalization(**options)
    layer.adapt(NUMBERS)
    return layer(x)


def discretization(x):
    layer = L.Discretization(num_bins=4, output_mode="one_hot")
    layer.adapt(NUMBERS)
    return L.Flatten()(layer(x))


def bins(x):
    return L.Flatten()(L.Discretization([60.0, 100.0, 130.0], output_mode="one_hot")(x))


def lookup(kind, data, embed):
    def made(x):
        layer = kind()
        layer.adapt(data)
        found = layer(x)
        return L.Flatten()(L.Embedding(12, 3)(found) if embed else found)

    return made


def nested(x):
    inputs = keras.Input((4,))
    return keras.Model(inputs, L.Dense(5, "tanh")(normalization(inputs)))(x)


def sequential(x):
    norm = L.Normalization()
    norm.adapt(NUMBERS)
    return keras.Sequential([norm, L.Dense(5, scaled(2.0)), L.BatchNormalization()])(x)


def traced(x):
    inputs = keras.Input((4,))
    return Traced(inputs, L.Dense(3, "tanh")(inputs))(x)


def twice(x):
    dense = L.Dense(4, "tanh")
    return dense(dense(x / 100.0))


def frozen(x):
    inner = keras.Sequential([L.Dense(4, "tanh"), L.Dense(3, "tanh")])
    y = inner(x / 100.0)
    inner.trainable = False
    inner.layers[1].trainable = True
    return y


def lora(x):
    dense = L.Dense(4, "tanh")
    y = dense(x / 100.0)
    dense.enable_lora(2)
    return y


def operations(x):
    first, second = x[:, :2], keras.ops.reshape(x, (-1, 2, 2))[:, 0]
    return keras.ops.map(lambda row: row * 0.01, first + second) - 0.5


@dataclass(frozen=True)
class Case:
    """A part of a net.

    Attributes:
        made: From the input `(batch, columns)` to features `(batch, n)`.
        rows: Values of the input.
        code: Whether it holds functions or classes that are not registered.
        available: Whether this backend has the layers.
    """

    made: Any
    rows: np.ndarray = field(default_factory=lambda: NUMBERS)
    code: bool = False
    available: bool = True


CASES = {
    "normalization": Case(normalization),
    "normalization of all": Case(lambda x: normalization(x, axis=None)),
    "normalization inverted": Case(lambda x: normalization(x / 100.0, invert=True)),
    "bins": Case(bins),
    "discretization": Case(discretization, available=TENSORFLOW),
    "category encoding": Case(lambda x: L.CategoryEncoding(12, output_mode="multi_hot")(x), WHOLE.astype("int32")),
    "integer lookup": Case(lookup(L.IntegerLookup, WHOLE, True), WHOLE, available=TENSORFLOW),
    "integer lookup, counts": Case(
        lookup(lambda: L.IntegerLookup(output_mode="count"), WHOLE, False), WHOLE, available=TENSORFLOW
    ),
    "string lookup": Case(lookup(L.StringLookup, WORDS, True), WORDS, available=TENSORFLOW),
    "text": Case(
        lookup(lambda: L.TextVectorization(output_mode="tf_idf"), WORDS[:, 0], False), WORDS, available=TENSORFLOW
    ),
    "hashing": Case(lambda x: L.Flatten()(L.Embedding(5, 3)(L.Hashing(5)(x))), WHOLE, available=TENSORFLOW),
    "lambda": Case(lambda x: L.Lambda(lambda t: keras.ops.tanh(t / 100.0), (4,))(x), code=True),
    "lambda in a wrapper": Case(
        lambda x: L.Flatten()(L.TimeDistributed(L.Lambda(lambda t: keras.ops.tanh(t / 100.0)))(L.Reshape((2, 2))(x))),
        code=True,
    ),
    "own layer": Case(lambda x: Own(3)(x / 100.0), code=True),
    "own layer, closures": Case(lambda x: Own(3, scaled(4.0))(Own(5, scaled(2.0))(x / 100.0)), code=True),
    "own layer without a config": Case(lambda x: Plain(3)(x / 100.0), code=True),
    "own activation": Case(lambda x: L.Dense(5, scaled(2.0))(L.Dense(5, relu)(x / 100.0)), code=True),
    "lambda activation": Case(lambda x: L.Dense(5, lambda t: keras.ops.tanh(t) * 2)(x / 100.0), code=True),
    "nested functional": Case(nested),
    "nested Sequential": Case(sequential, code=True),
    "subclassed": Case(lambda x: Block(3)(x / 100.0), code=True),
    "functional of an own class": Case(traced, code=True),
    "batch norm": Case(lambda x: L.BatchNormalization()(x)),
    "called twice": Case(twice),
    "dropout": Case(lambda x: L.Dropout(0.5)(L.GaussianNoise(0.1)(x / 100.0))),
    "frozen": Case(frozen),
    "dtypes": Case(lambda x: L.Dense(4, "tanh", dtype="mixed_bfloat16")(x / 100.0)),
    "LoRA": Case(lora),
    "operations": Case(operations, code=True),
    "both ways": Case(lambda x: L.Bidirectional(L.GRU(2))(L.Reshape((2, 2))(x / 100.0))),
}
CASES = {name: case for name, case in CASES.items() if case.available}


def pair_of(case, shared=True, units=3):
    """Return a trained-looking pair whose nets begin with the case's part, one for both or one each."""
    dtype = "string" if case.rows.dtype.kind == "U" else str(case.rows.dtype)
    inputs = keras.Input(case.rows.shape[1:], dtype=dtype, name="x")
    first = case.made(inputs)
    second = first if shared else case.made(inputs)
    light = L.Dense(2, name="light_logits")(L.Dense(units, "tanh", name="light_hidden")(first))
    booster = L.Dense(2, name="booster_logits")(L.Dense(6, "tanh", name="booster_hidden")(second))
    pair = Pair(keras.Model(inputs, light, name="light"), keras.Model(inputs, booster, name="booster"))
    moved(pair.joint)
    return pair


def moved(net):
    """Give all variables that training moves, statistics included, other values than an initializer would."""
    for layer in net._flatten_layers():
        if not isinstance(layer, L.Normalization) and not layer._layers:
            for variable in layer.weights:
                variable.assign(RNG.uniform(0.1, 0.9, variable.shape))


def values(case):
    """Return the rows as what nets take: texts as a tensor."""
    return keras.ops.convert_to_tensor(case.rows.tolist()) if case.rows.dtype.kind == "U" else case.rows


def logits(net, case):
    return net.predict(values(case), verbose=0)


def weights(net):
    return [keras.ops.convert_to_numpy(weight).copy() for weight in net.weights]


def trained(net, case):
    """Train a net for one step."""
    net.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    net.fit(values(case), np.arange(16) % 2, batch_size=16, verbose=0)
