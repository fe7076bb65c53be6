"""Click logs that may not fit into memory: text files, plain or gzipped, read in chunks and checked row by row."""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField
from rocket_keras.encoding.raw_values import derived
from zoo.data.files import find_folder
from zoo.data.splits import Split, check_train_rows

CHUNK_ROWS = 65_536
Chunk = dict[str, np.ndarray]


@dataclass(frozen=True)
class TextLog:
    """A text file with one row of a log a line.

    Args:
        path: The file; a name that ends in .gz is unpacked while it is read.
        columns: Names of the columns.
        delimiter: What stands between two values.
        form: Matches every whole row.
        header: The file's first line; `None` where it begins with a row.
        fetch: What to fetch and where from, for errors.
    """

    path: Path
    columns: tuple[str, ...]
    delimiter: str
    form: re.Pattern[str]
    header: str | None
    fetch: str

    def open(self) -> AbstractContextManager[TextIO]:
        """The file as text. Bytes that are no ASCII become letters that no form matches."""
        opener = gzip.open if self.path.suffix == ".gz" else open
        return opener(self.path, "rt", encoding="latin-1")

    def refuse(self, line: int, expected: str, received: str) -> ValueError:
        """The error for a line, counted from 1."""
        came = repr(received[:80]) if received else "nothing"
        return ValueError(f"{self.path}, row {line}: expected {expected}, received {came}; fetch {self.fetch} again")


def find_log(data_dir: str | Path | None, folder: str, name: str, fetch: str) -> Path:
    """The file `name` or `name`.gz in the data folder `folder`, as `zoo.data.files.find_folder` finds it."""
    try:
        return find_folder(data_dir, folder, (name,), fetch) / name
    except FileNotFoundError as missing:
        try:
            return find_folder(data_dir, folder, (f"{name}.gz",), fetch) / f"{name}.gz"
        except FileNotFoundError:
            raise missing from None


def iter_chunks(log: TextLog, chunk_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """The log's columns as texts, at most `chunk_rows` rows at a time, so that memory does not grow with the file.

    Raises:
        ValueError: A line is not in the format, the file is cut, or it has no rows. One line: file, row.
    """
    if chunk_rows < 1:
        raise ValueError(f"expected `chunk_rows` of at least 1, received {chunk_rows}; give the rows of a chunk")
    begin = 1
    for lines in _iter_lines(log, chunk_rows):
        if begin == 1 and log.header is not None:
            if lines[0].rstrip() != log.header.rstrip():
                raise log.refuse(1, f"the columns {log.header}", lines[0].rstrip())
            begin, lines = 2, lines[1:]
        if lines:
            yield _columns(log, lines, begin)
        begin += len(lines)
    if begin == (1 if log.header is None else 2) or begin == 1:
        raise log.refuse(begin, f"{len(log.columns)} values", "")


def _iter_lines(log: TextLog, count: int) -> Iterator[list[str]]:
    done = 0
    try:
        with log.open() as file:
            while lines := list(islice(file, count)):
                yield lines
                done += len(lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise log.refuse(done + 1, "a whole gzip file", f"{error}") from error


def _columns(log: TextLog, lines: list[str], begin: int) -> Chunk:
    rows = []
    for number, line in enumerate(lines, start=begin):
        text = line[:-1]
        if log.form.fullmatch(text) is None or line[-1] != "\n":
            # A cut in the last value leaves a row that looks whole but for its newline.
            raise log.refuse(number, f"{len(log.columns)} values in the official format and a newline", line)
        rows.append(text.split(log.delimiter))
    return dict(zip(log.columns, map(np.array, zip(*rows, strict=True)), strict=True))


def window(chunks: Iterable[Chunk], begin: int, end: int) -> Iterator[Chunk]:
    """The rows from `begin` to before `end` of the chunks put end to end; reads no further."""
    place = 0
    for chunk in chunks:
        rows = len(next(iter(chunk.values())))
        if place + rows > begin:
            yield {name: column[max(begin - place, 0) : end - place] for name, column in chunk.items()}
        place += rows
        if place >= end:
            return


def count_rows(chunks: Iterable[Chunk]) -> int:
    """Rows of all chunks, each checked as it is read."""
    return sum(len(next(iter(chunk.values()))) for chunk in chunks)


def learn_ids(chunks: Iterable[Chunk], columns: Iterable[IdField], min_count: int) -> tuple[IdField, ...]:
    """The id columns with the values that stand in at least `min_count` rows; rarer ones share id 0 with the unseen.

    Args:
        chunks: The train rows.
        columns: Fields without values.
        min_count: Rows.
    """
    fields = tuple(columns)
    counts: dict[str, Counter[str]] = {field.name: Counter() for field in fields}
    for chunk in chunks:
        for field in fields:
            counts[field.name].update(derived(field.column, chunk[field.column].tolist(), field.derive))
    return tuple(
        replace(field, values=tuple(sorted(value for value, rows in counts[field.name].items() if rows >= min_count)))
        for field in fields
    )


def encode_chunks(chunks: Iterable[Chunk], encoder: Encoder, label: str) -> Split:
    """All rows of the chunks in memory: int32 ids, and labels as float32."""
    encoded = [(encoder.encode(chunk), chunk[label].astype(np.float32)) for chunk in chunks]
    names = encoded[0][0]
    x = {name: np.concatenate([part[name] for part, _ in encoded]) for name in names}
    return Split(x, np.concatenate([labels for _, labels in encoded]))


def split_in_order(
    log: TextLog, columns: Iterable[IdField], label: str, rows: int | None, train_rows: int | None, min_count: int
) -> tuple[tuple[Split, Split, Split], tuple[IdField, ...]]:
    """Train, validation and test rows of a log in the order of time, 8:1:1, and the id columns learnt from the train
    rows.

    Three passes over the file: to count its rows, to learn the ids, and to encode.

    Args:
        log: The log.
        columns, min_count: As in `learn_ids`.
        label: Name of the column of labels, 0 or 1.
        rows: Read the first rows only; `None` is all.
        train_rows: Take the latest of the train rows; `None` is all.

    Raises:
        ValueError: A bad row, or fewer rows than asked for.
    """
    stored = count_rows(window(iter_chunks(log), 0, rows or 2**62))
    if stored < 10 or rows not in (None, stored):
        raise ValueError(
            f"{log.path}: expected `rows` from 10 to {stored}, received {rows}; leave it out for all rows of the file"
        )
    tenth = stored // 10
    begin, end = 0, stored - 2 * tenth
    if train_rows is not None:
        check_train_rows(train_rows, end)
        begin = end - train_rows
    fields = learn_ids(window(iter_chunks(log), begin, end), columns, min_count)
    log_rows = encode_chunks(window(iter_chunks(log), begin, stored), Encoder(fields), label)
    cut = end - begin
    parts = slice(cut), slice(cut, cut + tenth), slice(cut + tenth, None)
    train, validation, test = (log_rows.rows(part) for part in parts)
    return (train, validation, test), fields
