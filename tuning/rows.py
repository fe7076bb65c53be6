"""Rows to train and to choose on, in whatever form they come."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows with labels.

    Args:
        x: `(n, ...)`, or a dict of arrays by input.
        y: `(n,)` class indices, or 0 and 1 for clicks.
        groups: `(n,)` user ids, for GAUC; None where there are none.
    """

    x: Any
    y: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, index: Any) -> "Rows":
        """Return the rows at `index`."""
        x = keras.tree.map_structure(lambda column: column[index], self.x)
        return Rows(x, self.y[index], None if self.groups is None else self.groups[index])


def as_rows(given: Any, name: str) -> Rows:
    """Return `(x, y)`, `(x, y, groups)`, or an object with `x`, `y` and `groups`, as rows.

    Raises:
        ValueError: It is none of these, there are no rows, or the columns differ in length.
    """
    if isinstance(given, tuple | list) and len(given) in (2, 3):
        x, y, groups = (*given, None)[:3]
    elif hasattr(given, "x") and hasattr(given, "y"):
        x, y, groups = given.x, given.y, getattr(given, "groups", None)
    else:
        raise ValueError(
            f"expected `{name}` as (x, y), (x, y, groups) or a split with these, received {type(given).__name__}; "
            "give arrays"
        )
    rows = Rows(keras.tree.map_structure(np.asarray, x), np.asarray(y), None if groups is None else np.asarray(groups))
    lengths = {len(leaf) for leaf in keras.tree.flatten(rows.x)} | {len(rows.y)}
    lengths |= {len(rows.groups)} if rows.groups is not None else set()
    if len(lengths) != 1 or not len(rows):
        raise ValueError(f"expected `{name}` with equally many rows everywhere, received {sorted(lengths)} rows")
    return rows
