"""Initial values of large tables."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

PART = 2**18
"""Rows that are drawn at once."""

_INDEPENDENT = (
    keras.initializers.RandomNormal,
    keras.initializers.RandomUniform,
    keras.initializers.TruncatedNormal,
)


def drawn_rows(initializer: Any, shape: Sequence[int], dtype: str) -> np.ndarray | Any:
    """Draw a table `(rows, dim)`; a large one part by part, for a backend draws in several copies of what it draws.

    An initializer whose values depend on the shape, or on each other, draws all at once.

    Args:
        initializer: A Keras initializer. Parts have seeds of their own, drawn from Keras's random seed, or counted on
            from the initializer's.
        shape: `(rows, dim)`.
        dtype: A floating dtype.
    """
    rows, dim = shape
    config = initializer.get_config() if type(initializer) in _INDEPENDENT else {"seed": "none"}
    if rows <= PART or not isinstance(config["seed"], int | None):
        return initializer((rows, dim), dtype=dtype)
    table = np.empty((rows, dim), dtype)
    for number, begin in enumerate(range(0, rows, PART)):
        seed = None if config["seed"] is None else config["seed"] + number
        part = type(initializer).from_config({**config, "seed": seed})
        end = min(begin + PART, rows)
        table[begin:end] = keras.ops.convert_to_numpy(part((end - begin, dim), dtype=dtype))
    return table
