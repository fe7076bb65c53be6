"""Vocabularies, means and deviations of a log, learnt in one pass."""

import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, IdField, IdsField, NumberField
from rocket_keras.encoding.transforms import NUMBERS, TEXTS
from rocket_keras.streaming.bad_rows import SAMPLES_A_BLOCK, LogError, Report, Tolerance, Watch
from rocket_keras.streaming.block import Block
from rocket_keras.streaming.columns import Lists, Parsed, floats_of
from rocket_keras.streaming.counts import Counts
from rocket_keras.streaming.encode import BlockEncoder, Faults, Wanted
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.pieces import find_pieces
from rocket_keras.streaming.prefetch import Prefetch
from rocket_keras.streaming.progress import Meter, Tell
from rocket_keras.streaming.read import blocks

DIGITS = 12
"""Of a mean or a deviation: those behind depend on the order of the sum."""


def learn_encoder(
    log: Log,
    fields: Sequence[Field],
    min_count: int | Mapping[str, int] = 1,
    label: str | None = None,
    numbers: bool = True,
    tolerance: Tolerance | None = None,
    report: Report | None = None,
    progress: Tell | None = None,
    max_entries: int = 2_000_000,
    spill_folder: str | os.PathLike | None = None,
) -> Encoder:
    """Learn what the fields need from all rows of a log, in one pass.

    A value of an `IdField` or `IdsField` gets an id of its own if it stands in enough rows (of an `IdsField` among the
    first `length` values, the ones that encoding keeps): behind the values that the field has already, which keep their
    ids, in the order of the texts. A `NumberField` gets mean and standard
    deviation of its transformed numbers. Other fields stay as they are. The result does not depend on the order of the
    files. Memory holds the counts of `max_entries` values; more are written to disk, sorted, and merged at the end, so
    that it grows with the vocabularies that come out, not with the values in the log.

    Args:
        log: What `read_log` found.
        fields: With the values they have so far, `()` for none, and any mean and deviation, such as 0 and 1.
        min_count: Rows that a value stands in, to have an id; or these by the field's name, 1 for others.
        label: Raw column of the labels: rows without one are bad, as in `Stream`. None: labels are not looked at.
        numbers: Whether to learn mean and deviation; otherwise they stay as given.
        tolerance: How many rows need not parse.
        report: Counts are added to it.
        progress: Takes a `Progress` twice a second.
        max_entries: Values whose counts are in memory, about 200 bytes each.
        spill_folder: Where more are written meanwhile; None: the folder for temporary files.

    Raises:
        LogError: A file cannot be read, too many rows do not parse, or there are none. One line.
    """
    encoder = Encoder(tuple(fields))
    wanted = Wanted(encoder, label, missing=log.missing)
    pieces, empty = find_pieces(log, wanted.raw_columns, count=False, expected=wanted.expected)
    report = report or Report()
    report.note_empty(empty)
    watch, meter = Watch(tolerance or Tolerance(), report), Meter(progress, log.bytes)
    with tempfile.TemporaryDirectory(dir=spill_folder, prefix="rocket_keras_") as folder:
        learner = _Learner(encoder, Path(folder), max_entries, numbers)
        rows = BlockEncoder(wanted)
        ahead = Prefetch(_blocks(log, pieces, wanted.raw_columns), 2)
        try:
            for block in ahead:
                faults, parsed = Faults(block), Parsed()
                rows.columns(block, parsed, faults)
                rows.label(block, faults)
                keep = faults.good_rows()
                good = block.rows - len(faults.by_row)
                watch.note(good, *faults.told(SAMPLES_A_BLOCK if watch.samples_left else 1))
                learner.add(block, parsed, keep)
                meter.add(block.rows, block.bytes)
        finally:
            ahead.close()
        watch.check()
        if not watch.rows:
            raise LogError(
                f"{log.files[0].path} and {len(log.files) - 1} more files: expected rows that parse, received none; "
                "give the log's format and columns"
            )
        meter.end()
        return learner.encoder(min_count)


