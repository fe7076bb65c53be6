"""An epoch's rows in their order, in windows: it depends on seed, epoch and files alone, and can begin anywhere."""

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from rocket_keras.streaming.bad_rows import LogError, Report, Tolerance, Watch
from rocket_keras.streaming.batch import Batch, joined
from rocket_keras.streaming.encode import BlockEncoder, Wanted
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.piece import Piece
from rocket_keras.streaming.read import encoded

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cursor:
    """Where a window begins.

    Attributes:
        lap: How many times the epoch's pieces were read before; above 0 where bad rows left too few.
        piece, block, row: Place in the epoch's order of pieces, block of that piece, good row of that block.
        rows, bad: Good and bad rows of the pass before that block.
    """

    lap: int = 0
    piece: int = 0
    block: int = 0
    row: int = 0
    rows: int = 0
    bad: int = 0


@dataclass(frozen=True)
class Plan:
    """What a stream gives.

    Attributes:
        log: The log.
        pieces: This worker's.
        wanted: What is made of the raw columns.
        batch_size: Rows a batch.
        batches: Batches an epoch.
        window: Batches a window, whose rows are shuffled among each other.
        shuffled: Whether pieces and rows are shuffled at all.
        seed: Of the orders.
        tolerance: Rows that need not parse.
        empty: Paths of files without rows.
    """

    log: Log
    pieces: tuple[Piece, ...]
    wanted: Wanted
    batch_size: int
    batches: int
    window: int
    shuffled: bool
    seed: int
    tolerance: Tolerance
    empty: tuple[str, ...] = ()

    def no_rows(self) -> LogError:
        """The error for a pass without a good row."""
        return LogError(
            f"{self.log.files[0].path} and {len(self.log.files) - 1} more files: expected rows that parse, received "
            "none; look at the report, or give the log's format and columns"
        )


@dataclass
class Window:
    """Rows of some batches, in their order.

    Attributes:
        number: Its place in the epoch.
        cursor, after: Where it begins, and where the next one does.
        rows: They.
        report: Of the epoch so far.
    """

    number: int
    cursor: Cursor
    after: Cursor
    rows: Batch
    report: Report = field(repr=False)


def windows(plan: Plan, epoch: int, number: int = 0, cursor: Cursor | None = None) -> Iterator[Window]:
    """The windows of an epoch from one on.

    Args:
        plan: What is read.
        epoch: From 0.
        number: The first window.
        cursor: Where it begins; None: those before are read, too, to find it.

    Raises:
        LogError: A file cannot be read, too many rows do not parse, or there are none.
    """
    first = number if cursor is not None else 0
    report = Report()
    report.note_empty(plan.empty)
    source = _Source(plan, epoch, cursor or Cursor(), report)
    for place in range(first, -(-plan.batches // plan.window)):
        begins = source.cursor
        batches = min(plan.window, plan.batches - place * plan.window)
        rows = source.take(batches * plan.batch_size)
        if place >= number:
            if plan.shuffled:
                rows = rows.rows(np.random.default_rng([plan.seed, epoch, 1, place]).permutation(len(rows)))
            yield Window(place, begins, source.cursor, rows, report)
    source.watch.check()
    if report.bad or report.empty:
        LOGGER.warning("epoch %d: %s", epoch, report)


class _Source:
    """An epoch's rows one after the other, over and over."""

    def __init__(self, plan: Plan, epoch: int, cursor: Cursor, report: Report):
        self.plan, self.cursor, self.report = plan, cursor, report
        report.rows, report.bad = cursor.rows, cursor.bad
        self.watch = Watch(plan.tolerance, report)
        self.watch.rows, self.watch.bad = cursor.rows, cursor.bad
        count = len(plan.pieces)
        # A generator of its own, so that no two draws of an epoch have one stream.
        self._order = np.random.default_rng([plan.seed, epoch, 0]).permutation(count) if plan.shuffled else range(count)
        self._encoder = BlockEncoder(plan.wanted)
        self._blocks = self._read(cursor)
        self._rest: Batch | None = None

    def take(self, count: int) -> Batch:
        """The next rows."""
        parts = []
        while count:
            if self._rest is None or self.cursor.row >= len(self._rest):
                self.cursor, self._rest = next(self._blocks)
            part = self._rest.rows(slice(self.cursor.row, self.cursor.row + count))
            self.cursor = dataclasses.replace(self.cursor, row=self.cursor.row + len(part))
            count -= len(part)
            if len(part):
                parts.append(part)
                self.report.repeated += len(part) if self.cursor.lap else 0
        return joined(parts)

    def _read(self, at: Cursor) -> Iterator[tuple[Cursor, Batch]]:
        """Blocks from the cursor's on, each with the cursor of the row to begin with."""
        lap, begin, skip = at.lap, at.piece, at.row
        block = at.block
        while True:
            found = 0
            # Rows that come again are not counted again.
            watch = self.watch if lap == 0 else Watch(self.plan.tolerance, Report())
            for place in range(begin, len(self.plan.pieces)):
                piece = self.plan.pieces[self._order[place]]
                before = watch.rows, watch.bad
                for part in encoded(self.plan.log, piece, self._encoder, watch, block):
                    found += len(part.rows)
                    yield Cursor(lap, place, part.number, skip, *before), part.rows
                    skip, before = 0, (watch.rows, watch.bad)
                block = skip = 0
            self.watch.check()
            if not found and begin == 0 and at.block == 0:
                raise self.plan.no_rows()
            lap, begin = lap + 1, 0
