"""A user's smoothed click rate on one kind of item: a cross of user and item that a two-tower net cannot compute."""

import numpy as np

from zoo.data.tables import standardise

FOLDS = 5
SMOOTHING = 10.0


def cross_rates(user: np.ndarray, kind: np.ndarray, clicks: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Standardised rate of each row's user on items of the row's kind, `(n,)` float32, from the train rows' labels.

    A rate is shrunk toward the user's rate on all items, that toward the rate of all users, and that toward 1/2:
    `(clicks + m * wider rate) / (impressions + m)` with m = 10.

    Train rows are put into 5 folds by their place in `train`. A train row's rate counts the other folds only, and is
    standardised by the moments of its own fold's rates: no label reaches its own row, not even through the moments.
    Other rows count all train rows and are standardised by the moments of the train rows' rates.

    Args:
        user: `(n,)` ids of users, from 0.
        kind: `(n,)` ids of kinds of items, from 0.
        clicks: `(n,)` labels, 0 or 1.
        train: Row numbers of the train rows.
    """
    # From the widest to the narrowest: everyone, the user, the user on items of this kind.
    keys = (np.zeros(len(user), np.int64), user, user.astype(np.int64) * (int(kind.max()) + 1) + kind)
    sizes = [int(key.max()) + 1 for key in keys]
    whole = [_counts(key[train], clicks[train], size) for key, size in zip(keys, sizes, strict=True)]
    rates = _shrunk(keys, whole)
    column = np.empty(len(user), np.float32)
    for fold in (train[start::FOLDS] for start in range(min(FOLDS, len(train)))):
        mine = tuple(key[fold] for key in keys)
        inside = [_counts(key, clicks[fold], size) for key, size in zip(mine, sizes, strict=True)]
        rates[fold] = _shrunk(mine, [total - part for total, part in zip(whole, inside, strict=True)])
        column[fold] = standardise(rates[fold], rates[fold])
    rest = np.ones(len(user), bool)
    rest[train] = False
    column[rest] = standardise(rates[rest], rates[train])
    return column


def _counts(key: np.ndarray, clicks: np.ndarray, size: int) -> np.ndarray:
    """`(2, size)` clicks and impressions of every id."""
    return np.stack([np.bincount(key, clicks, size), np.bincount(key, minlength=size)])


def _shrunk(keys: tuple[np.ndarray, ...], counts: list[np.ndarray]) -> np.ndarray:
    """The narrowest rate of every row, each shrunk toward the next wider one."""
    rate: np.ndarray | float = 0.5
    for key, (clicked, shown) in zip(keys, counts, strict=True):
        rate = (clicked[key] + SMOOTHING * rate) / (shown[key] + SMOOTHING)
    return np.asarray(rate)
