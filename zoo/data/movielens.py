"""MovieLens-1M in its official format: a click is a rating of 4 or 5."""

import re
from pathlib import Path
from typing import NoReturn

import numpy as np

from zoo.data.click_rates import cross_rates
from zoo.data.files import find_folder
from zoo.data.splits import Dataset, Split, check_train_rows
from zoo.data.tables import encode_ids
from zoo.features import Categorical, Numeric

CLICK_RATING = 4
DIM = 16
ITEM_FIELDS = ("item_id", "genres", "year")  # all others are the user's
FETCH = "MovieLens-1M (ml-1m.zip) from the GroupLens site (grouplens.org)"

_RATINGS = re.compile(rb"(?:\d{1,18}::\d{1,18}::\d{1,18}::\d{1,18}\r?\n)*+")
_USER = re.compile(r"(\d{1,18})::([MF])::(\d+)::(\d+)::([^:]+)")
_MOVIE = re.compile(r"(\d{1,18})::.+\((\d{4})\)::([^:]+)")
_RATING_FORM = "UserID::MovieID::Rating::Timestamp and a newline"
_USER_FORM = "UserID::Gender::Age::Occupation::Zip-code and a newline"
_MOVIE_FORM = "MovieID::Title (Year)::Genres and a newline"


def load(data_dir: str | Path | None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """MovieLens-1M as a click log, split 8:1:1 at random.

    `x` is one int32 `(n,)` array a field: user_id, item_id, gender, age, occupation, zip, genres (a film's
    combination of genres is one id) and year (of release). Id 0 stands for every value that is not in the train
    rows, so nothing of the other splits leaks into a vocabulary. Two float32 `(n,)` columns are privileged:
    user_genres_rate and user_decade_rate, the user's click rate on films of that combination of genres and of that
    decade (`click_rates.cross_rates`), crosses that a fine ranker has and a two-tower coarse ranker cannot compute
    (Xu et al., Privileged Features Distillation, KDD 2020). `y` is float32 0 or 1; `groups` the original user id.

    Args:
        data_dir: The folder that holds `ml-1m/`, or `ml-1m` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Of the split.
        train_rows: Take that many of the train rows, and the vocabularies from them; `None` is all.

    Raises:
        FileNotFoundError: Files are missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, or names an unknown user or movie. One line: file, row.
    """
    folder = find_folder(data_dir, "ml-1m", ("ratings.dat", "users.dat", "movies.dat"), FETCH)
    table = read_ratings(folder / "ratings.dat")
    train, validation, test = _split(len(table), seed)
    if train_rows is not None:
        check_train_rows(train_rows, len(train))
        train = train[:train_rows]
    x: dict[str, np.ndarray] = {}
    features: list[Categorical | Numeric] = []
    fields = _fields(folder, table)
    for name, (values, row) in fields.items():
        x[name], size = encode_ids(values, row, train)
        features.append(Categorical(name, size, DIM, "item" if name in ITEM_FIELDS else "user"))
    clicks = (table[:, 2] >= CLICK_RATING).astype(np.float32)
    year, movie = fields["year"]
    for name, kind in {"user_genres_rate": x["genres"], "user_decade_rate": year.astype(int)[movie] // 10}.items():
        x[name] = cross_rates(x["user_id"], kind, clicks, train)
        features.append(Numeric(name, "context", privileged=True))
    log = Split(x, clicks, table[:, 0].astype(np.int32))
    return Dataset(
        name="ml1m",
        train=log.rows(train),
        validation=log.rows(validation),
        test=log.rows(test),
        num_classes=2,
        features=tuple(features),
        source="MovieLens-1M (Harper and Konstan 2015, grouplens.org), a rating of 4 or 5 is a click; "
        "for research, not to be redistributed, no commercial use without permission.",
    )


def _fields(folder: Path, table: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Every field's values in its own table, and the row of that table for every rating."""
    user_id, gender, age, occupation, zip_code = _read_table(folder / "users.dat", _USER, _USER_FORM)
    item_id, year, genres = _read_table(folder / "movies.dat", _MOVIE, _MOVIE_FORM)
    user = _locate(table[:, 0], user_id, folder / "ratings.dat", "users.dat")
    movie = _locate(table[:, 1], item_id, folder / "ratings.dat", "movies.dat")
    return {
        "user_id": (user_id, user),
        "item_id": (item_id, movie),
        "gender": (gender, user),
        "age": (age, user),
        "occupation": (occupation, user),
        "zip": (zip_code, user),
        "genres": (genres, movie),
        "year": (year, movie),
    }


def read_ratings(path: Path) -> np.ndarray:
    """The int64 `(n, 4)` table of `ratings.dat`: user, movie, rating (1 to 5), timestamp (seconds).

    Raises:
        ValueError: One line that names the file and the first row that is not in the format.
    """
    text = path.read_bytes()
    # One possessive match checks a million rows in 0.15 s, and ends where the first bad row begins.
    good = _RATINGS.match(text).end()  # type: ignore[union-attr]  # it matches no row at least
    if good < len(text) or not text:
        _refuse(path, text.count(b"\n", 0, good) + 1, _RATING_FORM, text[good:].split(b"\n")[0].decode("latin-1"), text)
    table = np.fromstring(text.replace(b"::", b" "), dtype=np.int64, sep=" ").reshape(-1, 4)
    outside = (table[:, 2] < 1) | (table[:, 2] > 5)
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"{path}, row {row + 1}: expected a rating from 1 to 5, received {table[row, 2]}; fetch {FETCH} again"
        )
    return table


def _read_table(path: Path, form: re.Pattern[str], expected: str) -> tuple[np.ndarray, ...]:
    """One array a group of `form`, which every line matches whole; the first, of int64, is sorted and unique."""
    text = path.read_bytes().decode("latin-1")
    if not text:
        _refuse(path, 1, expected, "", text)
    # split, not splitlines: latin-1 has line separators of its own, which may stand in a title.
    *lines, rest = text.split("\n")
    rows: dict[int, tuple[str, ...]] = {}
    for number, line in enumerate(lines, start=1):
        match = form.fullmatch(line.removesuffix("\r"))
        if match is None:
            _refuse(path, number, expected, line, text)
        key = int(match[1])
        if key in rows:
            raise ValueError(f"{path}, row {number}: expected each id once, received {key} again; fetch {FETCH} again")
        rows[key] = match.groups()[1:]
    if rest:
        _refuse(path, len(lines) + 1, expected, rest, text)
    keys = sorted(rows)
    return np.array(keys, np.int64), *(np.array(column) for column in zip(*(rows[key] for key in keys), strict=True))


def _refuse(path: Path, row: int, expected: str, received: str, text: str | bytes) -> NoReturn:
    came = f"{received[:80]!r}" if text else "an empty file"
    raise ValueError(f"{path}, row {row}: expected {expected}, received {came}; fetch {FETCH} again")


def _locate(ids: np.ndarray, keys: np.ndarray, ratings: Path, listed_in: str) -> np.ndarray:
    """Where each of `ids` stands in the sorted `keys`."""
    row = np.minimum(np.searchsorted(keys, ids), len(keys) - 1)
    unknown = keys[row] != ids
    if unknown.any():
        bad = int(np.argmax(unknown))
        raise ValueError(
            f"{ratings}, row {bad + 1}: expected an id that is in {listed_in}, received {ids[bad]}; fetch {FETCH} again"
        )
    return row


def _split(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of train, validation and test, 8:1:1."""
    # RandomState's stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    order = np.random.RandomState(seed).permutation(count)
    tenth = count // 10
    return order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]
