"""MovieLens-100k as a log of 31 weeks, `week=01/part-0.parquet` and on, for training that goes on week by week."""

from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HistoryField, IdField, IdsField
from rocket_keras.encoding.transforms import age_group, year_of_date
from rocket_keras.extras import require
from zoo.data.files import find_folder
from zoo.data.histories import histories
from zoo.data.movielens100k import CLICK_RATING, FETCH, HISTORY, raw_columns
from zoo.data.ratings import read_ratings

WEEK = 7 * 86_400
GENRES = 6
"""Places of a film's genres."""
FIELDS = Encoder(
    (
        IdField("user_id", "user id", (), side="user"),
        IdField("item_id", "item id", (), side="item"),
        IdField("gender", "gender", (), side="user"),
        IdField("age", "age", (), age_group.__name__, side="user"),
        IdField("occupation", "occupation", (), side="user"),
        IdField("year", "release date", (), year_of_date.__name__, side="item"),
        IdsField("genres", "genres", (), GENRES, side="item"),
        HistoryField("history", "history", "item_id", HISTORY, side="user"),
    )
)
"""What a net reads of a row; the vocabularies are learnt from the log."""


def write(folder: str | Path, data_dir: str | Path | None = None) -> Path:
    """Write the ratings by weeks from the first one on, in the order of time; a rating of 4 or 5 is a click.

    The history of a row are the films of the user's last clicks strictly before the row's second, as texts with `|`
    between.

    Args:
        folder: Where the log goes.
        data_dir: The folder that holds `ml-100k/`, or `ml-100k` itself; `None` takes ROCKET_KERAS_DATA.

    Returns:
        The folder.

    Raises:
        FileNotFoundError, ValueError: As `zoo.data.movielens100k.load`.
        ImportError: pyarrow is missing.
    """
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    source = find_folder(data_dir, "ml-100k", ("u.data", "u.user", "u.item"), FETCH)
    table = read_ratings(source / "u.data", b"\t", "user, item, rating and timestamp with tabs between", FETCH)
    raw, genres = raw_columns(source, table)
    clicked = table[:, 2] >= CLICK_RATING
    events = table[clicked, 0], table[clicked, 3], table[clicked, 1]
    seen = histories(events, (table[:, 0], table[:, 3]), HISTORY)
    columns = {name: np.asarray(column).astype(str).astype(object) for name, column in raw.items()}
    del columns["zip code"]  # nearly one a user
    columns["genres"] = np.array(genres, dtype=object)
    columns["history"] = np.array(["|".join(str(film) for film in row if film >= 0) for row in seen], dtype=object)
    columns["click"] = clicked.astype(np.int8)
    week = (table[:, 3] - table[:, 3].min()) // WEEK + 1
    order = np.argsort(table[:, 3], kind="stable")
    folder = Path(folder)
    for number in np.unique(week):
        rows = order[week[order] == number]
        path = folder / f"week={number:02d}" / "part-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(arrow.table({name: column[rows] for name, column in columns.items()}), path)
    return folder
