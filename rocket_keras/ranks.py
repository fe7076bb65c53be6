"""Columns with or without a last axis of size 1: Keras takes either for the other, and so do we."""

from collections.abc import Sequence
from typing import Any


def of_rank(array: Any, shape: Sequence[Any]) -> Any:
    """Return an array with the rank that an input has, by the rule of Keras's functional models.

    Args:
        array: Values `(rows, ...)`.
        shape: Shape of the input, the batch included.

    Returns:
        `(rows, 1)` for `(rows,)` where the input has a last axis of size 1; `(rows,)` for `(rows, 1)` where it has
        none; every other array as it is.
    """
    if len(array.shape) == len(shape) - 1 and shape[-1] == 1:
        return array[..., None]
    if len(array.shape) == len(shape) + 1 and array.shape[-1] == 1:
        return array[..., 0]
    return array
