"""Paired differences between two methods over seeds, and Holm's correction where many of them are tested at once."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from rocket_keras.extras import require


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences over common seeds, with its 95 % t-interval and t-test.

    Attributes:
        mean: Mean of the differences.
        low, high: Ends of the 95 % interval of this one difference; None of a single seed.
        seeds: Number of common seeds.
        p: Two-sided p-value of this one difference; None of a single seed.
        p_holm: The same after Holm's correction over all differences of a table; None outside of a table.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    p: float | None = None
    p_holm: float | None = None


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference | None:
    """Return the mean of `first` - `second` over their common seeds with its 95 % t-interval and p-value.

    Args:
        first, second: Scores by seed.

    Returns:
        The difference, or None where there is no common seed or a score is not finite.

    Raises:
        ImportError: SciPy is not installed.
    """
    differences = [first[seed] - second[seed] for seed in first if seed in second]
    if not differences or not all(map(math.isfinite, differences)):
        return None
    count, mean = len(differences), fmean(differences)
    if count == 1:
        return Difference(mean, None, None, 1)
    error = stdev(differences) / math.sqrt(count)
    student: Any = require("scipy.stats", extra="launch").t
    half = float(student.ppf(0.975, count - 1)) * error
    # Equal differences: certain, or none at all.
    p = 2 * float(student.sf(abs(mean) / error, count - 1)) if error else float(mean == 0)
    return Difference(mean, mean - half, mean + half, count, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down method, in the given order.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none becomes smaller than one before it, or
    greater than 1. Taken at 0.05, the chance of any false finding among the m is at most 0.05, however they depend on
    each other. SciPy has no such function: its `false_discovery_control` bounds another error.

    Reference: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 1979.
    """
    corrected, lowest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        lowest = max(lowest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = lowest
    return corrected
