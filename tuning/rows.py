"""Rows to train and to choose on, in whatever form they come."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from rocket_keras import Pair
from rocket_keras.checks import check_arrays
from rocket_keras.graph import inputs_of
from rocket_keras.launch.scoring import check_split


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


def check_rows(pair: Pair, train: Rows, validation: Rows, metric: str) -> None:
    """Raise where rows cannot train or score the light net of a pair, before anything is trained.

    Args:
        pair: Any candidate.
        train, validation: The rows.
        metric: What candidates are chosen by.

    Raises:
        ValueError: Rows that `fit` would refuse, or validation rows that do not have this metric. One line that names
            the rows.
    """
    for name, rows in (("train", train), ("validation", validation)):
        try:
            check_arrays(inputs_of(pair.joint, rows.x), rows.y, pair.joint)
        except ValueError as error:
            raise ValueError(f"`{name}`: {error}") from None
    check_split(validation, "validation", pair.light.outputs[0].shape[-1], metric)
