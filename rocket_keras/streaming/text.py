"""Text files as blocks of whole lines, and these as columns."""

import csv
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.csv

from rocket_keras.streaming.bad_rows import LONGEST, SAMPLES_A_BLOCK, BadRow, LogError
from rocket_keras.streaming.block import Block
from rocket_keras.streaming.files import LogFile, one_line, unreadable
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.piece import Piece
from rocket_keras.streaming.quotes import quote_faults

BLOCK_BYTES = 4 << 20
"""Of text, unpacked, that is parsed at a time."""
LINE_BYTES = 64 << 10
"""That are read at a time, to the end of a stretch's last line."""
LONGEST_LINE = 64 << 20


def header_of(log: Log, file: LogFile) -> tuple[str, ...]:
    """The names of a text file's columns; none for a file without rows."""
    with _Lines(file) as lines:
        block = next(lines.blocks(0, None), b"")
    first, _, rest = block.partition(b"\n")
    if b"\r" in first.rstrip(b"\r") and (log.columns is None or not rest):
        raise LogError(
            f"{file.path}, line 1: expected lines that end in LF or CRLF, received a carriage return within the line; "
            "write the file again with such ends"
        )
    if log.columns is not None:
        return log.columns if first or rest else ()
    try:
        text = first.decode("utf-8-sig").rstrip("\r")
        names = _names(log, text)
    except (UnicodeDecodeError, csv.Error) as error:
        raise LogError(
            f"{file.path}, line 1: expected names in UTF-8, received {first[:80]!r} ({one_line(error)}); mend it"
        ) from error
    if not any(names) and rest.strip():
        raise LogError(f"{file.path}, line 1: expected names of columns, received an empty line; remove it")
    return tuple(names) if rest else ()


def _names(log: Log, text: str) -> list[str]:
    if not log.quoted:
        return text.split(log.delimiter)
    return next(csv.reader([text], delimiter=log.delimiter, escapechar=log.escape), [])


def stretch_rows(piece: Piece) -> int:
    """Lines of a stretch, less its header."""
    found = 0
    with _Lines(piece.file) as lines:
        for block in lines.blocks(piece.begin, None if piece.file.codec else piece.end):
            found += block.count(b"\n") + (block != b"" and block[-1:] != b"\n")
    return found - piece.skip_lines


def text_blocks(log: Log, piece: Piece, columns: Sequence[str], begin: int = 0) -> Iterator[Block]:
    """The blocks of a stretch, from block `begin` on; those before are read and not parsed.

    Args:
        log: The log, for the delimiter.
        piece: The stretch.
        columns: Names of the columns that are wanted.
        begin: Blocks to leave out.
    """
    whole = piece.file.codec is not None
    with _Lines(piece.file) as lines:
        line, number, skip, first = 0, 0, piece.skip_lines, None
        for text in lines.blocks(piece.begin, None if whole else piece.end):
            first = lines.start if first is None else first
            if skip:
                text, line, skip = text.partition(b"\n")[2], 1, 0
            count = text.count(b"\n") + (text != b"" and text[-1:] != b"\n")
            if count and number >= begin:
                stored = piece.file.size * len(text) // max(1, lines.unpacked) if whole else len(text)
                yield _block(log, piece, columns, text, number, line, count, first, stored)
            number += bool(count)
            line += count


def _block(
    log: Log,
    piece: Piece,
    columns: Sequence[str],
    text: bytes,
    number: int,
    line: int,
    count: int,
    first: int,
    stored: int,
) -> Block:
    """A block whose first line is `line` (from 0) of those of its piece, which begins with byte `first`."""
    table, bad = _rows(log, piece.header, columns, text, count)
    gone = {place for place, _ in bad}
    lines = [place for place in range(count) if place not in gone] if bad else range(count)

    def line_in_file(place: int) -> int:
        return (lines_before(piece.file, first) if piece.begin else 0) + line + place + 1

    def text_in_file(place: int) -> str:
        return text.split(b"\n")[place].rstrip(b"\r").decode("utf-8", "replace")[:LONGEST]

    block = Block(
        piece.file.path,
        number,
        line - piece.skip_lines,
        {name: _joined(table.column(name)) for name in columns},
        table.num_rows,
        lambda row: line_in_file(lines[row]),
        lambda row: text_in_file(lines[row]),
        stored,
    )
    # Of a piece that several workers read, the first one counts the lines that are no rows.
    for place, reason in bad if piece.part.worker == 0 else ():
        block.bad[reason] += 1
        if len(block.samples) < SAMPLES_A_BLOCK:
            block.samples.append(BadRow(piece.file.path, line_in_file(place), reason, text_in_file(place)))
    return block


def _rows(
    log: Log, header: Sequence[str], columns: Sequence[str], text: bytes, count: int
) -> tuple[pa.Table, list[tuple[int, str]]]:
    """The columns as texts, and the lines that are no rows in their order, each with the reason."""
    strict = log.quoted and log.escape is None and b'"' in text
    refused = quote_faults(log.delimiter, text) if strict else {}
    if not refused:
        return _parse(log, header, columns, text, 0, count)
    lines = text.split(b"\n")[:count]
    left = [place for place in range(count) if place not in refused]
    kept = b"".join(lines[place] + b"\n" for place in left)
    table, bad = _parse(log, header, columns, kept, 0, len(left))
    return table, sorted([*refused.items(), *((left[place], reason) for place, reason in bad)])


