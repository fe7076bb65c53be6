"""Logs of numbered rows, whose numbers tell which ones a batch has; used by the tests of streams."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import KnownIdField, NumberField
from rocket_keras.streaming import Stream, read_log

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_log.py"))))
ENCODER = Encoder((KnownIdField("row", "row", 10**6), NumberField("price", "price", 0.0, 1.0)))


def write(folder, sizes, end="parquet"):
    first = 0
    for place, size in enumerate(sizes):
        numbers = np.arange(first, first + size)
        columns = {"click": numbers % 2, "row": numbers, "price": numbers / 7}
        made.write(folder / f"part-{place}.{end}", columns)
        first += size
    return read_log(folder)


def stream(log, batch_size=10, **options):
    return Stream(log, ENCODER, "click", batch_size, **{"shuffle_rows": 40, **options})


def numbers(batches):
    return [x["row"].tolist() for x, _ in batches]
