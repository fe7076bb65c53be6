"""What is read from one beginning."""

from dataclasses import dataclass, field

from rocket_keras.streaming.files import LogFile
from rocket_keras.streaming.part import Part


@dataclass(frozen=True)
class Piece:
    """A row group, a stretch of text, or a compressed file.

    Attributes:
        file: Its file.
        begin, end: Bytes of a stretch of text; numbers of row groups, from `begin` to before `end`.
        header: Names of the columns of text.
        skip_lines: Lines at the beginning that are no rows: 1 for a header.
        rows: How many it holds, bad ones counted; None where nobody counted.
        first_row: Rows of the file before it, in a Parquet file.
        part: Which of its rows are read.
    """

    file: LogFile
    begin: int
    end: int
    header: tuple[str, ...] = ()
    skip_lines: int = 0
    rows: int | None = None
    first_row: int = 0
    part: Part = field(default_factory=Part)

    @property
    def own_rows(self) -> int | None:
        """Rows of its part."""
        return None if self.rows is None else self.part.count(self.rows)