def _parse(
    log: Log, header: Sequence[str], columns: Sequence[str], text: bytes, begin: int, count: int
) -> tuple[pa.Table, list[tuple[int, str]]]:
    """The columns as texts, and the lines (from `begin`) that are no rows, each with the reason."""
    bad: list[tuple[int, str]] = []

    def note(row: Any) -> str:
        bad.append((begin + row.number - 1, f"expected {row.expected_columns} values, received {row.actual_columns}"))
        return "skip"

    names = [name if name in columns else f"\0{place}" for place, name in enumerate(header)]
    blank = len(names) > 1 and (text[:1] in (b"\n", b"\r") or b"\n\n" in text or b"\n\r" in text)
    try:
        table = pyarrow.csv.read_csv(
            pa.py_buffer(text),
            pyarrow.csv.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 1),
            pyarrow.csv.ParseOptions(
                delimiter=log.delimiter,
                quote_char='"' if log.quoted else False,
                escape_char=log.escape or False,
                ignore_empty_lines=False,
                invalid_row_handler=note,
            ),
            pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                include_columns=list(columns),
                strings_can_be_null=False,
            ),
        )
        if table.num_rows + len(bad) == count and not blank:
            return table, bad
        reason = "expected a row, received an open quote"
        if blank:
            reason = "expected values, received an empty line"
        elif b"\r" in text.rstrip(b"\r\n"):
            reason = "expected a row, received a carriage return within the line"
    except pa.ArrowInvalid as error:
        reason = f"expected text in UTF-8 with values, received what has none: {one_line(error)}"
    if count <= 1:
        empty = pa.table({name: pa.array([], pa.string()) for name in columns})
        return empty, [(begin, reason)] * count
    lines = [line + b"\n" for line in text.split(b"\n")[:count]]
    half = count // 2
    parts = ((b"".join(lines[:half]), begin, half), (b"".join(lines[half:]), begin + half, count - half))
    tables, faults = zip(*(_parse(log, header, columns, *part) for part in parts), strict=True)
    return pa.concat_tables(tables), [fault for part in faults for fault in part]


def _joined(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    if isinstance(joined, pa.ChunkedArray):
        return joined.chunk(0) if joined.num_chunks else pa.array([], column.type)
    return joined


@lru_cache(maxsize=256)
def lines_before(file: LogFile, end: int) -> int:
    """Lines of a file that end before byte `end`: read when a line is to be named."""
    found = 0
    with file.open() as opened:
        while end > 0 and (data := opened.read(min(end, BLOCK_BYTES))):
            found += data.count(b"\n")
            end -= len(data)
    return found


def _ends_blank(text: bytes) -> bool:
    return text in (b"\n", b"\r\n") or text.endswith((b"\n\n", b"\n\r\n"))


def _without_blank_end(text: bytes) -> bytes:
    rows = len(text.rstrip(b"\r\n"))
    return text[: text.find(b"\n", rows) + 1] if rows else b""


class _Lines:
    """A text file, unpacked while it is read.

    Attributes:
        start: Where in the unpacked file the block begins that was given last.
        unpacked: Bytes that came out so far.
    """

    def __init__(self, file: LogFile):
        self.file, self.start, self.unpacked, self._line = file, 0, 0, 0

    def __enter__(self) -> "_Lines":
        self._raw = self.file.open()
        try:
            self._stream = self._raw
            if self.file.codec:
                stored = self._raw if isinstance(self._raw, pa.NativeFile) else pa.PythonFile(self._raw, "r")
                self._stream = pa.CompressedInputStream(stored, self.file.codec)
        except BaseException:
            self._raw.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._raw.close()

    def blocks(self, begin: int, end: int | None) -> Iterator[bytes]:
        """Whole lines: those that start at or after byte `begin` and before byte `end`."""
        start, rest = begin, b""
        if begin:
            self._stream.seek(begin - 1)
            start, found = begin - 1, -1
            while found < 0:
                start += len(rest)
                rest = self._read(BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - start))
                if not rest:
                    return
                found = rest.find(b"\n")
            start, rest = start + found + 1, rest[found + 1 :]
        while end is None or start < end:
            left = BLOCK_BYTES if end is None else end - start - len(rest)
            more = self._read(min(BLOCK_BYTES, max(left, LINE_BYTES)))
            data = rest + more
            limit = data.rfind(b"\n") + 1 if more else len(data)
            if end is not None and start + limit > end:
                limit = data.find(b"\n", max(0, end - 1 - start)) + 1 or (0 if more else len(data))
            self.start, whole = start, data[:limit]
            start, rest = start + limit, data[limit:]
            if _ends_blank(whole) and not rest:  # blank lines at the file's end are no rows
                rest = more = self._read(BLOCK_BYTES)
                whole = whole if more else _without_blank_end(whole)
            if whole:
                self._line += whole.count(b"\n") if self.file.codec else 0
                yield whole
            if not more:
                return
            if len(rest) > LONGEST_LINE:
                raise LogError(
                    f"{self.file.path}: expected lines of at most {LONGEST_LINE >> 20} MiB, received a longer one "
                    f"from byte {start} on; is it a text file?"
                )

    def _read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except Exception as error:
            if not unreadable(self.file, error):
                raise
            where = f", after line {self._line}" if self.file.codec else ""
            raise LogError(
                f"{self.file.path}{where}: expected a whole {self.file.codec or 'text'} file, received "
                f"{one_line(error)}; write it again"
            ) from error
        self.unpacked += len(data)
        return data
