import csv
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import bank
from zoo.data.tables import stratified_parts
from zoo.features import Categorical

LINE = (
    '{age};"{job}";"married";"tertiary";"no";{balance};"yes";"no";'
    '"cellular";5;"may";{duration};1;{pdays};0;"{poutcome}";"{y}"'
)


def lines(count=40):
    values = {"job": ("admin.", "retired", "student"), "poutcome": ("unknown", "success")}
    return [
        LINE.format(
            age=20 + row,
            job=values["job"][row % 3],
            balance=100 * row - 900,
            duration=row * 7,
            pdays=(-1, 90)[row % 2],
            poutcome=values["poutcome"][row % 2],
            y="yes" if row % 4 == 0 else "no",
        )
        for row in range(count)
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "bank"
    inside.mkdir()
    write(inside, lines())
    return inside


def write(folder, rows):
    header = ";".join(f'"{name}"' for name in bank.COLUMNS)
    (folder / "bank-full.csv").write_text("\n".join([header, *rows]) + "\n")


def test_only_the_duration_is_privileged(folder):
    features = bank.load(folder).features
    assert [feature.name for feature in features if feature.privileged] == ["duration"]
    assert {feature.name for feature in features} == {*bank.COLUMNS, "called_before"} - {"y"}
    sides = {feature.name: feature.side for feature in features}
    assert (sides["job"], sides["balance"], sides["month"], sides["duration"]) == ("user", "user", "context", "context")


def test_rows_are_the_files_rows(folder):
    data = bank.load(folder.parent)
    assert [len(split) for _, split in data.splits()] == [32, 4, 4]
    rows = np.concatenate([split.x["age"] for _, split in data.splits()])
    order = np.argsort(rows)  # ages grow with the file's row
    for name in ("age", "balance", "duration"):
        column = np.concatenate([split.x[name] for _, split in data.splits()])[order]
        assert (np.diff(column) > 0).all(), name
    job = np.concatenate([split.x["job"] for _, split in data.splits()])[order]
    np.testing.assert_array_equal(job, np.arange(40) % 3 + 1)
    before = np.concatenate([split.x["called_before"] for _, split in data.splits()])[order]
    np.testing.assert_array_equal(before, np.arange(40) % 2 + 1)
    y = np.concatenate([split.y for _, split in data.splits()])[order]
    np.testing.assert_array_equal(y, np.arange(40) % 4 == 0)


def test_a_value_outside_the_train_rows_has_id_zero(folder):
    data = bank.load(folder, train_rows=1)
    assert {feature.size for feature in data.features if isinstance(feature, Categorical)} == {2}
    assert (data.train.x["job"] == 1).all()
    jobs = np.concatenate([data.validation.x["job"], data.test.x["job"]])
    assert set(jobs.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"yes"\n', '"maybe"\n', "row 2: expected 'no' or 'yes' in y, received 'maybe'"),
        (";1;-1;0;", ";1;soon;0;", "row 2: expected a whole number of days, or -1 for never in pdays, received 'soon'"),
        (";-900;", ";much;", "row 2: expected a number in balance, received 'much'"),
        ("21;", "old;", "row 3: expected a number in age, received 'old'"),
        (';"may";', ";", "row 2: expected 17 values, none of them empty"),
        ('"age";', "", "row 1: expected the columns age;job"),
    ],
)
def test_names_a_bad_row(folder, old, new, message):
    file = folder / "bank-full.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=r"fetch Bank Marketing .* again") as error:
        bank.load(folder)
    assert f"{file}, {message}" in str(error.value)
    assert "\n" not in str(error.value)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "bank-full.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"bank-full\.csv in .*archive\.ics\.uci\.edu.*--data-dir"):
        bank.load(folder.parent)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "bank")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with bank/")
def test_real_bank_marketing():
    data = bank.load()
    assert [len(split) for _, split in data.splits()] == [36_169, 4_521, 4_521]
    assert sum(split.y.sum() for _, split in data.splits()) == 5_289
    for _, split in data.splits():
        assert abs(split.y.mean() - 0.117) < 1e-3
    sizes = {feature.name: feature.size for feature in data.features if isinstance(feature, Categorical)}
    assert (sizes["job"], sizes["day"], sizes["month"], sizes["called_before"]) == (13, 32, 13, 3)
    for feature in data.features:
        if not isinstance(feature, Categorical):
            column = data.train.x[feature.name].astype(float)
            assert abs(column.mean()) < 1e-4
            assert abs(column.std() - 1) < 1e-4
    assert bank.load(seed=1).content_hash != data.content_hash
    # That of zoo/results/compare_bank.json.
    assert data.content_hash == "89a015a4d27ac672caf508779c96b6aca0f922fa41dc81a22172bb4cfdf68a6d"


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with bank/")
def test_the_encoder_makes_the_test_rows_of_the_files_rows(assert_encodes):
    data = bank.load()
    with (REAL / "bank-full.csv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    _, _, test = stratified_parts(np.array([row["y"] == "yes" for row in rows]), 10, 0, None)
    raw = {name: [rows[row][name] for row in test] for name in bank.COLUMNS}
    assert_encodes(data, raw, data.test, privileged=True)
    del raw["duration"]
    assert_encodes(data, raw, data.test)
