"""All rows of a stream's log once, in their order, as Keras takes them to evaluate and to predict."""

import threading
from collections.abc import Iterator

import keras
import numpy as np

from rocket_keras.streaming.bad_rows import Report, Watch
from rocket_keras.streaming.batch import Batch, joined
from rocket_keras.streaming.encode import BlockEncoder, Wanted
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.order import Plan
from rocket_keras.streaming.piece import Piece
from rocket_keras.streaming.prefetch import Prefetch
from rocket_keras.streaming.progress import Meter
from rocket_keras.streaming.read import encoded

READERS = 3
"""Passes under way at once: Keras looks at the first batches, and may read ahead in a thread of its own."""


class InOrder(keras.utils.PyDataset):
    """Every good row of a worker once, in the order of files and lines, on every pass.

    All batches are full but the last one. How many there are, Keras asks before the first: rows that do not parse are
    only known when they were read, so the first evaluation reads the log twice.

    Args:
        plan: Of the stream: its log, pieces, columns, rows per batch and tolerance.
        ahead: Batches that are made ahead.

    Raises:
        LogError: A file cannot be read, too many rows do not parse, or there are none. One line.
    """

    ordered = True
    """Tells `fit` that the batches come in an order of their own."""

    def __init__(self, plan: Plan, ahead: int):
        super().__init__()
        self.plan, self.batch_size, self._ahead = plan, plan.batch_size, ahead
        self._count: int | None = None
        self._lock = threading.RLock()
        self._readers: list[tuple[int, Prefetch[Batch]]] = []

    @property
    def row_count(self) -> int:
        """Good rows, counted once, by reading them."""
        with self._lock:
            if self._count is None:
                self._count = sum(map(len, one_pass(self.plan)))
            return self._count

    @property
    def num_batches(self) -> int:
        """Batches of a pass."""
        return -(-self.row_count // self.batch_size)

    def __len__(self) -> int:
        return self.num_batches

    def targets(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the labels of all rows, `(rows,)`, and the extra columns by name."""
        parts = [Batch({}, batch.y, None, batch.extra) for batch in one_pass(self.plan)]
        rows = joined(parts)
        with self._lock:
            self._count = len(rows)
        return rows.y, rows.extra

    def __getitem__(self, index: int) -> tuple:
        """Return batch `index` as `(x, y)` or `(x, y, weight)`; in their order they take least time."""
        with self._lock:
            if not 0 <= index < self.num_batches:
                raise IndexError(
                    f"expected a batch from 0 to {self.num_batches - 1}, received {index}; ask for another"
                )
            reader = self._reader_at(index)
            batch = next(reader)
            if index + 1 < self.num_batches:
                self._readers.append((index + 1, reader))
            else:
                reader.close()
        return (batch.x, batch.y) if batch.weight is None else (batch.x, batch.y, batch.weight)

    def on_epoch_end(self) -> None:
        """End the background threads."""
        self.close()

    def close(self) -> None:
        """End the background threads; a batch that is asked for begins another."""
        with self._lock:
            while self._readers:
                self._readers.pop()[1].close()

    def _reader_at(self, index: int) -> Prefetch[Batch]:
        """Take out the reader whose next batch it is, or begin one."""
        for place, (at, reader) in enumerate(self._readers):
            if at == index:
                del self._readers[place]
                return reader
        while len(self._readers) >= READERS:
            self._readers.pop(0)[1].close()
        reader = Prefetch(one_pass(self.plan), self._ahead)
        for _ in range(index):
            next(reader)
        return reader


def one_pass(plan: Plan) -> Iterator[Batch]:
    """All batches of a worker once."""
    watch = Watch(plan.tolerance, Report())
    yield from read_in_order(plan.log, plan.pieces, plan.wanted, plan.batch_size, watch, Meter(None, 0))
    if not watch.rows:
        raise plan.no_rows()


def read_in_order(
    log: Log, pieces: tuple[Piece, ...] | list[Piece], wanted: Wanted, batch_size: int, watch: Watch, meter: Meter
) -> Iterator[Batch]:
    """The good rows of pieces in their order, in batches of one size, the last with what is left; all are counted.

    Raises:
        LogError: A file cannot be read, or too many rows do not parse.
    """
    encoder = BlockEncoder(wanted)
    parts: list[Batch] = []
    for piece in pieces:
        for part in encoded(log, piece, encoder, watch):
            meter.add(len(part.rows), part.bytes)
            parts.append(part.rows)
            if sum(map(len, parts)) >= batch_size:
                rows = joined(parts)
                full = len(rows) - len(rows) % batch_size
                for begin in range(0, full, batch_size):
                    yield rows.rows(slice(begin, begin + batch_size))
                parts = [rows.rows(slice(full, None))]
    watch.check()
    meter.end()
    if parts and sum(map(len, parts)):
        yield joined(parts)
