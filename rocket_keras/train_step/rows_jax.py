"""Rows of a variable under JAX. Inside a jitted step that donates its state they change in place."""

from typing import Any

import jax
import keras


def take_rows(variable: keras.Variable, rows: Any) -> Any:
    """Return rows of a variable, `(*rows.shape, dim)`; all must be there."""
    return variable.value.at[rows].get(mode="promise_in_bounds")


def add_rows(variable: keras.Variable, rows: Any, changes: Any, first: Any) -> None:
    """Add to each row its change, once.

    Args:
        variable: `(rows, dim)`.
        rows: Row numbers `(n,)` in ascending order, which may repeat.
        changes: `(n, dim)`, the same wherever a row repeats.
        first: Where a row stands for the first time, `(n,)`.
    """
    changes = jax.numpy.where(first[:, None], changes, 0).astype(variable.dtype)
    variable.assign(variable.value.at[rows].add(changes, mode="promise_in_bounds", indices_are_sorted=True))


def sums_of(values: Any, segments: Any, count: int) -> Any:
    """Sum values `(n, dim)` by their segments `(n,)`, ascending, into `(count, dim)`."""
    return jax.ops.segment_sum(values, segments, count, indices_are_sorted=True)


def set_rows(variable: keras.Variable, rows: Any, values: Any) -> None:
    """Overwrite the rows `(n,)`, each once, with `values` `(n, dim)`."""
    variable.assign(_set(variable.value, rows, values))


@jax.jit
def _set(table: Any, rows: Any, values: Any) -> Any:
    return table.at[rows].set(values)
