"""Dense layers of click-through-rate nets, and what a net is: a function from its columns to its logits."""

from collections.abc import Callable, Sequence

import keras
from keras import layers

from rocket_keras.layers import Dice
from zoo.ctr.columns import Columns

# `(columns, units, logits, name) -> logits (batch, logits)`. `columns.joined()` is all that the net reads as one
# tensor, `columns.joined(only=[...])` some features of it; `name` ("light" or "booster") begins every layer's name.
Tower = Callable[[Columns, Sequence[int], int, str], keras.KerasTensor]


def hidden_layers(x: keras.KerasTensor, units: Sequence[int], name: str) -> keras.KerasTensor:
    """Stack dense layers with ReLU: `(batch, units[-1])`."""
    for i, width in enumerate(units):
        x = layers.Dense(width, activation="relu", name=f"{name}_dense{i}")(x)
    return x


def dice_layers(x: keras.KerasTensor, units: Sequence[int], name: str) -> keras.KerasTensor:
    """Stack dense layers with Dice: `(batch, units[-1])`."""
    for i, width in enumerate(units):
        x = Dice(name=f"{name}_dice{i}")(layers.Dense(width, name=f"{name}_dense{i}")(x))
    return x


def head(x: keras.KerasTensor, logits: int, layer_name: str) -> keras.KerasTensor:
    """Return a linear layer of logits, `(batch, logits)`, float32 under a mixed-precision policy too.

    The hint squares the difference of logits, which half precision would round away.
    """
    return layers.Dense(logits, dtype="float32", name=layer_name)(x)
