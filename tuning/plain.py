"""Settings and rows as plain JSON values by which two processes recognise the same search."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tuning.rows import Rows

SAMPLED = 256
"""Rows by whose values a data set is recognised."""


def plain(value: Any) -> Any:
    """Return a value as JSON has it, without what differs between processes: addresses, and names that Keras counts up.

    Args:
        value: A number, a text, a container of such, an object with `get_config`, or anything else, of which the name
            of its type is left.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if key != "name"}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (value if isinstance(value, list | tuple) else sorted(value, key=str))]
    name = getattr(value, "__qualname__", type(value).__name__)
    if isinstance(value, type) or not hasattr(value, "get_config"):
        return name
    try:
        return {name: plain(value.get_config())}
    except (NotImplementedError, TypeError):  # a user's own schedule, loss or optimizer that is never saved
        return name


def fingerprint(rows: Rows) -> str:
    """Return a hash of the number of rows and of every column's values in some of them."""
    index = np.unique(np.linspace(0, len(rows) - 1, SAMPLED).astype("int64"))
    told = hashlib.sha256(str(len(rows)).encode())
    for column in keras.tree.flatten([rows.x, rows.y, rows.groups]):
        if column is None:
            continue
        values = np.asarray(column[index])
        told.update(f"{values.dtype} {values.shape}".encode())
        told.update(str(values.tolist()).encode() if values.dtype.hasobject else np.ascontiguousarray(values).tobytes())
    return told.hexdigest()[:16]
