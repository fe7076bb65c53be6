"""How one column of a model's `x` is made of one raw column: the fields of `rocket_keras.encoding.Encoder`."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rocket_keras.encoding.raw_values import (
    IN_RANGE,
    LARGEST,
    RawColumn,
    derived,
    lists,
    numbers,
    refuse_first,
    texts,
)
from rocket_keras.encoding.transforms import NUMBERS, TEXTS, standardised

PAD = -1
"""Fills the places of a row that has fewer ids than its column is wide."""
SIDES = ("user", "item", "context")
"""What a column belongs to: the user, the item that is a candidate, or the impression."""


@dataclass(frozen=True)
class _Vocabulary:
    name: str
    column: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.values, tuple) or not all(isinstance(value, str) for value in self.values):
            raise ValueError(f"expected `values` of field {self.name!r} to be a tuple of texts; give ids to texts")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"expected each of `values` of field {self.name!r} once; an id belongs to one value")

    @property
    def size(self) -> int:
        """Number of ids."""
        return len(self.values) + 1

    @cached_property
    def id_of(self) -> dict[str, int]:
        """The id of each of `values`."""
        return {value: place for place, value in enumerate(self.values, start=1)}

    def ids_of(self, texts: Iterable[str]) -> list[int]:
        """The id of each text; 0 for one that is none of `values`."""
        known = self.id_of
        return [known.get(text, 0) for text in texts]


@dataclass(frozen=True)
class IdField(_Vocabulary):
    """A value's id: its place in `values`, from 1; 0 for every other value, the unseen and the rare.

    Args:
        name: The feature's name, and its column in `x`.
        column: The raw column's name.
        values: The texts that have an id. Raw whole numbers are read as texts.
        derive: Name in `rocket_keras.encoding.transforms.TEXTS` of the function from a raw text to the one that
            has an id.
        privileged: Known in training only.
        side: What the column belongs to: "user", "item" (a candidate), or "context" (the impression, or both).

    Raises:
        ValueError: A value is no text or stands twice, or no such function.
    """

    derive: str | None = None
    privileged: bool = False
    side: str = "context"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.derive is not None:
            _check_choice(self.name, "derive", self.derive, TEXTS)

    def encode(self, values: RawColumn) -> np.ndarray:
        """`(n,)` int32 ids."""
        known = derived(self.column, texts(self.column, values), self.derive)
        return np.array(self.ids_of(known), np.int32)


@dataclass(frozen=True)
class HashedIdField:
    """An id that is a hash of the text: no vocabulary is learnt or kept, and two texts may have one id.

    The id is BLAKE2b's digest of 8 bytes of the text in UTF-8, as a big-endian number, modulo `size`: the same in every
    process, on every machine, in training and in serving.

    Args:
        name, column, derive, privileged, side: As in `IdField`.
        size: Number of ids. Of n texts about n - size (1 - exp(-n / size)) share the id of another.

    Raises:
        ValueError: `size` is no whole number from 1 to 2**31 - 1, or no such function.

    References:
        Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009; RFC 7693 for the hash.
    """

    name: str
    column: str
    size: int
    derive: str | None = None
    privileged: bool = False
    side: str = "context"

    def __post_init__(self) -> None:
        _check_count(self.name, "size", self.size)
        if self.derive is not None:
            _check_choice(self.name, "derive", self.derive, TEXTS)

    def ids_of(self, texts: Iterable[str]) -> list[int]:
        """The id of each text."""
        size, digest = self.size, hashlib.blake2b
        # Half of a surrogate pair, which JSON can bring, has no UTF-8.
        return [
            int.from_bytes(digest(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % size
            for text in texts
        ]

    def encode(self, values: RawColumn) -> np.ndarray:
        """`(n,)` int32 ids."""
        return np.array(self.ids_of(derived(self.column, texts(self.column, values), self.derive)), np.int32)


@dataclass(frozen=True)
class KnownIdField:
    """An id that is the raw value itself, a whole number from 0 to `size - 1`; others are refused.

    Raises:
        ValueError: `size` is no whole number from 1 to 2**31 - 1: larger ids do not fit into int32.
    """

    name: str
    column: str
    size: int
    privileged: bool = False
    side: str = "context"

    def __post_init__(self) -> None:
        _check_count(self.name, "size", self.size)

    def encode(self, values: RawColumn) -> np.ndarray:
        """`(n,)` int32 ids."""
        expected = f"a whole number from 0 to {self.size - 1}"
        ids = numbers(self.column, values, expected)
        refuse_first((ids < 0) | (ids >= self.size) | (ids % 1 != 0), self.column, expected, values)
        return ids.astype(np.int32)


@dataclass(frozen=True)
class NumberField:
    """A number, transformed and standardised.

    A raw number lies between -1e18 and 1e18, and is finite in float32 when it is standardised; others are refused, as
    are NaN and infinity: a clipped value would be another row's. A text is a number where it is written in ASCII digits
    without underscores.

    Args:
        name, column, privileged, side: As in `IdField`.
        mean, std: Of the transformed numbers of the train rows.
        transform: Name in `rocket_keras.encoding.transforms.NUMBERS`.

    Raises:
        ValueError: No such transform, or `std` is not above 0.
    """

    name: str
    column: str
    mean: float
    std: float
    transform: str = "as_is"
    privileged: bool = False
    side: str = "context"

    def __post_init__(self) -> None:
        _check_choice(self.name, "transform", self.transform, NUMBERS)
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(
                f"expected a finite `mean` and `std` above 0 of field {self.name!r}, received {self.mean!r} and "
                f"{self.std!r}; give 1 for a column that is constant"
            )

    def encode(self, values: RawColumn) -> np.ndarray:
        """`(n,)` float32."""
        scaled, faults = self.scaled(numbers(self.column, values, "a number"))
        for bad, expected in faults:
            refuse_first(bad, self.column, expected, values)
        return scaled

    def scaled(self, raw: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, str]]]:
        """Transform and standardise raw numbers.

        Args:
            raw: `(n,)` float64; NaN for what is no number.

        Returns:
            `(n,)` float32; and which of them cannot be used, `(n,)` bool, each time with what was expected instead.
        """
        finite, inside = np.isfinite(raw), np.abs(raw) <= LARGEST
        with np.errstate(over="ignore"):
            scaled = standardised(NUMBERS[self.transform](np.where(inside, raw, 0.0)), self.mean, self.std)
        faults = [
            (~finite, "a number"),
            (finite & ~inside, IN_RANGE),
            (~np.isfinite(scaled), "a number that float32 holds when it is standardised"),
        ]
        return scaled, faults


@dataclass(frozen=True)
class IdsField(_Vocabulary):
    """The ids of several values a row, `PAD` at the right; of more than `length` values the first ones.

    Args:
        name, column, values, privileged, side: As in `IdField`.
        length: Places a row.
        separator: What stands between the values where a row is one text.

    Raises:
        ValueError: As of `IdField`; or `length` is no whole number from 1 on.
    """

    length: int
    separator: str = "|"
    privileged: bool = False
    side: str = "context"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_count(self.name, "length", self.length)

    def encode(self, rows: RawColumn) -> np.ndarray:
        """`(n, length)` int32 ids."""
        kept = [row[: self.length] for row in lists(self.column, rows, self.separator)]
        return _padded([self.ids_of(row) for row in kept], self.length)


@dataclass(frozen=True)
class HistoryField:
    """The ids of a user's last `length` events, oldest first, `PAD` at the right.

    Args:
        name, column, privileged, side: As in `IdField`.
        of: Name of the `IdField` or `HashedIdField` whose ids the events have.
        length: Places a row.
        separator: What stands between the events where a row is one text.

    Raises:
        ValueError: `length` is no whole number from 1 on.
    """

    name: str
    column: str
    of: str
    length: int
    separator: str = "|"
    privileged: bool = False
    side: str = "context"

    def __post_init__(self) -> None:
        _check_count(self.name, "length", self.length)

    def encode(self, rows: RawColumn, of: "IdField | HashedIdField") -> np.ndarray:
        """`(n, length)` int32 ids, by the vocabulary of the field `of`."""
        events = [row[-self.length :] for row in lists(self.column, rows, self.separator)]
        return _padded([of.ids_of(row) for row in events], self.length)


Field = IdField | HashedIdField | KnownIdField | NumberField | IdsField | HistoryField


def _padded(ids: list[list[int]], length: int) -> np.ndarray:
    column = np.full((len(ids), length), PAD, np.int32)
    for row, mine in enumerate(ids):
        column[row, : len(mine)] = mine
    return column


def _check_count(name: str, argument: str, received: object) -> None:
    if not isinstance(received, int) or isinstance(received, bool) or not 1 <= received < 2**31:
        raise ValueError(
            f"expected `{argument}` of field {name!r} from 1 to {2**31 - 1}, received {received!r}; give the number of "
            f"{'ids' if argument == 'size' else 'places'}"
        )


def _check_choice(name: str, argument: str, received: str, known: dict) -> None:
    if received not in known:
        raise ValueError(
            f"expected `{argument}` of field {name!r} to be one of {sorted(known)}, received {received!r}; name one"
        )
