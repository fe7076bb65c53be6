"""Rows of a variable under PyTorch."""

from typing import Any

import keras
import torch


def take_rows(variable: keras.Variable, rows: Any) -> Any:
    """Return rows of a variable, `(*rows.shape, dim)`; all must be there."""
    return torch.nn.functional.embedding(rows, variable.value)


def add_rows(variable: keras.Variable, rows: Any, changes: Any, first: Any) -> None:
    """Add to each row its change, once.

    Args:
        variable: `(rows, dim)`.
        rows: Row numbers `(n,)` in ascending order, which may repeat.
        changes: `(n, dim)`, the same wherever a row repeats.
        first: Where a row stands for the first time, `(n,)`.
    """
    with torch.no_grad():
        changes = torch.where(first[:, None], changes, 0.0)
        variable.value.index_add_(0, rows, changes.to(variable.value.dtype))


def sums_of(values: Any, segments: Any, count: int) -> Any:
    """Sum values `(n, dim)` by their segments `(n,)`, ascending, into `(count, dim)`."""
    # Keras scatters every number on its own, which takes twice as long.
    return torch.zeros((count, values.shape[1]), dtype=values.dtype, device=values.device).index_add_(
        0, segments, values
    )


def set_rows(variable: keras.Variable, rows: Any, values: Any) -> None:
    """Overwrite the rows `(n,)`, each once, with `values` `(n, dim)`."""
    values = keras.ops.convert_to_tensor(values, variable.dtype)
    with torch.no_grad():
        variable.value.index_copy_(0, keras.ops.convert_to_tensor(rows, "int64"), values)
