"""Named functions from a raw value to what a feature holds: an encoder's file names them, so nothing is pickled."""

import math
import re
from collections.abc import Callable, Iterable
from datetime import date

import numpy as np


def as_is(values: np.ndarray) -> np.ndarray:
    """`values`: the transform of a column without a heavy tail."""
    return values


def signed_log1p(values: np.ndarray) -> np.ndarray:
    """sign(v) log(1 + |v|), which draws in both tails and keeps 0 and the order."""
    return np.sign(values) * np.log1p(np.abs(values))


def log_days(values: np.ndarray) -> np.ndarray:
    """log(1 + days); a negative count, which stands for never (Bank Marketing's `pdays`), is 0 days."""
    return np.log1p(np.maximum(values, 0))


def standardised(column: np.ndarray, mean: float, std: float) -> np.ndarray:
    """`column` less the mean and over the deviation, float32."""
    # Rounded, so that the last bits of another machine's log and sums do not change the data set's hash.
    return np.round((column - mean) / std, 4).astype(np.float32)


def called_before(days: str) -> str:
    """Bank Marketing's `pdays`, days since the last call: "no" for -1, which stands for never, else "yes"."""
    return "no" if _whole(days, "a whole number of days, or -1 for never") == -1 else "yes"


def year_in_title(title: str) -> str:
    """The year of a film titled "Heat (1995)"."""
    match = re.fullmatch(r".+\(([0-9]{4})\)", title)
    if match is None:
        raise ValueError("a title that ends with the year in brackets")
    return match[1]


def year_of_date(day: str) -> str:
    """The year of a day written "01-Jan-1995"; empty for an empty one."""
    if not re.fullmatch(r"([0-9]{1,2}-[A-Z][a-z]{2}-[0-9]{4})?", day):
        raise ValueError("a day written 01-Jan-1995, or nothing")
    return day[-4:]


def age_group(years: str) -> str:
    """The lowest age of the group that an age in years is in, of MovieLens-1M's seven: 1 (below 18), 18, 25, ... 56."""
    age = _whole(years, "an age in whole years")
    return str(max((low for low in (18, 25, 35, 45, 50, 56) if low <= age), default=1))


def log_square(count: str) -> str:
    """A bin of a count: floor(log(v)^2) from 3 on, below that the count itself; empty stays empty.

    So the winners of the Criteo competition of 2014 made ids of its numbers (Juan et al., Field-aware Factorization
    Machines for CTR Prediction, RecSys 2016).
    """
    if not count:
        return ""
    value = _whole(count, "a whole number, or nothing")
    return f"{int(math.log(value) ** 2)}" if value > 2 else f"={value}"


def hour_of_day(hour: str) -> str:
    """ "00" to "23" of an hour written YYMMDDHH."""
    _day(hour)
    return hour[6:]


def weekday(hour: str) -> str:
    """ "0" (Monday) to "6" of an hour written YYMMDDHH."""
    return str(_day(hour).weekday())


def _day(hour: str) -> date:
    match = re.fullmatch(r"(\d\d)(\d\d)(\d\d)(?:[01]\d|2[0-3])", hour, re.ASCII)
    try:
        if match:
            return date(2000 + int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        pass  # such as the 31st of June: refused below like any other text that is no hour
    raise ValueError("an hour written YYMMDDHH")


def _whole(text: str, expected: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ValueError(expected)
    return int(text)


def _by_name(functions: Iterable[Callable]) -> dict[str, Callable]:
    return {function.__name__: function for function in functions}


NUMBERS: dict[str, Callable[[np.ndarray], np.ndarray]] = _by_name((as_is, signed_log1p, log_days))
"""From a column's float64 numbers to what is standardised."""

TEXTS: dict[str, Callable[[str], str]] = _by_name(
    (called_before, year_in_title, year_of_date, age_group, log_square, hour_of_day, weekday)
)
"""From a raw text to the text that has an id; a ValueError of theirs says what was expected."""
