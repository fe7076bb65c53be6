"""Training batches from a log that need not fit into memory."""

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from rocket_keras.encoding import Encoder
from rocket_keras.streaming.bad_rows import Report, Tolerance
from rocket_keras.streaming.encode import Wanted
from rocket_keras.streaming.in_order import InOrder
from rocket_keras.streaming.items import Item, items
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.order import Cursor, Plan
from rocket_keras.streaming.pieces import find_pieces, share_out
from rocket_keras.streaming.prefetch import Prefetch

FORMAT = "rocket-keras stream 1"
PLAIN_WINDOW = 16_384
"""Rows a window where none are shuffled."""
REMEMBERED = 1024
"""Windows whose begin is known, for states of batches that were given before."""


class Stream(keras.utils.PyDataset):
    """Batches of one size for `fit`, epoch after epoch, read and encoded in a background thread.

    A stream is an endless sequence of batches; an epoch of `fit` takes the next `num_batches` of them, and reads each
    row at most once. Its order depends on seed, epoch and files alone: first the pieces of the log are shuffled (row
    groups of Parquet, stretches of text, compressed files), then the rows of `shuffle_rows` at a time. Up to
    `batch_size - 1` rows are left over at an epoch's end, others in each epoch. Where rows that do not parse leave too
    few, the epoch's first rows come again (`report.repeated`). That is training; `in_order` is for evaluation.

    Args:
        log: What `read_log` found.
        encoder: Makes `x` of the raw columns.
        label: Raw column of the labels, numbers from 0 to 1.
        batch_size: Rows a batch.
        shuffle_rows: Rows that are shuffled among each other, about: they are in memory, encoded; 0 for no shuffling.
        seed: Of the orders.
        shard: `(i, n)`: this is worker i, from 0, of n, which together read each row once.
        batches: Batches an epoch; None: as many as the rows of the smallest shard make. Rows are counted at
            construction: in the footers of Parquet, or by a pass over the bytes of text.
        weight: Raw column of the sample weights.
        privileged: Whether to make the privileged columns, too.
        columns: Names of the columns of `x` that the net takes; None for all.
        prefetch: Batches that are made ahead.
        tolerance: How many rows need not parse.

    Attributes:
        report: Of the epoch whose batch was given last.

    Raises:
        LogError: A file cannot be read, or lacks a column; while training, too many rows that do not parse. One line.
        ValueError: An argument out of its range, or fewer rows than a batch. One line.

    Example:
        stream = Stream(read_log("log/*.parquet"), encoder, label="click", batch_size=2048)
        rocket.fit(stream, epochs=3)
    """

    ordered = True
    """Tells `fit` that the batches come in an order of their own."""

    def __init__(
        self,
        log: Log,
        encoder: Encoder,
        label: str,
        batch_size: int,
        shuffle_rows: int = 131_072,
        seed: int = 0,
        shard: tuple[int, int] = (0, 1),
        batches: int | None = None,
        weight: str | None = None,
        privileged: bool = True,
        columns: Sequence[str] | None = None,
        prefetch: int = 8,
        tolerance: Tolerance | None = None,
    ):
        super().__init__()
        _check(batch_size=batch_size, prefetch=prefetch, batches=1 if batches is None else batches)
        if shuffle_rows < 0 or not 0 <= shard[0] < shard[1]:
            raise ValueError(
                f"expected `shuffle_rows` of at least 0 and `shard` (i, n) with i from 0 to n - 1, received "
                f"{shuffle_rows} and {shard}; mend them"
            )
        named = None if columns is None else tuple(columns)
        wanted = Wanted(encoder, label, weight, (), privileged, named, log.missing)
        pieces, empty = find_pieces(log, wanted.raw_columns, batches is None, wanted.expected)
        shares = share_out(pieces, shard[1])
        if batches is None:
            rows = min(sum(piece.own_rows or 0 for piece in share) for share in shares)
            batches = rows // batch_size
            if not batches:
                raise ValueError(
                    f"expected at least {batch_size} rows a worker, received {rows} in {log.files[0].path} and "
                    f"{len(log.files) - 1} more files; take smaller batches"
                )
        window = max(1, round((shuffle_rows or PLAIN_WINDOW) / batch_size))
        own = tuple(shares[shard[0]])
        self.plan = Plan(
            log,
            own,
            wanted,
            batch_size,
            batches,
            window,
            shuffle_rows > 0,
            seed,
            tolerance or Tolerance(),
            tuple(empty) if shard[0] == 0 else (),
        )
        self.report, self._ahead, self.shard = Report(), prefetch, tuple(shard)
        self._lock = threading.RLock()
        self._items: Prefetch[Item] | None = None
        self._cursors: OrderedDict[tuple[int, int], Cursor] = OrderedDict()
        self._base = self._given = self._made = 0
        self._within = self._whole = False
        self._views: dict[tuple[str, ...], InOrder] = {}

    def in_order(self, extra: Sequence[str] = ()) -> InOrder:
        """Return this worker's rows, each once, in the order of the log, the last batch with what is left.

        `evaluate`, `predict` and `validation_data` of a `Rocket`, `Fleet` or `SparseNet` take it of a stream by
        themselves; a plain `keras.Model` is given it: `light.evaluate(stream.in_order())`. The stream itself does not
        move on.

        Args:
            extra: Further raw columns, such as the user's id that a GAUC groups by.

        Raises:
            LogError: The log lacks one of these columns. One line.
        """
        key = tuple(extra)
        if key not in self._views:
            plan = self.plan
            if key:
                find_pieces(plan.log, key, count=False)
                plan = dataclasses.replace(plan, wanted=dataclasses.replace(plan.wanted, extra=key))
            self._views[key] = InOrder(plan, self._ahead)
        return self._views[key]

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return self.plan.batches

    def __len__(self) -> int:
        return self.plan.batches

    @property
    def position(self) -> int:
        """Batches from the beginning of epoch 0 to where the next epoch of `fit` begins."""
        return self._base + (self.num_batches if self._whole else 0)

    def __getitem__(self, index: int) -> tuple:
        """Return batch `index` of this pass of `fit` as `(x, y)` or `(x, y, weight)`.

        Raises:
            ValueError: Batches are asked for in another order than theirs.
        """
        with self._lock:
            if index == 0:
                self._base, self._given, self._whole = self.position, 0, False
            elif index != self._given or index >= self.num_batches:
                raise ValueError(
                    f"expected batch {self._given} to be asked for next, received {index}; a stream has its own order, "
                    "so call fit with shuffle=False"
                )
            item = self._next(self._base + index)
            self._given = index + 1
            self.report = item.report
        batch = item.batch
        return (batch.x, batch.y) if batch.weight is None else (batch.x, batch.y, batch.weight)

    def __iter__(self) -> Iterator[tuple]:
        """The batches of the next epoch."""
        self.on_epoch_begin()
        for index in range(self.num_batches):
            yield self[index]
        self.on_epoch_end()

    def on_epoch_begin(self) -> None:
        """Note that what is asked for from now on is trained on; Keras has a look at first batches before."""
        self._within = True

    def on_epoch_end(self) -> None:
        """Move on to the next epoch, if all of this one was given."""
        if self._within and self._given == self.num_batches:
            self._whole = True
        self._within = False

    def state(self, position: int | None = None) -> dict[str, Any]:
        """Return where the stream is, as plain values for JSON; `restore` goes on there with the same batches.

        Args:
            position: Batches from the beginning of epoch 0; None: behind the batches that were asked for.
        """
        with self._lock:
            if position is None:
                position = self._base + (self._given if self._within or self._whole else 0)
            epoch, batch = divmod(position, self.num_batches)
            number = batch // self.plan.window
            # Of a window that was not begun, all is known from the beginning of its epoch, only later.
            cursor = self._cursors.get((epoch, number), Cursor() if number == 0 else None)
        told = None if cursor is None else dataclasses.asdict(cursor)
        return {"format": FORMAT, "epoch": epoch, "batch": batch, "cursor": told, "settings": self._settings()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where a stream of the same settings was.

        Raises:
            ValueError: Another format, or a setting that differs; it is named.
        """
        if state.get("format") != FORMAT:
            raise ValueError(f"expected a state of format {FORMAT!r}, received {str(state)[:80]}; take Stream.state()")
        mine, theirs = self._settings(), state["settings"]
        for name in mine:
            if mine[name] != theirs.get(name):
                raise ValueError(
                    f"expected a stream with {name} {theirs.get(name)!r}, as the state has, received {mine[name]!r}; "
                    "make the stream as it was, or begin anew"
                )
        with self._lock:
            self._end()
            self._base = state["epoch"] * self.num_batches + state["batch"]
            self._given, self._whole, self._within = 0, False, False
            if state["cursor"] is not None:
                self._remember((state["epoch"], state["batch"] // self.plan.window), Cursor(**state["cursor"]))

    def close(self) -> None:
        """End the background threads; the next batch that is asked for begins another."""
        with self._lock:
            self._end()
            for view in self._views.values():
                view.close()

    def _end(self) -> None:
        if self._items is not None:
            self._items.close()
            self._items = None

    def _next(self, position: int) -> Item:
        if self._items is None or self._made != position:
            self._end()
            first = self._cursors.get(self._window_of(position))
            self._items = Prefetch(items(self.plan, position, first), self._ahead)
        item = next(self._items)
        self._made = position + 1
        epoch, number = item.window
        self._remember((epoch, number), item.cursor)
        self._remember((epoch, number + 1), item.after)
        return item

    def _window_of(self, position: int) -> tuple[int, int]:
        epoch, batch = divmod(position, self.num_batches)
        return epoch, batch // self.plan.window

    def _remember(self, window: tuple[int, int], cursor: Cursor) -> None:
        self._cursors[window] = cursor
        if len(self._cursors) > REMEMBERED:
            self._cursors.popitem(last=False)

    def _settings(self) -> dict[str, Any]:
        plan = self.plan
        files = "".join(f"{file.path} {file.size}\n" for file in plan.log.files)
        return {
            "files": len(plan.log.files),
            "held out": plan.log.held_out and list(plan.log.held_out),
            "paths and sizes": hashlib.sha256(files.encode()).hexdigest()[:16],
            "columns": hashlib.sha256(
                repr((plan.wanted.raw_columns, plan.wanted.encoder.to_json())).encode()
            ).hexdigest()[:16],
            "batch_size": plan.batch_size,
            "batches": plan.batches,
            "window": plan.window,
            "shuffled": plan.shuffled,
            "seed": plan.seed,
            "shard": list(self.shard),
        }


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"expected `{name}` of at least 1, received {value}; give a larger one")
