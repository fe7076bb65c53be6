import csv
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import shoppers
from zoo.data.tables import stratified_parts
from zoo.features import Categorical, Numeric

PRIVILEGED = {"Administrative_Duration", "Informational_Duration", "ProductRelated_Duration", "PageValues"}


def lines(count=40):
    """Rows whose ProductRelated grows; every third is of a new visitor, every fourth ends with a purchase."""
    return [
        f"1,{row}.5,0,0.0,{row + 1},{row * 10}.0,0.0,0.1,{row % 5}.0,0.0,May,2,2,1,{row % 2 + 1},"
        f"{'New_Visitor' if row % 3 == 0 else 'Returning_Visitor'},{'TRUE' if row % 2 else 'FALSE'},"
        f"{'TRUE' if row % 4 == 0 else 'FALSE'}"
        for row in range(count)
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "shoppers"
    inside.mkdir()
    text = "\n".join([",".join(shoppers.COLUMNS), *lines()]) + "\n"
    (inside / "online_shoppers_intention.csv").write_text(text)
    return inside


def test_dwell_times_and_page_values_are_privileged(folder):
    features = shoppers.load(folder).features
    assert {feature.name for feature in features if feature.privileged} == PRIVILEGED
    assert all(isinstance(feature, Numeric) for feature in features if feature.privileged)
    assert {feature.name for feature in features} == set(shoppers.COLUMNS) - {"Revenue"}


def test_rows_are_the_files_rows(folder):
    data = shoppers.load(folder.parent)
    assert [len(split) for _, split in data.splits()] == [24, 8, 8]
    column = {
        name: np.concatenate([split.x[name] for _, split in data.splits()])
        for name in ("ProductRelated", "ProductRelated_Duration", "VisitorType", "Weekend")
    }
    order = np.argsort(column["ProductRelated"])
    assert (np.diff(column["ProductRelated_Duration"][order]) > 0).all()
    np.testing.assert_array_equal(column["VisitorType"][order], np.where(np.arange(40) % 3 == 0, 1, 2))
    np.testing.assert_array_equal(column["Weekend"][order], np.arange(40) % 2 + 1)
    y = np.concatenate([split.y for _, split in data.splits()])[order]
    np.testing.assert_array_equal(y, np.arange(40) % 4 == 0)


def test_one_and_zero_are_true_and_false(folder):
    before = shoppers.load(folder).content_hash
    file = folder / "online_shoppers_intention.csv"
    file.write_text(file.read_text().replace("TRUE", "1").replace("FALSE", "0"))
    assert shoppers.load(folder).content_hash == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",FALSE,TRUE\n", ",FALSE,yes\n", "row 2: expected 'FALSE' or 'TRUE' or '0' or '1' in Revenue, received 'yes'"),
        ("1,1.5,", "1,,", "row 3: expected 18 values, none of them empty"),
        ("1,1.5,", "1,long,", "row 3: expected a number in Administrative_Duration, received 'long'"),
        ("Revenue", "revenue", "row 1: expected the columns Administrative,"),
    ],
)
def test_names_a_bad_row(folder, old, new, message):
    file = folder / "online_shoppers_intention.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=r"fetch Online Shoppers .* again") as error:
        shoppers.load(folder)
    assert f"{file}, {message}" in str(error.value)
    assert "\n" not in str(error.value)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "online_shoppers_intention.csv").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"online_shoppers_intention\.csv in .*archive\.ics\.uci\.edu.*--data-dir"
    ):
        shoppers.load(folder.parent)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "shoppers")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with shoppers/")
def test_real_online_shoppers():
    data = shoppers.load()
    assert [len(split) for _, split in data.splits()] == [7_398, 2_466, 2_466]
    assert sum(split.y.sum() for _, split in data.splits()) == 1_908
    for _, split in data.splits():
        assert abs(split.y.mean() - 0.155) < 1e-3
    sizes = {feature.name: feature.size for feature in data.features if isinstance(feature, Categorical)}
    assert (sizes["Month"], sizes["VisitorType"], sizes["Weekend"], sizes["Region"]) == (11, 4, 3, 10)
    assert shoppers.load(seed=1).content_hash != data.content_hash
    # That of zoo/results/compare_shoppers.json.
    assert data.content_hash == "5d5073c0becf9509c029ca9cf7898f37aaf08ca905bb2f6b9cbd21ca4e54a1ad"


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with shoppers/")
def test_the_encoder_makes_the_test_rows_of_the_files_rows(assert_encodes):
    data = shoppers.load()
    with (REAL / "online_shoppers_intention.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    bought = np.array([row["Revenue"] in ("TRUE", "1") for row in rows])
    _, _, test = stratified_parts(bought, 5, 0, None)
    raw = {name: [rows[row][name] for row in test] for name in shoppers.COLUMNS}
    assert_encodes(data, raw, data.test, privileged=True)
    for feature in data.features:
        if feature.privileged:
            del raw[feature.name]
    assert_encodes(data, raw, data.test)
