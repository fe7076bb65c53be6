"""Criteo's and Avazu's official files through `rocket_keras.streaming`: the same rows as the loaders into memory."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from rocket_keras.encoding import Encoder
from zoo.data import avazu, criteo

streaming = pytest.importorskip("rocket_keras.streaming", exc_type=ImportError)
DATA = Path(os.environ.get("ROCKET_KERAS_DATA", "nowhere"))


@pytest.fixture(params=[(criteo, "label"), (avazu, "click")], ids=["criteo", "avazu"])
def source(request):
    module, label = request.param
    if not (DATA / module.__name__.rpartition(".")[2]).is_dir():
        pytest.skip(f"ROCKET_KERAS_DATA names no folder with {module.__name__.rpartition('.')[2]}/")
    return module, label


def test_a_stream_has_the_loaders_rows(source):
    module, label = source
    data = module.load()
    batches = streaming.iter_batches(module.as_log(), data.encoder, label=label, batch_size=1000)
    begin = 0
    splits = [split for _, split in data.splits()]
    y = np.concatenate([split.y for split in splits])
    x = {name: np.concatenate([split.x[name] for split in splits]) for name in splits[0].x}
    for batch in batches:
        part = slice(begin, begin + len(batch))
        np.testing.assert_array_equal(batch.y, y[part])
        for name, column in x.items():
            np.testing.assert_array_equal(batch.x[name], column[part], err_msg=name)
        begin += len(batch)
    assert begin == len(y)


def test_an_encoder_is_learnt_as_the_loader_learns_it(source, tmp_path):
    """From the loader's train rows, written as a compressed file of their own."""
    module, _ = source
    log, data = module.as_log(), module.load()
    header = 0 if log.columns else 1
    lines = Path(log.files[0].path).read_bytes().splitlines(keepends=True)
    train = b"".join(lines[: header + len(data.train)])
    path = tmp_path / f"{Path(log.files[0].path).name}.gz"
    path.write_bytes(gzip.compress(train))
    learnt = streaming.learn_encoder(
        streaming.read_log(path, columns=log.columns), module.FIELDS, min_count=module.MIN_COUNT
    )
    sides = {field.name: field.side for field in learnt.fields}
    assert learnt == Encoder(data.encoder.fields).with_sides(sides)
