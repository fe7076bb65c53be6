"""Quantiles of measured times with confidence intervals that assume nothing of the distribution but independence."""

from collections.abc import Mapping

import numpy as np

from rocket_keras.extras import require

PARTS = (0.5, 0.95, 0.99)
Interval = tuple[float, float | None]


def interval(times: np.ndarray, part: float, confidence: float = 0.95) -> Interval:
    """Return two order statistics between which the true quantile lies.

    The number of times below the quantile is binomial, whatever the distribution: ranks are its quantiles (David and
    Nagaraja, Order Statistics, section 7.1). Either side is missed with at most half of the error.

    Args:
        times: `(n,)`, in any order.
        part: Which quantile, such as 0.99.
        confidence: Probability that the interval covers it, at least.

    Returns:
        Low and high; high is None where n is too small to bound the quantile from above, and low is then still valid. A
        quantile that cannot be bounded from below has a low of 0.
    """
    binomial = require("scipy.stats", "serve").binom
    count = len(times)
    error = (1 - confidence) / 2
    ordered = np.sort(times)
    # P(fewer than `low` times below the quantile) <= error, and P(`high` or more of them) <= error.
    low = int(binomial.ppf(error, count, part))
    high = int(binomial.ppf(1 - error, count, part)) + 1
    return (float(ordered[low - 1]) if low else 0.0, float(ordered[high - 1]) if high <= count else None)


def decided(times: np.ndarray, budgets: Mapping[float, float], look: int) -> tuple[str | None, float]:
    """Say whether quantiles are within their budgets, at one of several looks at a growing sample.

    Args:
        times: `(n,)`.
        budgets: What each quantile, such as 0.99, must not exceed.
        look: Number of the look, from 0. The errors of all looks and quantiles add up to 0.05, however many looks there
            are: look k has 0.05 / ((k + 1) (k + 2)).

    Returns:
        `"within"` (all of them), `"over"` (one of them), or None where an interval holds its budget; and the confidence
        of this look's intervals.
    """
    confidence = 1 - 0.05 / ((look + 1) * (look + 2) * len(budgets))
    bounds = [(interval(times, part, confidence), budget) for part, budget in budgets.items()]
    if any(low > budget for (low, _), budget in bounds):
        return "over", confidence
    return ("within" if all(high is not None and high <= b for (_, high), b in bounds) else None), confidence
