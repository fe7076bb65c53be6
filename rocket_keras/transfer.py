"""Rows for a light net to be taught on that nobody has labelled: real ones, or ones generated from the training rows.

Label -1 means: no label. References: Bucila et al., Model Compression, KDD 2006, section 3.
"""

from typing import Any

import numpy as np

from rocket_keras.launch.recipe import Plan

NO_LABEL = -1
MOST_GENERATED = 200_000


def unlabelled(plan: Plan, seed: int) -> Any:
    """Return the transfer set: all training rows without their labels, then the further rows."""
    train, more = plan.data.train, _further_rows(plan, seed)
    rows = _joined(train, more)
    return type(train)(rows.x, np.full_like(rows.y, NO_LABEL))


def labelled_and_unlabelled(plan: Plan, seed: int) -> Any:
    """Return the training rows with their labels, then the further rows without."""
    return _joined(plan.data.train, _further_rows(plan, seed))


def without_class(plan: Plan, seed: int, missing: int) -> Any:
    """Return the training rows that are not of class `missing`."""
    return plan.data.train.rows(np.flatnonzero(plan.data.train.y != missing))


def munge(x: Any, seed: int, swap: float = 0.5, narrow: float = 2.0, block: int = 512) -> Any:
    """Generate as many rows as there are, each near a given one (MUNGE).

    Each row looks for its nearest neighbour. With probability `swap` an attribute is taken from the neighbour: an id as
    it is; a number from a normal distribution around the neighbour's, with the difference of the two divided by
    `narrow` for its standard deviation.

    Args:
        x: `(rows, ...)` numbers, or a dict of `(rows,)` columns: integers are ids.
        seed: Seed of the draws.
        swap: Probability of taking an attribute over.
        narrow: How narrow the distribution of numbers is.
        block: Rows among which a neighbour is looked for, drawn at random: a search among all would be quadratic.
    """
    rng = np.random.default_rng(seed)
    columns = x if isinstance(x, dict) else {"x": x}
    count = len(next(iter(columns.values())))
    neighbour = np.empty(count, int)
    order = rng.permutation(count)
    for begin in range(0, count, block):
        # The last block is filled up, so that a single row is never its own neighbourhood.
        index = order[begin : begin + block] if begin + block <= count else order[-min(block, count) :]
        neighbour[index] = index[_nearest([column[index] for column in columns.values()])]
    made = {name: _mixed(column, column[neighbour], rng, swap, narrow) for name, column in columns.items()}
    return made if isinstance(x, dict) else made["x"]


def _further_rows(plan: Plan, seed: int) -> Any:
    """Real unlabelled rows where the data set has some, else generated ones."""
    data = plan.data
    if data.unlabelled is not None:
        return data.unlabelled
    train = data.train
    if len(train) > MOST_GENERATED:
        train = train.rows(np.random.default_rng(seed).choice(len(train), MOST_GENERATED, replace=False))
    return type(train)(munge(train.x, seed), np.full_like(train.y, NO_LABEL))


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first.x, dict):
        x: Any = {name: np.concatenate([column, second.x[name]]) for name, column in first.x.items()}
    else:
        x = np.concatenate([first.x, second.x])
    return type(first)(x, np.concatenate([first.y, second.y]))


def _nearest(columns: list[np.ndarray]) -> np.ndarray:
    """Position of each row's nearest other row: differing ids count 1, numbers their squared difference."""
    rows = len(columns[0])
    distance = np.zeros((rows, rows), "float32")
    for column in columns:
        if column.dtype.kind in "iu":
            distance += column[:, None] != column[None, :]
        else:
            flat = column.reshape(rows, -1).astype("float32")
            flat = flat - flat.mean(axis=0)  # else the squares of large numbers hide their differences
            square = (flat**2).sum(1)
            distance += square[:, None] + square[None, :] - 2 * flat @ flat.T
    np.fill_diagonal(distance, np.inf)
    return distance.argmin(1)


def _mixed(mine: np.ndarray, other: np.ndarray, rng: np.random.Generator, swap: float, narrow: float) -> np.ndarray:
    take = rng.random(mine.shape) < swap
    if mine.dtype.kind in "iu":
        return np.where(take, other, mine)
    drawn = rng.normal(other, np.abs(mine - other) / narrow)
    return np.where(take, drawn, mine).astype(mine.dtype)
