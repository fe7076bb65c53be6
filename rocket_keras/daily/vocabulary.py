"""Ids that come and go: new values get rows, values that were not seen for long give theirs up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, HistoryField, IdField, IdsField

Vocabulary = IdField | IdsField


@dataclass(frozen=True)
class Turnover:
    """What a day does to the vocabularies.

    Attributes:
        encoder: The encoder after it.
        freed: The ids by field that belong to another value now: their rows begin anew.
        added: New values by field.
        last_seen: By field, the number of the day on which each id was last seen, `(size,)` int32; id 0's is not used.
    """

    encoder: Encoder
    freed: dict[str, np.ndarray]
    added: dict[str, int]
    last_seen: dict[str, np.ndarray]


def vocabularies(encoder: Encoder) -> tuple[Vocabulary, ...]:
    """The fields that have a vocabulary."""
    return tuple(field for field in encoder.fields if isinstance(field, IdField | IdsField))


def first_day(encoder: Encoder, day: int) -> Turnover:
    """The vocabularies of a first day: all are new."""
    fields = vocabularies(encoder)
    seen = {field.name: np.full(field.size, day, np.int32) for field in fields}
    return Turnover(encoder, {}, {field.name: len(field.values) for field in fields}, seen)


def turn_over(
    before: Encoder, learnt: Encoder, last_seen: Mapping[str, np.ndarray], day: int, keep_days: int | None
) -> Turnover:
    """Give the new values of a day their ids.

    A new value takes the id of the value that was not seen for longest, where that was `keep_days` ago or longer;
    otherwise the table grows. So no id is empty, and a table has no more rows than values were met within `keep_days`.

    Args:
        before: The encoder until now.
        learnt: The same with the day's new values behind the others.
        last_seen: By field, the day on which each id was last seen, this day counted.
        day: Its number.
        keep_days: Days that an id is kept unseen; None: for ever.
    """
    fields: list[Field] = []
    freed, added, seen = {}, {}, {}
    old = {field.name: field for field in vocabularies(before)}
    for field in learnt.fields:
        if not isinstance(field, IdField | IdsField):
            fields.append(field)
            continue
        known = old[field.name].values
        new = field.values[len(known) :]
        mine = last_seen[field.name]
        free = _unseen(mine, day, keep_days)[: len(new)]
        values = list(known)
        for place, value in zip(free, new, strict=False):
            values[place - 1] = value
        values += new[len(free) :]
        fields.append(replace(field, values=tuple(values)))
        seen[field.name] = np.concatenate([mine, np.full(len(values) + 1 - len(mine), day, np.int32)])
        seen[field.name][free] = day
        freed[field.name], added[field.name] = free, len(new)
    return Turnover(Encoder(tuple(fields)), {name: ids for name, ids in freed.items() if len(ids)}, added, seen)


def note_seen(encoder: Encoder, last_seen: Mapping[str, np.ndarray], x: Mapping[str, np.ndarray], day: int) -> None:
    """Note in place which ids the rows `x` hold; the events of a history are ids of the field that it is of."""
    for field in encoder.fields:
        name = field.of if isinstance(field, HistoryField) else field.name
        if name in last_seen and field.name in x:
            ids = x[field.name]
            last_seen[name][ids[ids > 0]] = day


def capacities(encoder: Encoder, before: Mapping[str, int], headroom: float) -> dict[str, int]:
    """Rows of each field's table: as before where they suffice, otherwise what is needed and `headroom` more.

    Args:
        encoder: Has the vocabularies.
        before: Rows until now, by field; empty on the first day.
        headroom: A share.
    """
    found = {}
    for field in vocabularies(encoder):
        enough = before.get(field.name, 0)
        found[field.name] = enough if field.size <= enough else field.size + int(headroom * len(field.values))
    return found


def _unseen(last_seen: np.ndarray, day: int, keep_days: int | None) -> np.ndarray:
    """Ids that may be given away, those unseen for longest first."""
    if keep_days is None:
        return np.zeros(0, np.int64)
    ids = np.flatnonzero(last_seen <= day - keep_days)
    ids = ids[ids > 0]
    return ids[np.lexsort((ids, last_seen[ids]))]
