"""Rows of a variable under TensorFlow.

A variable that was changed row by row is copied whole whenever an operation reads it whole; so it is always read by
rows, in training and after.
"""

from typing import Any

import keras
import tensorflow as tf


def take_rows(variable: keras.Variable, rows: Any) -> Any:
    """Return rows of a variable, `(*rows.shape, dim)`; all must be there."""
    return tf.gather(variable.value, rows)


def add_rows(variable: keras.Variable, rows: Any, changes: Any, first: Any) -> None:
    """Add to each row its change, once.

    Args:
        variable: `(rows, dim)`.
        rows: Row numbers `(n,)` in ascending order, which may repeat.
        changes: `(n, dim)`, the same wherever a row repeats.
        first: Where a row stands for the first time, `(n,)`.
    """
    # Half the time of scatter_add, and most of it saved where the rows are in no cache: a gather looks ahead.
    after = take_rows(variable, rows) + tf.cast(changes, variable.dtype)
    variable.value.scatter_update(tf.IndexedSlices(after, rows))


def sums_of(values: Any, segments: Any, count: int) -> Any:
    """Sum values `(n, dim)` by their segments `(n,)`, ascending, into `(count, dim)`."""
    return tf.math.unsorted_segment_sum(values, segments, count)


def set_rows(variable: keras.Variable, rows: Any, values: Any) -> None:
    """Overwrite the rows `(n,)`, each once, with `values` `(n, dim)`."""
    variable.value.scatter_update(tf.IndexedSlices(tf.cast(values, variable.dtype), rows))
