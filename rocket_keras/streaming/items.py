"""A stream's batches, epoch after epoch."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from rocket_keras.streaming.bad_rows import Report
from rocket_keras.streaming.batch import Batch
from rocket_keras.streaming.order import Cursor, Plan, windows


@dataclass(frozen=True)
class Item:
    """A batch and its place.

    Attributes:
        position: Batches before it, from the beginning of epoch 0.
        window: Epoch, and window of the epoch, that it is of.
        cursor, after: Where that window begins, and where the next one does.
        batch: Its rows.
        report: Of the epoch so far.
    """

    position: int
    window: tuple[int, int]
    cursor: Cursor
    after: Cursor
    batch: Batch
    report: Report


def items(plan: Plan, position: int, cursor: Cursor | None) -> Iterator[Item]:
    """The batches from a position on, without end; `cursor` is where its window begins."""
    first, batch = divmod(position, plan.batches)
    for epoch in itertools.count(first):
        begin = batch if epoch == first else 0
        number = begin // plan.window
        for window in windows(plan, epoch, number, cursor if epoch == first else None):
            for place in range(-(-len(window.rows) // plan.batch_size)):
                at = window.number * plan.window + place
                if at >= begin:
                    rows = window.rows.rows(slice(place * plan.batch_size, (place + 1) * plan.batch_size))
                    here = epoch, window.number
                    yield Item(epoch * plan.batches + at, here, window.cursor, window.after, rows, window.report)
