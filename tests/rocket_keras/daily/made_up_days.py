"""Small nets and small days for the tests of daily training."""

import json

import numpy as np
import pytest

import zoo
from rocket_keras.daily import Daily
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, NumberField

FIELDS = Encoder(
    (
        IdField("user", "user", (), side="user"),
        IdField("ad", "ad", (), side="item"),
        NumberField("price", "price", 0.0, 1.0, side="item"),
    )
)
GROWING = Daily(batch_size=64, min_count=1, margin=1.0, headroom=0.0)
"""New ads make the tables grow every day."""
HEADER = "click,user,ad,price"


def make(encoder, sizes):
    features = zoo.features_of(encoder, 4, sizes)
    return zoo.ctr_pair(features, light_units=(8,), booster_units=(16, 8), embedding="sparse")


def lines_of(day, rows=300):
    """Rows of a day, as lines of CSV; every day has ads of its own."""
    random = np.random.default_rng(day)
    user, ad = random.integers(0, 20, rows), random.integers(3 * day, 3 * day + 12, rows)
    clicks = (random.random(rows) < 0.2 + 0.6 * (user % 2)).astype(int)
    return [f"{c},u{u},a{a},{p:.3f}" for c, u, a, p in zip(clicks, user, ad, random.random(rows), strict=True)]


def write_day(log, day, lines=None, part=0):
    """Write a file of a day into the folder of a log, and return its path."""
    path = log / f"day={day}" / f"part-{part}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in [HEADER, *(lines_of(day) if lines is None else lines)]))
    return path


def told(records):
    """All that does not depend on the clock."""
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def weights(folder):
    """What the last state holds: every array of the weights, by its path in the file."""
    h5py = pytest.importorskip("h5py")
    found = {}
    current = json.loads((folder / "state" / "current.json").read_text())
    for path in sorted((folder / "state" / current["folder"]).glob("*.weights.h5")):
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item, path=path: (
                    found.update({f"{path.name}/{name}": item[()]}) if isinstance(item, h5py.Dataset) else None
                )
            )
    return found


def assert_same(folder, other):
    """Weights, slots of the rows and published files of two trainings are the same, bit by bit."""
    one, two = weights(folder), weights(other)
    assert one
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name], err_msg=name)
    names = {path.name for path in (folder / "published").iterdir()}
    assert names == {path.name for path in (other / "published").iterdir()}
    for name in names:
        assert (folder / "published" / name).read_bytes() == (other / "published" / name).read_bytes(), name
