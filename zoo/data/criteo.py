"""Criteo's display ads (Kaggle 2014) in their official format, train.txt or train.txt.gz: is the ad clicked?

The 13 counts become ids of bins, floor(log(v)^2) from 3 on (`zoo.transforms.log_square`), as the competition's winners
had it: a count that is missing is then an id like any other, and every column is looked up the same way.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField
from rocket_keras.encoding.transforms import log_square
from zoo.data import streaming
from zoo.data.splits import Dataset
from zoo.data.streaming import CHUNK_ROWS, Chunk, TextLog, find_log, split_in_order
from zoo.features import Categorical

if TYPE_CHECKING:
    from rocket_keras.streaming import Log

DIM = 16
MIN_COUNT = 4
COUNTS = tuple(f"I{number}" for number in range(1, 14))
HASHES = tuple(f"C{number}" for number in range(1, 27))
COLUMNS = ("label", *COUNTS, *HASHES)
FETCH = "the Kaggle Display Advertising Challenge's data (train.txt) from Criteo AI Lab (ailab.criteo.com)"

_FORM = re.compile(r"[01](?:\t(?:-?\d{1,10})?){13}(?:\t(?:[0-9a-f]{8})?){26}")
FIELDS = (*(IdField(name, name, (), log_square.__name__) for name in COUNTS), *(IdField(n, n, ()) for n in HASHES))


def load(
    data_dir: str | Path | None = None,
    *,
    seed: int = 0,
    train_rows: int | None = None,
    rows: int | None = None,
    min_count: int = MIN_COUNT,
) -> Dataset:
    """The ads in memory, split 8:1:1 in the file's order, which is that of time.

    `x` is one int32 `(n,)` column a feature, I1 to I13 and C1 to C26, whose meaning is not published: all are of the
    context. Id 0 stands for every value that is in fewer than `min_count` of the train rows. `y` is float32, 1 for a
    click; there are no users.

    Args:
        data_dir: The folder that holds `criteo/`, or `criteo` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Ignored: the split is by time.
        train_rows: Take the latest of the train rows, and the vocabularies from them; `None` is all.
        rows: Read the first rows of the file only: all 45,840,617 take 7 GB. `None` is all.
        min_count: Train rows that a value with an id of its own is in.

    Raises:
        FileNotFoundError: The file is missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, or too few rows. One line: file, row.
    """
    (train, validation, test), fields = split_in_order(_log(data_dir), FIELDS, "label", rows, train_rows, min_count)
    return Dataset(
        name="criteo",
        train=train,
        validation=validation,
        test=test,
        num_classes=2,
        features=tuple(Categorical(field.name, field.size, DIM) for field in fields),
        encoder=Encoder(fields),
        source="Criteo Display Advertising Challenge (Kaggle 2014), ads shown in seven days with most of those not "
        "clicked left out; under the terms of the competition.",
    )


def as_log(data_dir: str | Path | None = None) -> "Log":
    """The file as a log that `rocket_keras.streaming` reads: encoders are learnt from `FIELDS`, the labels are `label`.

    Raises:
        FileNotFoundError: As `load`.
        ImportError: The extra `data` is missing.
    """
    from rocket_keras.streaming import read_log

    return read_log(_log(data_dir).path, columns=COLUMNS)


def iter_chunks(data_dir: str | Path | None = None, chunk_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """The raw columns of the file, checked, as texts, in one pass with the memory of one chunk.

    `encoder.encode(chunk)` of a data set's encoder is `x`, and `chunk["label"]` holds "0" and "1".
    """
    return streaming.iter_chunks(_log(data_dir), chunk_rows)


def _log(data_dir: str | Path | None) -> TextLog:
    path = find_log(data_dir, "criteo", "train.txt", FETCH)
    return TextLog(path, COLUMNS, "\t", _FORM, None, FETCH)
