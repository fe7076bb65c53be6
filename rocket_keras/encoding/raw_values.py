"""Reading the raw values of a request: as texts, as numbers, as lists of texts; refusing what is none."""

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from rocket_keras.encoding.transforms import TEXTS

RawColumn = Sequence | np.ndarray
LARGEST = 1e18
"""Of a raw number, without its sign: products of larger ones leave float32."""
IN_RANGE = f"a number from {-LARGEST:g} to {LARGEST:g}"
PLAIN = {int, float, bool, *(np.dtype(kind).type for kind in "?bhilqBHILQefd")}
"""Types whose values NumPy reads as numbers, and nothing else."""


def as_column(column: str, values: Any) -> RawColumn:
    """A raw column as a list or array, whose rows are counted from 0 whatever index `values` has.

    Args:
        column: Its name.
        values: A list, tuple or array; a column of pandas, polars or Arrow; a masked array, whose masked values are
            missing; or a tensor.

    Raises:
        ValueError: It is something else, such as one value, or a frame of several columns. One line.
    """
    if isinstance(values, np.ma.MaskedArray) and values.ndim:
        return values.tolist()
    if isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim):
        return values
    unordered = isinstance(values, str | bytes | Mapping | Set | np.ndarray) or hasattr(values, "columns")
    if unordered or not hasattr(values, "__len__"):
        raise refuse_value(column, None, "an array or list of values", values)
    kind = str(getattr(values, "type", getattr(values, "dtype", ""))).lower()
    if "float" not in kind and "double" not in kind:  # whole numbers beside nulls would become floats
        if hasattr(values, "to_pylist"):  # Arrow
            return values.to_pylist()
        if hasattr(values, "to_arrow"):  # polars
            return values.to_list()
    return np.asarray(values) if hasattr(values, "__array__") else list(values)


def refuse_value(column: str, row: int | None, expected: str, received: object) -> ValueError:
    """The error for a raw value that cannot be read; `row` is `None` for the whole column."""
    where = f"raw column {column!r}" + ("" if row is None else f", row {row}")
    return ValueError(f"{where}: expected {expected}, received {str(received)[:80]!r}; mend the value or leave the row")


def refuse_first(bad: np.ndarray, column: str, expected: str, values: RawColumn) -> None:
    """Raise for the first row that is `bad`."""
    if bad.any():
        row = int(np.argmax(bad))
        raise refuse_value(column, row, expected, values[row])


def texts(column: str, values: RawColumn, row: int | None = None) -> list[str]:
    """`values` as texts; errors name `row` where all are of one row."""
    # Lists would forget how exact small floats are, and make whole numbers of nanoseconds of dates.
    exact = not isinstance(values, np.ndarray) or values.dtype.kind in "mM" or values.dtype in (np.float16, np.float32)
    listed = values if exact else values.tolist()  # type: ignore[union-attr]
    read = [value if type(value) is str else text_or_none(value) for value in listed]
    if None in read:
        bad = read.index(None)
        raise refuse_value(column, bad if row is None else row, "a text or a whole number", listed[bad])
    return read  # type: ignore[return-value]  # no None is left


def text_or_none(value: object) -> str | None:
    """A whole number as text; `None` for what is neither, as a missing value of any kind must not become an id.

    A float counts as a whole number where its type has all whole numbers up to it: beyond, it may be another's id.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        return None
    if isinstance(value, float | np.floating):
        exact = 2.0 ** (np.finfo(type(value)).nmant + 1)
        return str(int(value)) if float(value).is_integer() and abs(float(value)) < exact else None
    return str(value) if isinstance(value, int | np.integer) else None


def derived(column: str, values: list[str], derive: str | None) -> list[str]:
    """What the function named `derive` makes of each text; the texts themselves for `None`."""
    if derive is None:
        return values
    function = TEXTS[derive]
    known: dict[str, str] = {}
    for row, text in enumerate(values):
        if text not in known:
            try:
                known[text] = function(text)
            except ValueError as error:
                raise refuse_value(column, row, str(error), text) from error
    return [known[text] for text in values]


def lists(column: str, rows: RawColumn, separator: str) -> list[list[str]]:
    """The texts of every row, which is a list of values or one text with `separator` between them."""
    read = []
    for number, row in enumerate(rows):
        if isinstance(row, str):
            read.append(row.split(separator) if row else [])
        elif isinstance(row, list | tuple | np.ndarray):
            read.append(texts(column, row, number))
        else:
            raise refuse_value(column, number, f"a list, or a text of values with {separator!r} between", row)
    return read


def numbers(column: str, values: RawColumn, expected: str) -> np.ndarray:
    """`values` as finite float64."""
    plain = values.dtype.type in PLAIN if isinstance(values, np.ndarray) else set(map(type, values)) <= PLAIN
    try:
        read = np.asarray(values, np.float64) if plain else np.array([number_or_nan(value) for value in values])
    except OverflowError:  # a whole number beyond float64
        read = np.array([number_or_nan(value) for value in values])
    if read.ndim > 1:
        raise refuse_value(column, 0, expected, values[0])
    refuse_first(~np.isfinite(read), column, expected, values)
    return read


def number_or_nan(value: Any) -> float:
    """A number, or a text that is one, as a float; NaN for what is neither.

    Python reads digits of all scripts, and underscores between them. Arrow's parser does not, and neither does this.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        return math.nan
    if isinstance(value, np.datetime64 | np.timedelta64) or value is np.ma.masked:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
    except OverflowError:
        return math.inf


def check_int32(name: str, values: Any) -> None:
    """Raise ValueError for an array of whole numbers that int32 does not hold: backends would make other ids of them.

    Args:
        name: The input's name.
        values: Array `(rows, ...)`; others pass unread.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu" and not np.can_cast(values.dtype, np.int32):
        limits = np.iinfo(np.int32)
        bad = (values > limits.max) | (values < limits.min)
        if bad.any():
            row = int(np.argwhere(bad)[0, 0])
            raise ValueError(
                f"{name}: expected whole numbers that int32 holds, received {values[bad][0]} in row {row}; make ids of "
                "them with an IdField or HashedIdField, or pass floats"
            )
