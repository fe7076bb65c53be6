"""What each user did before a row's moment, without comparing every row with every event."""

import numpy as np

from zoo.features import PAD


def histories(
    events: tuple[np.ndarray, np.ndarray, np.ndarray], rows: tuple[np.ndarray, np.ndarray], length: int
) -> np.ndarray:
    """`(n, length)` int32: the ids of the last events of each row's user strictly before the row's time, oldest first.

    Both logs are ordered by user and time, and each row's place among the events is found by bisection:
    O((n + m) log m) for n rows and m events. Events of one user and one time keep their order.

    Args:
        events: Users, times and ids, `(m,)` each. All whole numbers.
        rows: Users and times, `(n,)` each.
        length: Places a row; `zoo.features.PAD` fills those after the last event.
    """
    users, times, ids = events
    # One key for user and time, of their ranks, so that it cannot overflow.
    clock = np.unique(times)
    names = np.unique(users)
    key = np.searchsorted(names, users) * len(clock) + np.searchsorted(clock, times)
    order = np.argsort(key, kind="stable")
    key = key[order]
    person = np.searchsorted(names, rows[0])
    begin = np.searchsorted(key, person * len(clock))
    # A time's rank counts the moments before it, so events of the row's own moment come after the row.
    end = np.searchsorted(key, person * len(clock) + np.searchsorted(clock, rows[1]))
    known = person < len(names)
    known[known] = names[person[known]] == rows[0][known]
    return _last(ids[order], np.where(known, begin, 0), np.where(known, end, 0), length)


def _last(ids: np.ndarray, begin: np.ndarray, end: np.ndarray, length: int) -> np.ndarray:
    """The last `length` of `ids[begin:end]`, a row a pair."""
    column = np.full((len(begin), length), PAD, np.int32)
    count = np.minimum(end - begin, length)
    for place in range(length):
        filled = place < count
        column[filled, place] = ids[(end - count + place)[filled]]
    return column
