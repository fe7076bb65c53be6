"""The simulated log that drifts."""

import numpy as np
import pytest

from rocket_keras.metrics import auc
from zoo.data import drift


@pytest.fixture(scope="module")
def days():
    return list(drift.simulate(12, 4000))


def test_fewer_days_are_the_first_of_more(days):
    again = list(drift.simulate(2, 4000))
    for one, other in zip(again, days, strict=False):
        assert all((one.columns[name] == column).all() for name, column in other.columns.items())
        np.testing.assert_array_equal(one.logit, other.logit)


def test_every_day_has_the_columns_that_its_fields_read(days):
    raw = days[0].columns
    assert {len(column) for column in raw.values()} == {4000}
    encoded = drift.FIELDS.encode(raw)
    assert set(encoded) == {field.name for field in drift.FIELDS.fields}
    assert set(raw) - {field.column for field in drift.FIELDS.fields} == {"click"}


def test_ads_and_users_come_and_ads_go(days):
    first, last = (set(days[place].columns["ad_id"]) for place in (0, -1))
    assert len(first & last) < 0.5 * len(first)  # an ad runs for ten days in the mean
    assert set(days[-1].columns["user_id"]) - set(days[0].columns["user_id"])


def test_the_true_logit_foretells_clicks_and_wanders(days):
    for day in days:
        clicks = day.columns["click"]
        assert 0.76 < auc(clicks, day.logit) < 0.87
        foretold = (1 / (1 + np.exp(-day.logit))).mean()
        assert abs(clicks.mean() - foretold) < 4 * np.sqrt(0.25 / len(clicks))
    tables = drift._World(np.random.RandomState(drift.SEED)), drift._World(np.random.RandomState(drift.SEED))
    for _ in range(10):
        tables[1].wander()
    before, after = (world._wanders["appeal"].ravel() for world in tables)
    assert 0.4 < np.corrcoef(before, after)[0, 1] < 0.95


def test_it_is_written_by_days(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = drift.write(tmp_path / "log", days=2, rows=50)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet")) == [
        "day=01/part-0.parquet",
        "day=02/part-0.parquet",
    ]
    table = parquet.ParquetFile(folder / "day=02" / "part-0.parquet").read()
    *_, last = drift.simulate(2, 50)
    assert set(table.column_names) == set(last.columns)
    assert table.column("ad_id").to_pylist() == last.columns["ad_id"].tolist()


@pytest.mark.parametrize(("days", "rows"), [(0, 5), (5, 0)])
def test_no_days_are_refused(days, rows):
    with pytest.raises(ValueError, match="expected `days` and `rows` of at least 1, received"):
        next(drift.simulate(days, rows))
