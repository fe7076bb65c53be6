"""MovieLens-100k in its official format, split by time, with each user's history: a click is a rating of 4 or 5."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, HistoryField, IdField, IdsField
from rocket_keras.encoding.transforms import age_group, year_of_date
from zoo.data.files import find_folder
from zoo.data.histories import histories
from zoo.data.ratings import locate, read_keyed, read_ratings
from zoo.data.splits import Dataset, Split, check_train_rows
from zoo.data.tables import vocabulary
from zoo.features import Categorical, Feature, History, MultiCategorical

CLICK_RATING = 4
DIM = 16
HISTORY = 20
FETCH = "MovieLens-100k (ml-100k.zip) from the GroupLens site (grouplens.org)"
GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)

_DAY = r"((?:\d{1,2}-[A-Z][a-z]{2}-\d{4})?)"
_USER = re.compile(r"(\d{1,18})\|(\d{1,3})\|([MF])\|([^|]+)\|([^|]+)")
_ITEM = re.compile(r"(\d{1,18})\|[^|]+\|" + _DAY + r"\|[^|]*\|[^|]*\|([01](?:\|[01]){18})")
_RATING_FORM = "user, item, rating and timestamp with tabs between, and a newline"
_USER_FORM = "user|age|gender|occupation|zip code and a newline"
_ITEM_FORM = "item|title|release date|video release date|URL, 19 flags of genres, and a newline"

# Feature, raw column (as the official README names it), side, and how its text becomes the one that has an id.
_COLUMNS: tuple[tuple[str, str, str, Callable[[str], str] | None], ...] = (
    ("user_id", "user id", "user", None),
    ("item_id", "item id", "item", None),
    ("gender", "gender", "user", None),
    ("age", "age", "user", age_group),
    ("occupation", "occupation", "user", None),
    ("zip", "zip code", "user", None),
    ("year", "release date", "item", year_of_date),
)


def load(data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """MovieLens-100k as a click log in the order of time: the last tenth tests, the tenth before validates.

    `x` holds seven int32 `(n,)` columns: user_id, item_id, gender, age (the groups of MovieLens-1M), occupation, zip
    and year (of release); `genres`, int32 `(n, 6)`; and `history`, int32 `(n, 20)`: the user's last films with a
    click strictly before the row's second. Id 0 stands for every value that is not in the train rows. The history of
    a test row may hold events of the validation and test period, as in serving. Many users of the test rows have no
    train row, as they came late. `y` is float32 0 or 1; `groups` the original user id. No feature is privileged.

    Args:
        data_dir: The folder that holds `ml-100k/`, or `ml-100k` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Ignored: a split by time has no seed. Ratings of one second keep the file's order.
        train_rows: Take the latest of the train rows, and the vocabularies from them; `None` is all.

    Raises:
        FileNotFoundError: Files are missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, or names an unknown user or film. One line: file, row.
    """
    folder = find_folder(data_dir, "ml-100k", ("u.data", "u.user", "u.item"), FETCH)
    table = read_ratings(folder / "u.data", b"\t", _RATING_FORM, FETCH)
    raw, genres = raw_columns(folder, table)
    order = np.argsort(table[:, 3], kind="stable")
    tenth = len(order) // 10
    train, validation, test = order[: -2 * tenth], order[-2 * tenth : -tenth], order[-tenth:]
    if train_rows is not None:
        check_train_rows(train_rows, len(train))
        train = train[-train_rows:]
    features, encoder = _learn(raw, genres, train)
    x = encoder.encode(raw | {"genres": genres, "history": [()] * len(table)})
    clicked = table[:, 2] >= CLICK_RATING
    events = table[clicked, 0], table[clicked, 3], x["item_id"][clicked]
    x["history"] = histories(events, (table[:, 0], table[:, 3]), HISTORY)
    log = Split(x, clicked.astype(np.float32), table[:, 0].astype(np.int32))
    return Dataset(
        name="ml100k",
        train=log.rows(train),
        validation=log.rows(validation),
        test=log.rows(test),
        num_classes=2,
        features=features,
        encoder=encoder,
        source="MovieLens-100k (Harper and Konstan 2015, grouplens.org), a rating of 4 or 5 is a click; "
        "for research, not to be redistributed, no commercial use without permission.",
    )


def raw_columns(folder: Path, table: np.ndarray) -> tuple[dict[str, np.ndarray], list[str]]:
    """Every raw column of the ratings but the history, and their genres, as texts."""
    user_id, age, gender, occupation, zip_code = read_keyed(folder / "u.user", _USER, _USER_FORM, FETCH)
    item_id, day, flags = read_keyed(folder / "u.item", _ITEM, _ITEM_FORM, FETCH)
    user = locate(table[:, 0], user_id, folder / "u.data", "u.user", FETCH)
    item = locate(table[:, 1], item_id, folder / "u.data", "u.item", FETCH)
    genres = ["|".join(np.array(GENRES)[np.array(row.split("|")) == "1"]) for row in flags]
    raw = {
        "user id": table[:, 0],
        "item id": table[:, 1],
        "gender": gender[user],
        "age": age[user],
        "occupation": occupation[user],
        "zip code": zip_code[user],
        "release date": day[item],
    }
    return raw, [genres[row] for row in item]


def _learn(raw: dict[str, np.ndarray], genres: list[str], train: np.ndarray) -> tuple[tuple[Feature, ...], Encoder]:
    """Features and encoder, learnt from the rows `train`; the width of `genres` from all films that are rated."""
    features: list[Feature] = []
    fields: list[Field] = []
    for name, column, side, derive in _COLUMNS:
        texts = raw[column][train] if derive is None else np.array([derive(text) for text in raw[column][train]])
        ids = IdField(name, column, vocabulary(texts), derive and derive.__name__)
        fields.append(ids)
        features.append(Categorical(name, ids.size, DIM, side))
    seen = {genre for row in train for genre in genres[row].split("|")}
    width = max(len(row.split("|")) for row in genres)
    several = IdsField("genres", "genres", tuple(genre for genre in GENRES if genre in seen), width)
    fields += several, HistoryField("history", "history", "item_id", HISTORY)
    features += (
        MultiCategorical("genres", several.size, width, DIM, "item"),
        History("history", "item_id", HISTORY),
    )
    return tuple(features), Encoder(tuple(fields))
