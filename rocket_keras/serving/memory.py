"""Candidates that were read before: requests come with the same items again and again.

To look a candidate up takes a tenth of the time that its reading takes, and what the net computes of it alone is there.
"""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from rocket_keras.serving.ahead import Ahead
from rocket_keras.serving.json_request import read_candidate
from rocket_keras.serving.readers import LONGEST, REMEMBERED, Reader

REMEMBERED_BYTES = 64 * 1024 * 1024
"""Bytes of what is fed of them, likewise."""
Key = tuple[Any, ...]
Rows = dict[str, np.ndarray]


@dataclass
class _Known:
    """What is remembered; one that is full is replaced, so that another thread ends with the one that it began with.

    Attributes:
        places: Row of each key.
        rows: What is fed to the net, by name. There are more than keys.
        unseen: How many values of each row have no id of their own, `(rows, columns)`.
        any_unseen: Whether there are such values.
        truth: Whether there are numbers that a dict takes True or False for.
        texts: Row of a candidate's JSON text.
    """

    places: dict[Key, int] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)
    unseen: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    any_unseen: bool = False
    truth: bool = False
    texts: dict[bytes, int] = field(default_factory=dict)


class Memory:
    """What is fed to the net of candidates, by their raw values: its inputs, or what it computes of them alone.

    Args:
        names: The raw columns, in the order of a key.
        readers: The readers of these columns, by input.
        ahead: Computes what the net does of a candidate alone; None where the inputs are fed.
    """

    def __init__(self, names: tuple[str, ...], readers: Mapping[str, Reader], ahead: Ahead | None = None) -> None:
        self.names, self.ahead, self._readers = names, ahead, readers
        self._known, self._lock, self._most = _Known(), threading.Lock(), REMEMBERED
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
        # Again: another thread may have met a 1 meanwhile.
        return None if known.truth else self._at(known, places)

    def find_texts(self, texts: Sequence[bytes]) -> tuple[Rows, Counter[str]] | None:
        """Return what `read` would of candidates whose JSON texts are given without braces; new ones are read.

        None where they can only be read as a whole: a text is no object with these columns, or cannot be remembered.
        """
        known = self._known
        met = known.texts
        try:
            return self._at(known, np.fromiter(map(met.get, texts), np.intp, len(texts)))
        except TypeError:  # a new one
            new = list(dict.fromkeys(text for text in texts if text not in met))
        if len(new) > self._most or max(map(len, new)) > LONGEST:
            return None
        try:
            keys = self._keys_of(new)
            self.read(keys)
            found = dict(zip(new, map(known.places.__getitem__, _hashable(keys) or ()), strict=True))
        except (KeyError, TypeError, ValueError, OverflowError):
            # No such object, one that is too long, a value that cannot be read, or all were forgotten meanwhile.
            return None
        with self._lock:
            if len(known.texts) + len(new) > REMEMBERED:
                known.texts = {}
            known.texts |= found
        places = [found[text] if text in found else met[text] for text in texts]
        return self._at(known, np.array(places, np.intp))

    def _keys_of(self, texts: Sequence[bytes]) -> list[Key]:
        """Return the key of each text.

        Raises:
            ValueError, KeyError: One is no object with these columns.
        """
        candidates = list(map(read_candidate, texts))
        if {len(self.names)} != set(map(len, candidates)):
            raise ValueError("other columns")
        return [self._key(candidate) for candidate in candidates]

    def read(self, keys: Sequence[Key]) -> tuple[Rows, Counter[str]]:
        """Return what is fed, and how many values have no id of their own by raw column.

        Args:
            keys: The values of each candidate, in the order of `names`.

        Raises:
            ValueError: A value cannot be read. One line: column, row (from 0).
        """
        known, plain = self._known, _hashable(keys)
        if plain is not None:
            try:
                return self._at(known, np.fromiter(map(known.places.get, plain), np.intp, len(plain)))
            except TypeError:  # a candidate that is new, or has lists in a list
                pass
        found, unseen = self.fed(keys)
        if plain is not None:
            with self._lock:
                self._remember(plain, found, unseen)
        return found, self._counter(unseen.sum(axis=0))

    def fed(self, keys: Sequence[Key]) -> tuple[Rows, np.ndarray]:
        """Return what is fed without remembering, and how many values of each row have no id, `(rows, columns)`.

        Args and raises: As `read`.
        """
        columns = dict(zip(self.names, zip(*keys, strict=True), strict=True))
        inputs = {name: reader.read(columns[reader.column]) for name, reader in self._readers.items()}
        return self.ahead.candidates(inputs) if self.ahead else inputs, self._unseen(inputs)

    def _at(self, known: _Known, places: np.ndarray) -> tuple[Rows, Counter[str]]:
        counts = known.unseen[places].sum(axis=0) if known.any_unseen else ()
        return {name: rows[places] for name, rows in known.rows.items()}, self._counter(counts)

    def _remember(self, keys: Sequence[Key], found: Rows, unseen: np.ndarray) -> None:
        known = self._known
        try:
            new = {key: row for row, key in enumerate(keys) if key not in known.places}
        except TypeError:  # lists in a list
            return
        values = set(chain.from_iterable(new))
        lists = [value for value in values if isinstance(value, tuple)]
        values = values.union(*lists)
        if lists or len(self.names) * max(map(_characters, values), default=0) > LONGEST:
            new = {key: row for key, row in new.items() if sum(map(_characters, _flat(key))) <= LONGEST}
        most = self._most = min(REMEMBERED, REMEMBERED_BYTES // sum(rows[0].nbytes for rows in found.values()))
        if not 0 < len(new) <= most:
            return
        if len(known.places) + len(new) > most:
            known = _Known()
        if not known.rows:
            # The system gives memory to those rows alone that are written.
            known.rows = {name: np.empty((most, *rows.shape[1:]), rows.dtype) for name, rows in found.items()}
            known.unseen = np.empty((most, len(self.names)), unseen.dtype)
        picked, begin = list(new.values()), len(known.places)
        end = begin + len(new)
        for name, rows in found.items():
            known.rows[name][begin:end] = rows[picked]
        known.unseen[begin:end] = unseen[picked]
        known.any_unseen = known.any_unseen or bool(unseen.any())
        known.truth = known.truth or not values.isdisjoint((0, 1))
        # Rows before places: a thread that finds a place finds its row.
        known.places.update(zip(new, range(begin, end), strict=True))
        self._known = known

    def _unseen(self, inputs: Rows) -> np.ndarray:
        """Return how many values of each row have no id of their own, `(rows, columns)`."""
        by_column = {name: np.zeros(len(next(iter(inputs.values()))), np.int64) for name in self.names}
        for name, reader in self._readers.items():
            by_column[reader.column] = np.maximum(by_column[reader.column], reader.unseen(inputs[name]))
        return np.stack(list(by_column.values()), axis=1)

    def _counter(self, counts: Sequence[int] | np.ndarray) -> Counter[str]:
        return Counter({name: int(count) for name, count in zip(self.names, counts, strict=False) if count})


def _hashable(keys: Sequence[Key]) -> Sequence[Key] | None:
    """Return keys for a dict, lists as tuples; None where there is True or False, which a dict takes for 1 or 0."""
    kinds = set(map(type, chain.from_iterable(keys)))
    if not kinds.isdisjoint((list, tuple)):
        keys = [tuple(tuple(value) if isinstance(value, list) else value for value in key) for key in keys]
        kinds |= {type(value) for key in keys for value in _flat(key)}
    return None if kinds & {bool, np.bool_} else keys


def _flat(key: Key) -> Iterator[Any]:
    """Give a key's values, those in lists too."""
    return chain.from_iterable(value if isinstance(value, list | tuple) else (value,) for value in key)


def _characters(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(str(value))
