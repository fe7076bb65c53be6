"""The parts of MovieLens's official formats: ratings, and the tables of users and films that they point into."""

import re
from pathlib import Path
from typing import NoReturn

import numpy as np


def read_ratings(path: Path, separator: bytes, expected: str, fetch: str) -> np.ndarray:
    """The int64 `(n, 4)` table of all ratings: user, film, rating (1 to 5), timestamp (seconds).

    Args:
        path: The file, one rating a line.
        separator: What stands between the four numbers.
        expected, fetch: The format, and what to fetch and where from, for errors.

    Raises:
        ValueError: One line that names the file and the first row that is not in the format.
    """
    text = path.read_bytes()
    # One possessive match checks a million rows in 0.15 s, and ends where the first bad row begins.
    rows = re.compile(rb"(?:\d{1,18}" + 3 * (re.escape(separator) + rb"\d{1,18}") + rb"\r?\n)*+")
    good = rows.match(text).end()  # type: ignore[union-attr]  # it matches no row at least
    if good < len(text) or not text:
        row = text.count(b"\n", 0, good) + 1
        _refuse(path, row, expected, text[good:].split(b"\n")[0].decode("latin-1"), text, fetch)
    table = np.fromstring(text.replace(separator, b" "), dtype=np.int64, sep=" ").reshape(-1, 4)
    outside = (table[:, 2] < 1) | (table[:, 2] > 5)
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"{path}, row {row + 1}: expected a rating from 1 to 5, received {table[row, 2]}; fetch {fetch} again"
        )
    return table


def read_keyed(path: Path, form: re.Pattern[str], expected: str, fetch: str) -> tuple[np.ndarray, ...]:
    """One array a group of `form`, which every line matches whole; the first, of int64, is sorted and unique.

    Raises:
        ValueError: One line that names the file and the first row that is not in the format or repeats a key.
    """
    text = path.read_bytes().decode("latin-1")
    if not text:
        _refuse(path, 1, expected, "", text, fetch)
    # split, not splitlines: latin-1 has line separators of its own, which may stand in a title.
    *lines, rest = text.split("\n")
    rows: dict[int, tuple[str, ...]] = {}
    for number, line in enumerate(lines, start=1):
        match = form.fullmatch(line.removesuffix("\r"))
        if match is None:
            _refuse(path, number, expected, line, text, fetch)
        key = int(match[1])
        if key in rows:
            raise ValueError(f"{path}, row {number}: expected each id once, received {key} again; fetch {fetch} again")
        rows[key] = match.groups()[1:]
    if rest:
        _refuse(path, len(lines) + 1, expected, rest, text, fetch)
    keys = sorted(rows)
    return np.array(keys, np.int64), *(np.array(column) for column in zip(*(rows[key] for key in keys), strict=True))


def _refuse(path: Path, row: int, expected: str, received: str, text: str | bytes, fetch: str) -> NoReturn:
    came = f"{received[:80]!r}" if text else "an empty file"
    raise ValueError(f"{path}, row {row}: expected {expected}, received {came}; fetch {fetch} again")


def locate(ids: np.ndarray, keys: np.ndarray, ratings: Path, listed_in: str, fetch: str) -> np.ndarray:
    """Where each of `ids` stands in the sorted `keys` of the file `listed_in`.

    Raises:
        ValueError: One line that names the first row of `ratings` whose id is not there.
    """
    row = np.minimum(np.searchsorted(keys, ids), len(keys) - 1)
    unknown = keys[row] != ids
    if unknown.any():
        bad = int(np.argmax(unknown))
        raise ValueError(
            f"{ratings}, row {bad + 1}: expected an id that is in {listed_in}, received {ids[bad]}; fetch {fetch} again"
        )
    return row
