import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import avazu

LINE = (
    "{id},{click},{hour},1005,0,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,{device},ddd2926e,44956a24,"
    "1,2,15706,320,50,1722,0,35,-1,79"
)


def lines(count=60):
    for row in range(count):
        hour = f"1410{21 + row // 24:02d}{row % 24:02d}"
        yield LINE.format(id=10**18 + row, click=int(row % 6 == 0), hour=hour, device=f"{row // 40:08x}")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "avazu"
    inside.mkdir()
    (inside / "train.csv").write_text("\n".join([",".join(avazu.COLUMNS), *lines()]) + "\n")
    return inside


def test_rows_are_the_files_rows(folder):
    data = avazu.load(folder.parent, min_count=1)
    assert [len(split) for _, split in data.splits()] == [48, 6, 6]
    names = [feature.name for feature in data.features]
    assert names == ["hour", "weekday", *avazu.COLUMNS[3:]]
    sides = {feature.name: feature.side for feature in data.features}
    assert {name for name in names if sides[name] == "user"} == set(avazu.DEVICE)
    y = np.concatenate([split.y for _, split in data.splits()])
    np.testing.assert_array_equal(y, np.arange(60) % 6 == 0)
    np.testing.assert_array_equal(data.train.x["hour"], np.arange(48) % 24 + 1)
    np.testing.assert_array_equal(data.train.x["weekday"], np.arange(48) // 24 + 1)
    np.testing.assert_array_equal(data.test.x["weekday"], 0)  # a day that is not in the train rows
    np.testing.assert_array_equal(data.train.x["device_id"], np.arange(48) // 40 + 1)


def test_rare_values_have_id_zero(folder):
    assert (avazu.load(folder, min_count=9).train.x["device_id"] == (np.arange(48) < 40)).all()


def test_chunks_are_the_encoders_raw_columns(folder, assert_encodes):
    data = avazu.load(folder, seed=7)
    chunks = list(avazu.iter_chunks(folder, chunk_rows=6))
    # The header is a line of the first chunk.
    last = {name: np.concatenate([chunk[name] for chunk in chunks])[-6:] for name in avazu.COLUMNS}
    assert_encodes(data, last, data.test)
    np.testing.assert_array_equal(last["click"].astype(int), data.test.y)


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        (",1005,", ",,", 2),
        (",14102101,", ",14102124,", 3),
        (",14102101,", ",14132101,", 3),
        (",1fbe01fe,", ",1fbe01f,", 2),
        (",79\n", "\n", 2),
    ],
)
def test_names_a_bad_row(folder, old, new, row):
    file = folder / "train.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=f"row {row}: expected 24 values in the official format.*kaggle.*again"):
        avazu.load(folder)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "train.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected train\.csv in .*avazu-ctr-prediction.*--data-dir"):
        avazu.load(folder.parent)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "avazu")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with avazu/")
def test_real_avazu():
    data = avazu.load(rows=8999)
    assert [len(split) for _, split in data.splits()] == [7201, 899, 899]
    assert 0.1 < data.train.y.mean() < 0.25
    sizes = {feature.name: feature.size for feature in data.features}
    assert (sizes["hour"], sizes["weekday"]) == (2, 2)  # the sample is of one hour
