"""Where the ids of several fields lie in one fused table."""

from typing import Any

from keras import ops


def fused_rows(ids: Any, size: int, offset: int) -> Any:
    """Return the table's rows of one field's ids, int32 in the shape of `ids`.

    An id outside the field is moved to the field's nearest end (0 or size - 1): a gather beyond the table is an error
    on one backend, NaN on another and a neighbour field's row on a third.
    """
    return ops.clip(ops.cast(ids, "int32"), 0, size - 1) + offset


def present(ids: Any, dtype: str) -> Any:
    """Return 1 where a place of a padded row holds an id and 0 where it is padding (negative), in the shape of `ids`.

    Args:
        ids: Integers `(batch, length)`.
        dtype: A floating dtype of the result.
    """
    return ops.cast(ops.greater_equal(ids, 0), dtype)