def _blocks(log: Log, pieces: Sequence, columns: Sequence[str]) -> Iterator[Block]:
    for piece in pieces:
        yield from blocks(log, piece, columns)


class _Learner:
    def __init__(self, encoder: Encoder, folder: Path, max_entries: int, numbers: bool):
        self._given, self._most = encoder, max_entries
        self._counts = {f.name: Counts(folder) for f in encoder.fields if isinstance(f, IdField | IdsField)}
        self._moments = {f.name: _Moments() for f in encoder.fields if isinstance(f, NumberField) and numbers}
        self._derived: dict[str, dict[str, str]] = {}

    def add(self, block: Block, parsed: Parsed, keep: np.ndarray | None) -> None:
        """Count the rows of a block that are kept."""
        for field in self._given.fields:
            if isinstance(field, IdField):
                found = parsed.codes[field.column]
                self._count(field, found.texts, found.of_rows if keep is None else found.of_rows[keep])
            elif isinstance(field, IdsField):
                self._count_lists(field, parsed.lists[field.column, field.separator], keep)
            elif field.name in self._moments and isinstance(field, NumberField):
                values = floats_of(block.columns[field.column])
                self._moments[field.name].add(NUMBERS[field.transform](values if keep is None else values[keep]))
        if sum(map(len, self._counts.values())) > self._most:
            for counts in self._counts.values():
                counts.spill()

    def encoder(self, min_count: int | Mapping[str, int]) -> Encoder:
        """The fields with what they have learnt."""
        made: list[Field] = []
        for field in self._given.fields:
            if isinstance(field, IdField | IdsField):
                least = min_count if isinstance(min_count, int) else min_count.get(field.name, 1)
                known = set(field.values)
                new = [text for text in self._counts[field.name].frequent(least) if text not in known]
                made.append(dataclasses.replace(field, values=(*field.values, *new)))
            elif field.name in self._moments and isinstance(field, NumberField):
                mean, std = self._moments[field.name].mean_and_std()
                made.append(dataclasses.replace(field, mean=mean, std=std))
            else:
                made.append(field)
        return Encoder(tuple(made))

    def _count(self, field: IdField | IdsField, texts: Sequence[str | None], of_rows: np.ndarray) -> None:
        rows = np.bincount(of_rows, minlength=len(texts))
        seen = np.flatnonzero(rows)
        # Rows whose value is no text are bad, and were left out.
        found = [text for place in seen.tolist() if (text := texts[place]) is not None]
        if isinstance(field, IdField) and field.derive is not None:
            function, known = TEXTS[field.derive], self._derived.setdefault(field.name, {})
            for text in found:
                if text not in known:
                    known[text] = function(text)
            found = [known[text] for text in found]
        self._counts[field.name].add(found, rows[seen].tolist())

    def _count_lists(self, field: IdsField, rows: Lists, keep: np.ndarray | None) -> None:
        """Count the values that encoding keeps, each once per row: the others are never looked up."""
        filled, values = rows.kept(field.length, last=False)
        codes = np.full(filled.shape, -1, np.int32)
        codes[filled] = rows.codes.of_rows[values]
        codes = codes if keep is None else codes[keep]
        codes.sort(axis=1)
        again = np.zeros(codes.shape, bool)
        again[:, 1:] = codes[:, 1:] == codes[:, :-1]
        self._count(field, rows.codes.texts, codes[(codes >= 0) & ~again])


class _Moments:
    """Mean and deviation of parts of a whole, by the formula of Chan, Golub and LeVeque (1979)."""

    def __init__(self) -> None:
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        if not len(values):
            return
        mean, count = float(values.mean()), len(values)
        apart, whole = mean - self._mean, self._count + count
        self._squares += float(np.square(values - mean).sum()) + apart * apart * self._count * count / whole
        self._mean += apart * count / whole
        self._count = whole

    def mean_and_std(self) -> tuple[float, float]:
        """Rounded; a deviation of 0 becomes 1."""
        std = (self._squares / self._count) ** 0.5
        return float(f"{self._mean:.{DIGITS}g}"), float(f"{std:.{DIGITS}g}") or 1.0
