"""Gradients of rows that a batch looked up, summed over the places that looked up the same row."""

from typing import Any

from keras import ops

from rocket_keras.train_step.rows import sums_of


def summed_by_row(rows: Any, gradients: Any) -> tuple[Any, Any, Any]:
    """Sum gradients over equal rows, in static shapes.

    Args:
        rows: Row numbers `(n,)`, int32.
        gradients: `(n, dim)`.

    Returns:
        The row numbers in ascending order `(n,)`; the sum of each one's row `(n, dim)`, the same at every place of
        a row; and whether a place is the first of its row, `(n,)`.
    """
    order = ops.argsort(rows)
    rows = ops.take(rows, order, axis=0)
    first = ops.concatenate([ops.ones_like(rows[:1], dtype="bool"), ops.not_equal(rows[1:], rows[:-1])])
    segments = ops.cumsum(ops.cast(first, "int32")) - 1
    sums = sums_of(ops.take(gradients, order, axis=0), segments, ops.shape(rows)[0])
    return rows, ops.take(sums, segments, axis=0), first
