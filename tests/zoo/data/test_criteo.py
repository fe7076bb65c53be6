import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import criteo

COUNTS = ["1", "", "-2", "3", "1382", "", "15", "2", "181", "1", "2", "", "2"]


def lines(count=60):
    """The word C1 is new in the last rows; C2 is missing in every other row; C3 is of one row each."""
    for row in range(count):
        words = ["05db9164" if row < 50 else "ffffffff", "80e26c9b" * (row % 2), f"{row:08x}", *["68fd1e64"] * 23]
        yield "\t".join([str(int(row % 4 == 0)), *COUNTS, *words])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "criteo"
    inside.mkdir()
    (inside / "train.txt").write_text("".join(f"{line}\n" for line in lines()))
    return inside


def test_rows_are_the_files_rows(folder):
    data = criteo.load(folder.parent)
    assert [len(split) for _, split in data.splits()] == [48, 6, 6]
    assert [feature.name for feature in data.features] == [*criteo.COUNTS, *criteo.HASHES]
    assert not any(feature.privileged for feature in data.features)
    y = np.concatenate([split.y for _, split in data.splits()])
    np.testing.assert_array_equal(y, np.arange(60) % 4 == 0)
    np.testing.assert_array_equal(data.train.x["C1"], 1)
    np.testing.assert_array_equal(data.test.x["C1"], [1 if row < 50 else 0 for row in range(54, 60)])
    np.testing.assert_array_equal(data.train.x["C2"], np.arange(48) % 2 + 1)  # a missing word is a word
    np.testing.assert_array_equal(data.train.x["C3"], 0)  # each rarer than 4
    assert (criteo.load(folder, min_count=1).train.x["C3"] > 0).all()
    bins = {field.name: field.values for field in data.encoder.fields}
    assert [bins[name][0] for name in criteo.COUNTS[:7]] == ["=1", "", "=-2", "1", "52", "", "7"]


def test_a_gzipped_file_is_the_same(folder):
    before = criteo.load(folder).content_hash
    plain = folder / "train.txt"
    with gzip.open(folder / "train.txt.gz", "wb") as file:
        file.write(plain.read_bytes())
    plain.unlink()
    assert criteo.load(folder).content_hash == criteo.load(folder.parent, seed=3).content_hash == before


def test_chunks_are_the_encoders_raw_columns(folder, assert_encodes):
    data = criteo.load(folder)
    chunks = list(criteo.iter_chunks(folder, chunk_rows=6))
    assert len(chunks) == 10
    assert_encodes(data, chunks[-1], data.test)
    np.testing.assert_array_equal(chunks[-1]["label"].astype(int), data.test.y)


def test_rows_and_train_rows(folder):
    assert [len(split) for _, split in criteo.load(folder, rows=40, train_rows=5).splits()] == [5, 4, 4]


@pytest.mark.parametrize(
    ("old", "new"), [("1\t1\t", "2\t1\t"), ("\t1382\t", "\t1.5\t"), ("05db9164", "05DB9164"), ("\t68fd1e64\n", "\n")]
)
def test_names_a_bad_row(folder, old, new):
    file = folder / "train.txt"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(
        ValueError, match=r"row 1: expected 40 values in the official format.*fetch the Kaggle .* again"
    ):
        criteo.load(folder)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "train.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected train\.txt in .*ailab\.criteo\.com.*--data-dir"):
        criteo.load(folder.parent)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "criteo")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with criteo/")
def test_real_criteo():
    data = criteo.load(rows=8000)
    assert [len(split) for _, split in data.splits()] == [6400, 800, 800]
    assert 0.15 < data.train.y.mean() < 0.3
    sizes = {feature.name: feature.size for feature in data.features}
    assert 3 <= sizes["C9"] <= 5
    assert sizes["C3"] < 1 + 6400 // criteo.MIN_COUNT
