"""Avazu's mobile ads (Kaggle 2014) in their official format, train.csv or train.csv.gz: is the ad clicked?"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField
from rocket_keras.encoding.transforms import hour_of_day, weekday
from zoo.data import streaming
from zoo.data.splits import Dataset
from zoo.data.streaming import CHUNK_ROWS, Chunk, TextLog, find_log, split_in_order
from zoo.features import Categorical

if TYPE_CHECKING:
    from rocket_keras.streaming import Log

DIM = 16
MIN_COUNT = 4
DEVICE = ("device_id", "device_ip", "device_model", "device_type", "device_conn_type")
PLACE = ("banner_pos", "site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category")
ANONYMOUS = ("C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21")
COLUMNS = ("id", "click", "hour", "C1", *PLACE, *DEVICE, *ANONYMOUS)
FETCH = "the Kaggle competition avazu-ctr-prediction's data (train.gz) from its page (kaggle.com), as train.csv"

_HOUR = r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])"
_FORM = re.compile(rf"\d{{1,20}},[01],{_HOUR}(?:,\d{{1,10}}){{2}}(?:,[0-9a-f]{{8}}){{9}}(?:,-?\d{{1,10}}){{10}}")
FIELDS = (
    IdField("hour", "hour", (), hour_of_day.__name__),
    IdField("weekday", "hour", (), weekday.__name__),
    *(IdField(name, name, ()) for name in COLUMNS[3:]),
)


def load(
    data_dir: str | Path | None = None,
    *,
    seed: int = 0,
    train_rows: int | None = None,
    rows: int | None = None,
    min_count: int = MIN_COUNT,
) -> Dataset:
    """The ads in memory, split 8:1:1 in the file's order, which is that of time.

    `x` is one int32 `(n,)` column a feature: hour (of the day), weekday, and all official columns but `id`, which names
    the row. Those of the device are the user's, all others the context's. Id 0 stands for every value that is in fewer
    than `min_count` of the train rows. `y` is float32, 1 for a click; there are no users.

    Args:
        data_dir: The folder that holds `avazu/`, or `avazu` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Ignored: the split is by time.
        train_rows: Take the latest of the train rows, and the vocabularies from them; `None` is all.
        rows: Read the first rows of the file only: all 40,428,967 take 4 GB. `None` is all.
        min_count: Train rows that a value with an id of its own is in.

    Raises:
        FileNotFoundError: The file is missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, or too few rows. One line: file, row.
    """
    (train, validation, test), fields = split_in_order(_log(data_dir), FIELDS, "click", rows, train_rows, min_count)
    return Dataset(
        name="avazu",
        train=train,
        validation=validation,
        test=test,
        num_classes=2,
        features=tuple(
            Categorical(field.name, field.size, DIM, "user" if field.name in DEVICE else "context") for field in fields
        ),
        encoder=Encoder(fields),
        source="Avazu Click-Through Rate Prediction (Kaggle 2014), ads shown on mobile devices in ten days with most "
        "of those not clicked left out; under the terms of the competition.",
    )


def as_log(data_dir: str | Path | None = None) -> "Log":
    """The file as a log that `rocket_keras.streaming` reads: encoders are learnt from `FIELDS`, the labels are `click`.

    Raises:
        FileNotFoundError: As `load`.
        ImportError: The extra `data` is missing.
    """
    from rocket_keras.streaming import read_log

    return read_log(_log(data_dir).path)


def iter_chunks(data_dir: str | Path | None = None, chunk_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """The raw columns of the file, checked, as texts, in one pass with the memory of one chunk.

    `encoder.encode(chunk)` of a data set's encoder is `x`, and `chunk["click"]` holds "0" and "1".
    """
    return streaming.iter_chunks(_log(data_dir), chunk_rows)


def _log(data_dir: str | Path | None) -> TextLog:
    path = find_log(data_dir, "avazu", "train.csv", FETCH)
    return TextLog(path, COLUMNS, ",", _FORM, ",".join(COLUMNS), FETCH)
