"""MovieLens-1M in its official format: a click is a rating of 4 or 5."""

import re
from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField
from rocket_keras.encoding.transforms import year_in_title
from zoo.data.click_rates import cross_rates
from zoo.data.files import find_folder
from zoo.data.ratings import locate, read_keyed, read_ratings
from zoo.data.splits import Dataset, Split, check_train_rows
from zoo.data.tables import encode_ids
from zoo.features import Categorical, Numeric

CLICK_RATING = 4
DIM = 16
ITEM_FIELDS = ("item_id", "genres", "year")  # all others are the user's
RAW = {
    "user_id": "UserID", "item_id": "MovieID", "gender": "Gender", "age": "Age", "occupation": "Occupation",
    "zip": "Zip-code", "genres": "Genres", "year": "Title",
}  # fmt: skip
FETCH = "MovieLens-1M (ml-1m.zip) from the GroupLens site (grouplens.org)"

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
    (Xu et al., Privileged Features Distillation, KDD 2020); they are counted from the whole log, so the encoder, which
    reads raw values by the names of the official format, does not make them. `y` is float32 0 or 1; `groups` the
    original user id.

    Args:
        data_dir: The folder that holds `ml-1m/`, or `ml-1m` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Of the split.
        train_rows: Take that many of the train rows, and the vocabularies from them; `None` is all.

    Raises:
        FileNotFoundError: Files are missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, or names an unknown user or movie. One line: file, row.
    """
    folder = find_folder(data_dir, "ml-1m", ("ratings.dat", "users.dat", "movies.dat"), FETCH)
    table = read_ratings(folder / "ratings.dat", b"::", _RATING_FORM, FETCH)
    train, validation, test = _split(len(table), seed)
    if train_rows is not None:
        check_train_rows(train_rows, len(train))
        train = train[:train_rows]
    x: dict[str, np.ndarray] = {}
    features: list[Categorical | Numeric] = []
    encoders: list[IdField] = []
    fields = _fields(folder, table)
    for name, (values, row) in fields.items():
        x[name], known = encode_ids(values, row, train)
        encoders.append(IdField(name, RAW[name], known, year_in_title.__name__ if name == "year" else None))
        features.append(Categorical(name, encoders[-1].size, DIM, "item" if name in ITEM_FIELDS else "user"))
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
        encoder=Encoder(tuple(encoders)),
        source="MovieLens-1M (Harper and Konstan 2015, grouplens.org), a rating of 4 or 5 is a click; "
        "for research, not to be redistributed, no commercial use without permission.",
    )


def _fields(folder: Path, table: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Every field's values in its own table, and the row of that table for every rating."""
    user_id, gender, age, occupation, zip_code = read_keyed(folder / "users.dat", _USER, _USER_FORM, FETCH)
    item_id, year, genres = read_keyed(folder / "movies.dat", _MOVIE, _MOVIE_FORM, FETCH)
    user = locate(table[:, 0], user_id, folder / "ratings.dat", "users.dat", FETCH)
    movie = locate(table[:, 1], item_id, folder / "ratings.dat", "movies.dat", FETCH)
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


def _split(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of train, validation and test, 8:1:1."""
    # RandomState's stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    order = np.random.RandomState(seed).permutation(count)
    tenth = count // 10
    return order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]
