import csv
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import frappe
from zoo.features import Categorical

APPS = 12
LINE = "{}\t{}\t{}\t{}\tmonday\tworkday\thome\t{}\tsunny\tSpain\t{}"


def lines(count=40):
    random = np.random.RandomState(0)
    pairs = zip(random.randint(0, 5, count), random.randint(0, APPS, count), strict=True)
    return [
        LINE.format(user, app, row + 1, ("morning", "night", "noon")[row % 3], ("free", "paid")[app % 2], row % 4)
        for row, (user, app) in enumerate(pairs)
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "frappe"
    inside.mkdir()
    write(inside, lines())
    return inside


def write(folder, rows):
    (folder / "frappe.csv").write_text("\n".join(["\t".join(frappe.COLUMNS), *rows]) + "\n")


def decoded(data):
    """The rows of every split as texts: user, item, cost, and the context."""
    fields = data.encoder.fields
    for _, split in data.splits():
        columns = [[("?", *field.values)[i] for i in split.x[field.name]] for field in fields]
        yield split, list(zip(*columns, strict=True))


def test_features_leave_out_how_often_the_app_was_opened(folder):
    features = frappe.load(folder).features
    assert [feature.name for feature in features] == [
        "user_id", "item_id", "cost", "daytime", "weekday", "isweekend", "homework", "weather", "country", "city",
    ]  # fmt: skip
    assert all(isinstance(feature, Categorical) and not feature.privileged for feature in features)
    sides = {feature.name: feature.side for feature in features}
    assert (sides["user_id"], sides["item_id"], sides["cost"], sides["city"]) == ("user", "item", "item", "context")


@pytest.mark.parametrize("seed", range(3))
def test_two_unopened_apps_follow_every_launch(folder, seed):
    data = frappe.load(folder.parent, seed=seed)
    assert [len(split) for _, split in data.splits()] == [96, 12, 12]
    rows = [line.split("\t") for line in lines()]
    opened = {(row[0], row[1]) for row in rows}
    cost = {row[1]: row[7] for row in rows}
    launches = []
    for split, texts in decoded(data):
        np.testing.assert_array_equal(split.y, [1, 0, 0] * (len(split) // 3))
        for launch, *samples in zip(texts[::3], texts[1::3], texts[2::3], strict=True):
            launches.append(launch)
            assert len({launch[1], samples[0][1], samples[1][1]} - {"?"}) == 3 - [launch, *samples].count("?")
            for sample in samples:
                assert (sample[0], sample[1]) not in opened
                assert (sample[0], *sample[3:]) == (launch[0], *launch[3:])
                assert sample[2] == cost.get(sample[1], sample[2])
        known = [user != "?" for user, *_ in texts]
        np.testing.assert_array_equal(split.groups[known], [int(user) for user, *_ in texts if user != "?"])
    assert sorted(launches) == sorted((r[0], r[1], r[7], r[3], r[4], r[5], r[6], r[8], r[9], r[10]) for r in rows)


def test_split_and_samples_follow_the_seed(folder):
    assert frappe.load(folder, seed=3).content_hash == frappe.load(folder, seed=3).content_hash
    assert frappe.load(folder, seed=3).content_hash != frappe.load(folder, seed=4).content_hash


def test_a_value_outside_the_train_rows_has_id_zero(folder):
    data = frappe.load(folder, train_rows=1)
    assert {feature.size for feature in data.features} == {2}
    assert set(data.test.x["user_id"].tolist()) == {0, 1}
    with pytest.raises(ValueError, match="`train_rows` from 1 to 96, received 97"):
        frappe.load(folder, train_rows=97)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1\t2\t3"], "row 42: expected 11 values, none of them empty, received '1\\t2\\t3'"),
        ([LINE.format(1, 0, 1, "noon", "paid", 0)] * 2, "expected the cost of the app's other rows in cost, received"),
        (
            [LINE.format(9, app, 1, "noon", ("free", "paid")[app % 2], 0) for app in range(11)],
            "row 42: expected 2 apps that the user never opened in user, received '9'",
        ),
        ([LINE.format("x", 0, 1, "noon", "free", 0)], "row 42: expected a whole number in user, received 'x'"),
    ],
)
def test_names_a_bad_row(folder, rows, message):
    write(folder, [*lines(), *rows])
    with pytest.raises(ValueError, match=r"fetch Frappe .* again") as error:
        frappe.load(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "frappe.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected frappe\.csv in .*baltrunas\.info.*--data-dir"):
        frappe.load(folder.parent)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "frappe")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with frappe/")
def test_real_frappe(assert_encodes):
    data = frappe.load()
    assert [len(split) for _, split in data.splits()] == [230_889, 28_860, 28_860]
    sizes = {feature.name: feature.size for feature in data.features}
    assert (sizes["daytime"], sizes["weekday"], sizes["cost"], sizes["weather"]) == (8, 8, 3, 10)
    with (REAL / "frappe.csv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    launches = [rows[row] for row in np.random.RandomState(0).permutation(len(rows))[9_620:19_240]]
    raw = {name: [row[name] for row in launches] for name in frappe.COLUMNS}
    assert_encodes(data, raw, data.test.rows(slice(None, None, 3)))
    opened = {(row["user"], row["item"]) for row in rows}
    items = ("?", *data.encoder.fields[1].values)
    for start in (1, 2):
        sampled = data.test.rows(slice(start, None, 3))
        pairs = zip(sampled.groups, sampled.x["item_id"], strict=True)
        assert not any((str(user), items[item]) in opened for user, item in pairs)
