"""The rows that a batch looks up, as the leaves of differentiation."""

from collections.abc import Callable, Collection
from contextvars import ContextVar, Token
from typing import Any, NamedTuple

import keras


class Lookup(NamedTuple):
    """One look-up in a table.

    Attributes:
        layer: The layer that has the table.
        rows: Row numbers, int32 of any shape.
        leaf: What the layer went on with, `(*rows.shape, dim)`.
    """

    layer: keras.layers.Layer
    rows: Any
    leaf: Any


class RowLookups:
    """Notes what layers look up while it is entered, and gives them leaves instead of parts of their tables.

    Without it a look-up is a gather, and its gradient as large as the table.

    Args:
        layers: The layers that it is for.
        leaf: What to make of the rows that were found, `(..., dim)`, so that they can be differentiated by.

    Attributes:
        found: The look-ups, in their order.
    """

    def __init__(self, layers: Collection[keras.layers.Layer], leaf: Callable[[Any], Any]):
        self.found: list[Lookup] = []
        self._ids = {id(layer) for layer in layers}
        self._leaf = leaf
        self._tokens: list[Token[RowLookups | None]] = []

    def __enter__(self) -> "RowLookups":
        """Begin to note."""
        self._tokens.append(_NOTING.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        """Cease to note."""
        _NOTING.reset(self._tokens.pop())

    def note(self, layer: keras.layers.Layer, rows: Any, found: Any) -> Any:
        """Return the leaf for rows that a layer found, or these if it is not one of the layers."""
        if id(layer) not in self._ids:
            return found
        leaf = self._leaf(found)
        self.found.append(Lookup(layer, rows, leaf))
        return leaf


# A context variable, not an attribute of the layers: replicas of one model run in threads of their own.
_NOTING: ContextVar[RowLookups | None] = ContextVar("rows looked up in this training step", default=None)


def leaf_of(layer: keras.layers.Layer, rows: Any, found: Any) -> Any:
    """Return what a layer goes on with that found rows in its table: a leaf, where its look-ups are noted.

    Args:
        layer: The layer.
        rows: Row numbers, int32 of any shape.
        found: The rows, `(*rows.shape, dim)`.
    """
    noting = _NOTING.get()
    return found if noting is None else noting.note(layer, rows, found)
