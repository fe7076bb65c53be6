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
        a row; and where that sum counts, `(n,)`: at the first place of a row, if it is not zero throughout. A row
        without a gradient (padding, a weight of 0) is like one that was not looked up.
    """
    order = ops.argsort(rows)
    rows = ops.take(rows, order, axis=0)
    first = ops.concatenate([ops.ones_like(rows[:1], dtype="bool"), ops.not_equal(rows[1:], rows[:-1])])
    segments = ops.cumsum(ops.cast(first, "int32")) - 1
    sums = sums_of(ops.take(gradients, order, axis=0), segments, ops.shape(rows)[0])
    sums = ops.take(sums, segments, axis=0)
    return rows, sums, ops.logical_and(first, ops.any(ops.not_equal(sums, 0), axis=1))
