"""Raw values of one request, column by column, as a net's inputs: the encoder's fields, made fast for lists."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, HistoryField, IdField

REMEMBERED = 200_000
"""Raw values of a column whose ids are remembered."""


class Reader:
    """Reads one input.

    Args:
        field: The encoder's field.
        encoder: The encoder, which has the vocabulary of a history.
        unseen: Counts values without an id of their own, by raw column.
        lock: Guards the counts.
    """

    def __init__(self, field: Field, encoder: Encoder, unseen: Counter[str], lock: threading.Lock) -> None:
        self.field, self.unseen, self.lock = field, unseen, lock
        self.vocabulary = next((f for f in encoder.fields if f.name == getattr(field, "of", None)), None)
        self.has_ids = hasattr(field, "id_of") or isinstance(field, HistoryField)
        self._known: dict[Any, int] = {}

    def read(self, values: Sequence[Any]) -> np.ndarray:
        """Return the input's column, `(n,)` or `(n, length)`.

        Raises:
            ValueError: A value cannot be read. One line: column, row (from 0).
        """
        if isinstance(self.field, IdField):
            ids = self._remembered(values)
            if ids is None:
                ids = self.field.encode(values)
                self._remember(values, ids)
        elif isinstance(self.field, HistoryField):
            assert isinstance(self.vocabulary, IdField)  # as the encoder checks
            ids = self.field.encode(values, self.vocabulary)
        else:
            ids = self.field.encode(values)
        if self.has_ids and (new := int(np.count_nonzero(ids == 0))):
            with self.lock:
                self.unseen[self.field.column] += new
        return ids

    def _remembered(self, values: Sequence[Any]) -> np.ndarray | None:
        """Return ids where each value was met before; True would be taken for 1."""
        try:
            ids = np.fromiter(map(self._known.get, values), np.int32, len(values))
        except TypeError:  # a value that is new, or a list or dict, which the field refuses
            return None
        return None if bool in set(map(type, values)) else ids

    def _remember(self, values: Sequence[Any], ids: np.ndarray) -> None:
        if len(self._known) + len(values) <= REMEMBERED:
            self._known.update(zip(values, ids.tolist(), strict=True))
