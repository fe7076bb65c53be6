"""A small log of clicks, written in any format, and what its rows are."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HistoryField, IdField, IdsField, KnownIdField, NumberField

FIELDS = (
    IdField("user", "user", ()),
    IdField("ad", "ad", ()),
    KnownIdField("slot", "slot", 5),
    NumberField("price", "price", 0.0, 1.0, "signed_log1p"),
    IdsField("words", "words", (), 3),
    HistoryField("before", "before", "ad", 2),
)


def rows(count=1000, seed=0, users=50):
    """Raw columns: texts, whole numbers, numbers, texts of several values; every row's `key` is another one."""
    random = np.random.default_rng(seed)

    def several(most):
        return ["|".join(map(str, random.integers(0, 9, random.integers(0, most)))) for _ in range(count)]

    return {
        "key": [f"{seed}-{row}" for row in range(count)],
        "click": random.integers(0, 2, count).tolist(),
        "user": [f"u{value}" for value in random.integers(0, users, count)],
        "ad": random.integers(0, 9, count).tolist(),
        "slot": random.integers(0, 5, count).tolist(),
        "price": np.round(random.normal(0, 100, count), 3).tolist(),
        "words": several(5),
        "before": several(4),
    }


def write(path, columns):
    """Write a log's file in the format that its name says."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path, row_group_size=100)
        return path
    delimiter = "," if ".csv" in path.name else "\t"
    quoting = "needed" if delimiter == "," else "none"
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink, pyarrow.csv.WriteOptions(delimiter=delimiter, quoting_style=quoting))
    text = sink.getvalue().to_pybytes().replace(b'"', b"")
    if path.suffix == ".gz":
        text = gzip.compress(text)
    elif path.suffix == ".zst":
        text = pa.compress(text, "zstd", asbytes=True)
    path.write_bytes(text)
    return path


def joined(*parts):
    """The columns of several files, one after the other."""
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}


def encoder(columns):
    """An encoder that knows half of the users and all ads and words."""
    users = tuple(sorted(set(columns["user"])))[::2]
    words = tuple(map(str, range(9)))
    return Encoder(
        (
            IdField("user", "user", users),
            IdField("ad", "ad", words),
            *FIELDS[2:3],
            NumberField("price", "price", 0.5, 2.0, "signed_log1p"),
            IdsField("words", "words", words, 3),
            FIELDS[5],
        )
    )
