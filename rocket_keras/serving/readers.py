"""Raw values of a request, column by column, as a net's inputs: the encoder's fields, stricter, with a memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, HashedIdField, HistoryField, IdField, KnownIdField, NumberField
from rocket_keras.encoding.raw_values import IN_RANGE, LARGEST, refuse_value
from rocket_keras.ranks import of_rank

REMEMBERED = 50_000
"""Raw values, or candidates, that are remembered; when there are more, all are forgotten."""
LONGEST = 1000
"""Characters of a raw value, or of a candidate's values, that is remembered."""


class Reader:
    """Reads one input.

    Args:
        field: The encoder's field.
        encoder: The encoder, which has the vocabulary of a history.
        number_texts: Whether a number may be written as a text.
        shape: Shape of the input, the batch included; None for that of the field's column.
    """

    def __init__(
        self, field: Field, encoder: Encoder, number_texts: bool = True, shape: Sequence[Any] | None = None
    ) -> None:
        self.field, self.column, self._number_texts, self._shape = field, field.column, number_texts, shape
        self._vocabulary = next((f for f in encoder.fields if f.name == getattr(field, "of", None)), None)
        self._known: dict[Any, tuple[np.ndarray, int]] = {}
        vocabulary = self._vocabulary or field
        # Asking for the ids builds their dict: now, so that no request waits for it.
        self._has_ids = getattr(vocabulary, "id_of", None) is not None

    def read(self, values: Sequence[Any]) -> np.ndarray:
        """Return the input's column, `(n,)`, `(n, 1)` or `(n, length)`.

        Raises:
            ValueError: A value cannot be read. One line: column, row (from 0).
        """
        rows = self._encoded(values)
        return rows if self._shape is None else of_rank(rows, self._shape)

    def _encoded(self, values: Sequence[Any]) -> np.ndarray:
        if isinstance(self.field, HistoryField):
            assert isinstance(self._vocabulary, IdField | HashedIdField)  # as the encoder checks
            return self.field.encode(values, self._vocabulary)
        if isinstance(self.field, NumberField | KnownIdField):
            self._check_numbers(values)
        return self.field.encode(values)

    def read_one(self, value: Any) -> tuple[np.ndarray, int]:
        """Return the row of one value, `(1,)` or `(1, length)`, and how many of its values have no id of their own.

        Raises:
            ValueError: As `read`.
        """
        try:
            found = None if isinstance(value, bool | np.bool_) else self._known.get(value)  # a dict takes True for 1
        except TypeError:  # a list
            found = None
        if found is None:
            row = self.read([value])
            found = row, int(self.unseen(row)[0])
            if isinstance(value, int | float | str) and not isinstance(value, bool) and len(str(value)) <= LONGEST:
                if len(self._known) >= REMEMBERED:
                    self._known = {}
                self._known[value] = found
        return found

    def unseen(self, rows: np.ndarray) -> np.ndarray:
        """Return how many values of each row have no id of their own, `(n,)`."""
        if not self._has_ids:
            return np.zeros(len(rows), np.int64)
        return (rows == 0).reshape(len(rows), -1).sum(axis=1)

    def _check_numbers(self, values: Sequence[Any]) -> None:
        """Refuse what NumPy would take for a number, and numbers without measure."""
        for row, value in enumerate(values):
            if (
                isinstance(value, bool | np.bool_)
                or (isinstance(value, str) and not self._number_texts)
                or (isinstance(value, int | float) and abs(value) > LARGEST)
            ):
                expected = IN_RANGE
                if isinstance(self.field, KnownIdField):
                    expected = f"a whole number from 0 to {self.field.size - 1}"
                raise refuse_value(self.column, row, expected, value)
