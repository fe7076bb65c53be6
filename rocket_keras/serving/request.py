"""What a request may hold: its columns, its candidates as columns, and the error for one that cannot be scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np

from rocket_keras.encoding.fields import Field

USER, CANDIDATE, EITHER = "user", "candidate", "either"


class RequestError(ValueError):
    """A request that cannot be scored. The message says what was expected, what came, and how to mend it.

    Args:
        kind: What is wrong, for programs: "wrong_shape", "no_candidates", "too_many_candidates", "unknown_column",
            "missing_column", "misplaced_column", "repeated_column", "wrong_value", or of a text "no_json".
        message: The same for readers, one line.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class RawColumn:
    """A raw column of a request.

    Attributes:
        name: Its name.
        place: Where a request has it: in `"user"`, in each `"candidate"`, or in `"either"` of the two.
        fields: What is made of it.
    """

    name: str
    place: str
    fields: tuple[Field, ...]


def raw_columns(fields: Sequence[Field], once: frozenset[str]) -> dict[str, RawColumn]:
    """Return the raw columns of the fields by name, each with its place.

    Where all columns are the user's, each user is a candidate: a request may have them in either place.
    """
    by_name: dict[str, list[Field]] = {}
    for field in fields:
        by_name.setdefault(field.column, []).append(field)
    found = {}
    for name, mine in by_name.items():
        sides = {"user" if field.name in once else field.side for field in mine}
        place = USER if "user" in sides else CANDIDATE if sides == {"item"} else EITHER
        found[name] = RawColumn(name, place, tuple(mine))
    if all(column.place == USER for column in found.values()):
        return {name: replace(column, place=EITHER) for name, column in found.items()}
    return found


def candidate_names(candidates: Any, most: int | None = None) -> tuple[str, ...]:
    """Return the columns of the candidates, in the order of the first one.

    Args:
        candidates: A mapping of raw values each; or one mapping of columns, a list of values each.
        most: How many there may be; None for any number.

    Raises:
        RequestError: No candidates or too many, one without the columns of the first, or something else.
    """
    if isinstance(candidates, Mapping):
        return _names_of_columns(candidates, most)
    if not isinstance(candidates, list | tuple):
        raise RequestError(
            "wrong_shape",
            f"expected `candidates` as a list of mappings, received {type(candidates).__name__}; give one mapping a "
            "candidate",
        )
    check_count(len(candidates), most)
    first = candidates[0]
    names = tuple(first) if isinstance(first, Mapping) else ()
    try:
        lengths = set(map(len, candidates))
    except TypeError:  # a number among them
        lengths = set()
    if not names or lengths != {len(names)}:
        raise _ragged(candidates, names)
    return names


def candidate_keys(candidates: Any, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return the values of each candidate, in the order of the columns `names`.

    Raises:
        RequestError: A candidate has other columns.
    """
    if isinstance(candidates, Mapping):
        return list(zip(*(candidates[name] for name in names), strict=True))
    try:
        if len(names) == 1:
            return [(candidate[names[0]],) for candidate in candidates]
        return list(map(itemgetter(*names), candidates))
    except (KeyError, TypeError, IndexError):  # the last two of candidates that are no mappings
        raise _ragged(candidates, names) from None


def _ragged(candidates: Sequence[Any], names: tuple[str, ...]) -> RequestError:
    """Return the error for the first candidate without the columns of the first one."""
    place, candidate = next(
        (place, candidate)
        for place, candidate in enumerate(candidates)
        if not isinstance(candidate, Mapping) or not names or candidate.keys() != set(names)
    )
    wanted = f" like candidate 0, {sorted(map(str, names))}," if place else ","
    return RequestError(
        "missing_column" if isinstance(candidate, Mapping) else "wrong_shape",
        f"candidate {place}: expected values by column{wanted} received {str(candidate)[:80]}; give every candidate "
        "the same columns",
    )


def _names_of_columns(columns: Mapping[str, Any], most: int | None) -> tuple[str, ...]:
    lengths = {
        name: len(values) if isinstance(values, list | tuple | np.ndarray) else None for name, values in columns.items()
    }
    if None in lengths.values() or len(set(lengths.values())) > 1:
        raise RequestError(
            "wrong_shape", f"expected columns of one length in `candidates`, received {lengths}; give lists"
        )
    check_count(next(iter(lengths.values()), 0) or 0, most)
    return tuple(columns)


def check_count(count: int, most: int | None) -> None:
    """Refuse no candidates, and more than `most`.

    Raises:
        RequestError: Of the kind "no_candidates" or "too_many_candidates".
    """
    if count < 1 or (most is not None and count > most):
        raise RequestError(
            "too_many_candidates" if count else "no_candidates",
            f"expected 1 to {most or 'any number of'} candidates, received {count}; split the request, or leave it",
        )
