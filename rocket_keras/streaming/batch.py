"""Rows as a net takes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Batch:
    """Encoded rows.

    Attributes:
        x: Columns by name, `(rows,)` or `(rows, length)`, as `Encoder.encode` makes them.
        y: Labels, `(rows,)` float32.
        weight: Sample weights, `(rows,)` float32; None without.
        extra: Further raw columns by name, `(rows,)`: texts as an object array, numbers as they are.
    """

    x: dict[str, np.ndarray]
    y: np.ndarray
    weight: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, index: slice | np.ndarray) -> "Batch":
        """The rows that an index picks."""
        return self.map(lambda column: column[index])

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> "Batch":
        """What a function makes of each column."""
        return Batch(
            {name: function(column) for name, column in self.x.items()},
            function(self.y),
            None if self.weight is None else function(self.weight),
            {name: function(column) for name, column in self.extra.items()},
        )


def joined(parts: Sequence[Batch]) -> Batch:
    """The rows of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    return Batch(
        {name: np.concatenate([part.x[name] for part in parts]) for name in first.x},
        np.concatenate([part.y for part in parts]),
        None if first.weight is None else np.concatenate([part.weight for part in parts if part.weight is not None]),
        {name: np.concatenate([part.extra[name] for part in parts]) for name in first.extra},
    )
