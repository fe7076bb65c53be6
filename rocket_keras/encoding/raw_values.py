"""Reading the raw values of a request: as texts, as numbers, as lists of texts; refusing what is none."""

import math
from collections.abc import Sequence

import numpy as np

from rocket_keras.encoding.transforms import TEXTS

RawColumn = Sequence | np.ndarray


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
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    read = [value if type(value) is str else text_or_none(value) for value in listed]
    if None in read:
        bad = read.index(None)
        raise refuse_value(column, bad if row is None else row, "a text or a whole number", listed[bad])
    return read  # type: ignore[return-value]  # no None is left


def text_or_none(value: object) -> str | None:
    """A whole number as text; `None` for what is neither, as a missing value of any kind must not become an id."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else None
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
    try:
        read = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        read = np.array([number_or_nan(value) for value in values])
    if read.ndim > 1:
        raise refuse_value(column, 0, expected, values[0])
    refuse_first(~np.isfinite(read), column, expected, values)
    return read


def number_or_nan(value: object) -> float:
    """A number, or a text that is one, as a float; NaN for what is neither."""
    try:
        return float(value)  # type: ignore[arg-type]  # whatever cannot be a float is refused by its row
    except (TypeError, ValueError):
        return math.nan
