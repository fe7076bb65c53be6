"""Some hundred to thousand rows of a piece as they were read, not encoded yet."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pyarrow as pa

from rocket_keras.streaming.bad_rows import BadRow
from rocket_keras.streaming.part import Part


@dataclass
class Block:
    """Rows with their place in the file.

    Attributes:
        path: The file.
        number: Its place in the piece, from 0.
        first: Lines of the piece before it, those that are no rows counted.
        columns: Raw columns.
        rows: How many the columns have.
        line_of: From a row's place in the columns to its line in the file, from 1.
        text_of: From a row's place to its text.
        bytes: Of the file, as they are stored, about.
        bad: Lines that were no rows, by reason.
        samples: Some of these.
    """

    path: str
    number: int
    first: int
    columns: dict[str, pa.Array]
    rows: int
    line_of: Callable[[int], int]
    text_of: Callable[[int], str]
    bytes: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    samples: list[BadRow] = field(default_factory=list)

    def share(self, part: Part) -> "Block":
        """The rows of a part of the piece."""
        if part.whole:
            return self
        chosen = part.places(self.first, self.rows)
        columns = {name: column.take(pa.array(chosen)) for name, column in self.columns.items()}
        line_of, text_of = self.line_of, self.text_of
        return replace(
            self,
            columns=columns,
            rows=len(chosen),
            line_of=lambda row: line_of(int(chosen[row])),
            text_of=lambda row: text_of(int(chosen[row])),
        )
