"""MovieLens-100k by weeks."""

import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import movielens100k, movielens_weeks

parquet = pytest.importorskip("pyarrow.parquet")
REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "ml-100k")
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with ml-100k/")


@pytest.fixture(scope="module")
def weeks(tmp_path_factory):
    folder = movielens_weeks.write(tmp_path_factory.mktemp("weeks"), REAL)
    return [parquet.ParquetFile(path).read() for path in sorted(folder.rglob("*.parquet"))]


def test_it_holds_every_rating_once_in_the_order_of_time(weeks):
    assert len(weeks) == 31
    assert [week.num_rows for week in weeks[:3]] == [5162, 2909, 3154]
    pairs = [
        pair for week in weeks for pair in zip(*(week[n].to_pylist() for n in ("user id", "item id")), strict=True)
    ]
    assert len(set(pairs)) == len(pairs) == 100_000
    assert sum(sum(week["click"].to_pylist()) for week in weeks) == 55_375


def test_a_row_is_encoded_as_the_loader_encodes_it(weeks):
    """With the loader's vocabularies: the loader splits by time, so its test rows are the last 10,000."""
    data = movielens100k.load(REAL)
    fields = {field.name: field for field in data.encoder.fields}
    encoder = type(data.encoder)(tuple(fields[field.name] for field in movielens_weeks.FIELDS.fields))
    raw = {name: np.concatenate([week[name].to_pylist() for week in weeks])[-10_000:] for name in encoder.columns()}
    encoded = encoder.encode(raw)
    for name, column in encoded.items():
        np.testing.assert_array_equal(column, data.test.x[name], err_msg=name)
