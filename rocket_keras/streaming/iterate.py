"""All rows of a log once, in their order: to evaluate on them, or to look at them."""

from collections.abc import Iterator, Sequence

from rocket_keras.encoding import Encoder
from rocket_keras.streaming.bad_rows import Report, Tolerance, Watch
from rocket_keras.streaming.batch import Batch
from rocket_keras.streaming.encode import Wanted
from rocket_keras.streaming.in_order import read_in_order
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.pieces import find_pieces
from rocket_keras.streaming.prefetch import Prefetch
from rocket_keras.streaming.progress import Meter, Tell


def iter_batches(
    log: Log,
    encoder: Encoder,
    label: str,
    batch_size: int,
    extra: Sequence[str] = (),
    weight: str | None = None,
    privileged: bool = True,
    columns: Sequence[str] | None = None,
    tolerance: Tolerance | None = None,
    report: Report | None = None,
    progress: Tell | None = None,
    prefetch: int = 4,
) -> Iterator[Batch]:
    """Give every good row once, in the order of files and lines, with the memory of some batches.

    Args:
        log, encoder, label, weight, privileged, columns, tolerance: As in `Stream`.
        batch_size: Rows a batch; the last one has what is left.
        extra: Further raw columns, such as the user's id that a GAUC groups by.
        report: Counts are added to it; None: they are not kept.
        progress: Takes a `Progress` twice a second.
        prefetch: Batches that are made ahead.

    Raises:
        LogError: A file cannot be read, or too many rows do not parse. One line.
    """
    if batch_size < 1 or prefetch < 1:
        raise ValueError(f"expected `batch_size` and `prefetch` of at least 1, received {batch_size} and {prefetch}")
    named = None if columns is None else tuple(columns)
    wanted = Wanted(encoder, label, weight, tuple(extra), privileged, named, log.missing)
    made = _batches(log, wanted, batch_size, tolerance or Tolerance(), report or Report(), progress)
    ahead = Prefetch(made, prefetch)
    try:
        yield from ahead
    finally:
        ahead.close()


def _batches(
    log: Log, wanted: Wanted, batch_size: int, tolerance: Tolerance, report: Report, progress: Tell | None
) -> Iterator[Batch]:
    pieces, empty = find_pieces(log, wanted.raw_columns, count=False, expected=wanted.expected)
    report.note_empty(empty)
    watch, meter = Watch(tolerance, report), Meter(progress, log.bytes)
    yield from read_in_order(log, pieces, wanted, batch_size, watch, meter)
