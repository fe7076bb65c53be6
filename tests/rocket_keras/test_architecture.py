"""A net is recognised by what it computes: not by names that are counted, nor by seeds."""

import itertools

import keras
import numpy as np
import pytest

from rocket_keras.architecture import architecture, describe_net, first_difference

L = keras.layers
COUNTED = itertools.count()


class Scale(L.Layer):
    """Without get_config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, x):
        return x * 2.0


class OtherScale(Scale):
    def call(self, x):
        return x * 3.0


OtherScale.__name__ = "Scale"


def graph(make):
    x = keras.Input((6,), name="x")
    return keras.Model(x, L.Dense(1)(make(x)))


def nested(units=5, activation="relu"):
    def make(x):
        inner = keras.Input((6,))
        net = keras.Model(inner, L.Dense(units, activation)(inner))
        return keras.Sequential([L.Dropout(0.5, seed=next(COUNTED)), L.Dense(units)])(net(x))

    return make


def embedded(table):
    initializer = keras.initializers.Constant(table)
    return lambda x: L.Embedding(50, 4, embeddings_initializer=initializer)(keras.ops.cast(x[:, 0], "int32"))


@pytest.mark.parametrize(
    "make",
    [
        lambda x: L.Dense(4, "relu", kernel_initializer=keras.initializers.HeNormal(next(COUNTED)))(x),
        nested(),
        lambda x: L.Lambda(lambda t: t * 2)(x),
        lambda x: L.Activation(lambda t: t * 2)(x),
        lambda x: Scale(2)(x),
        lambda x: x[:, :3] + L.Dense(3)(x),
        lambda x: L.Dense(4, name=f"dense_{next(COUNTED)}")(x),
        embedded(np.arange(200.0).reshape(50, 4)),
    ],
)  # fmt: skip
def test_two_builds_of_one_net_have_one_architecture(make):
    one, other = describe_net(graph(make)), describe_net(graph(make))
    assert first_difference(one, other) == ""
    assert architecture(graph(make)) == architecture(graph(make))


@pytest.mark.parametrize(
    ("make", "other", "line"),
    [
        (lambda x: L.Dense(4, "relu")(x), lambda x: L.Dense(4, "tanh")(x),
         "layer 1 Dense, activation: relu before, tanh now"),
        # Layers that are called like their activations.
        (lambda x: L.Dense(4, "relu", name="relu")(x), lambda x: L.Dense(4, "tanh", name="tanh")(x), "activation"),
        (lambda x: L.Dropout(0.1)(x), lambda x: L.Dropout(0.2)(x), "layer 1 Dropout, rate: 0.1 before, 0.2 now"),
        (nested(), nested(activation="tanh"), "activation: relu before, tanh now"),
        (lambda x: L.Lambda(lambda t: t * 2)(x), lambda x: L.Lambda(lambda t: t * 3)(x), "layer 1 Lambda, function"),
        (lambda x: L.Activation(lambda t: t * 2)(x), lambda x: L.Activation(lambda t: t * 3)(x), "layer 1 Activation"),
        (lambda x: Scale(2)(x), lambda x: OtherScale(2)(x), "layer 1 Scale, code"),
        (lambda x: x[:, :3] + L.Dense(3)(x), lambda x: x[:, 1:4] + L.Dense(3)(x), "called on"),
        (lambda x: L.Dense(6)(x) + x, lambda x: L.Dense(6)(x) * x, "layer 2 Add: "),
        (embedded(np.zeros((50, 4))), embedded(np.ones((50, 4))), "embeddings_initializer"),
    ],
)  # fmt: skip
def test_another_net_has_another_and_the_difference_is_named(make, other, line):
    difference = first_difference(describe_net(graph(make)), describe_net(graph(other)))
    assert line in difference
    assert len(difference) < 300
    assert architecture(graph(make)) != architecture(graph(other))
