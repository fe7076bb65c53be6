"""Candidates that were read before: requests come with the same items again and again.

To look a candidate up takes a tenth of the time that its reading takes.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from rocket_keras.serving.readers import LONGEST, REMEMBERED, Reader

Key = tuple[Any, ...]
Rows = dict[str, np.ndarray]


@dataclass
class _Known:
    """What is remembered; one that is full is replaced, so that another thread ends with the one that it began with.

    Attributes:
        places: Row of each key.
        rows: Inputs by name. They may be longer than there are keys.
        unseen: How many values of each row have no id of their own, `(rows, columns)`.
        any_unseen: Whether there are such values.
        truth: Whether there are numbers that a dict takes True or False for.
    """

    places: dict[Key, int] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)
    unseen: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    any_unseen: bool = False
    truth: bool = False


class Memory:
    """Inputs of candidates by their raw values.

    Args:
        names: The raw columns, in the order of a key.
        readers: The readers of these columns, by input.
    """

    def __init__(self, names: tuple[str, ...], readers: Mapping[str, Reader]) -> None:
        self.names, self._readers = names, readers
        self._known, self._lock = _Known(), threading.Lock()
        get = itemgetter(*names)
        self._key = get if len(names) > 1 else lambda candidate: (get(candidate),)

    def find(self, candidates: Any) -> tuple[Rows, Counter[str]] | None:
        """Return what `read` would, where all candidates are remembered; None where not, or they may be none.

        Args:
            candidates: A list of mappings, or a mapping of lists.
        """
        known = self._known
        if known.truth:
            return None
        try:
            # A key is made, looked up and forgotten: a list of them would not stay in the processor's cache.
            keys: Iterator[Key]
            if isinstance(candidates, list):
                keys = map(self._key, candidates)
            elif isinstance(candidates, Mapping):
                keys = zip(*map(candidates.__getitem__, self.names), strict=True)
            else:
                return None
            places = np.fromiter(map(known.places.get, keys), np.intp)
        except (KeyError, TypeError, IndexError):  # one that is new, has a list, lacks a column, or is no mapping
            return None
        return self._at(known, places)

    def read(self, keys: Sequence[Key]) -> tuple[Rows, Counter[str]]:
        """Return the inputs, and how many values have no id of their own by raw column.

        Args:
            keys: The values of each candidate, in the order of `names`.

        Raises:
            ValueError: A value cannot be read. One line: column, row (from 0).
        """
        known, bools = self._known, _has_bools(keys)
        if not bools:
            try:
                return self._at(known, np.fromiter(map(known.places.get, keys), np.intp, len(keys)))
            except TypeError:  # a candidate that is new, or has a list
                pass
        found, unseen = self.inputs(keys)
        if not bools:
            with self._lock:
                self._remember(keys, found)
        return found, self._counter(unseen.sum(axis=0))

    def inputs(self, keys: Sequence[Key]) -> tuple[Rows, np.ndarray]:
        """Return the inputs without remembering, and how many values of each row have no id, `(rows, columns)`.

        Args and raises: As `read`.
        """
        columns = dict(zip(self.names, zip(*keys, strict=True), strict=True))
        found = {name: reader.read(columns[reader.column]) for name, reader in self._readers.items()}
        return found, self._unseen(found)

    def _at(self, known: _Known, places: np.ndarray) -> tuple[Rows, Counter[str]]:
        counts = known.unseen[places].sum(axis=0) if known.any_unseen else ()
        return {name: rows[places] for name, rows in known.rows.items()}, self._counter(counts)

    def _remember(self, keys: Sequence[Key], found: Rows) -> None:
        known = self._known
        try:
            new = {key: row for row, key in enumerate(keys) if key not in known.places and _length(key) <= LONGEST}
        except TypeError:  # a list
            return
        if not new:  # they are too long
            return
        begin = len(known.places)
        if begin + len(new) > REMEMBERED:
            known, begin = _Known(), 0
        picked, end = list(new.values()), begin + len(new)
        mine = {name: column[picked] for name, column in found.items()}
        unseen = self._unseen(mine)
        known.rows = {name: _put(known.rows.get(name), begin, column) for name, column in mine.items()}
        known.unseen = _put(known.unseen if begin else None, begin, unseen)
        known.any_unseen = known.any_unseen or bool(unseen.any())
        known.truth = known.truth or any(value in (0, 1) for value in chain.from_iterable(new))
        # Rows before places: a thread that finds a place finds its row.
        known.places.update(zip(new, range(begin, end), strict=True))
        self._known = known

    def _unseen(self, found: Rows) -> np.ndarray:
        """Return how many values of each row have no id of their own, `(rows, columns)`."""
        by_column = {name: np.zeros(len(next(iter(found.values()))), np.int64) for name in self.names}
        for name, reader in self._readers.items():
            by_column[reader.column] = np.maximum(by_column[reader.column], reader.unseen(found[name]))
        return np.stack(list(by_column.values()), axis=1)

    def _counter(self, counts: Sequence[int] | np.ndarray) -> Counter[str]:
        return Counter({name: int(count) for name, count in zip(self.names, counts, strict=False) if count})


def _has_bools(keys: Sequence[Key]) -> bool:
    return not {bool, np.bool_}.isdisjoint(map(type, chain.from_iterable(keys)))


def _length(key: Key) -> int:
    return sum(len(value) for value in key if isinstance(value, str))


def _put(rows: np.ndarray | None, begin: int, new: np.ndarray) -> np.ndarray:
    """Return the rows with new ones from `begin` on; twice as many rows when they are too few."""
    end = begin + len(new)
    if rows is None or len(rows) < end:
        grown = np.zeros((max(1024, 2 * end), *new.shape[1:]), new.dtype)
        if rows is not None:
            grown[:begin] = rows[:begin]
        rows = grown
    rows[begin:end] = new
    return rows
