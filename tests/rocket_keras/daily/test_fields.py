"""What a log's columns are read as where nobody said it."""

import pytest

from rocket_keras.daily.fields import guess_fields
from rocket_keras.encoding.fields import IdField, NumberField
from rocket_keras.streaming import read_log

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def write(folder, **columns):
    path = folder / "day=1" / "part.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(arrow.table(columns), path)
    return read_log(folder)


def test_types_say_what_columns_are(tmp_path):
    log = write(
        tmp_path,
        user=["u"],
        ad=arrow.array(["a"]).dictionary_encode(),
        hour=arrow.array([3], arrow.int8()),
        price=[0.5],
        click=[1],
    )
    assert guess_fields(log, "click", user=("user",), item=("ad",)).fields == (
        IdField("user", "user", (), side="user"),
        IdField("ad", "ad", (), side="item"),
        IdField("hour", "hour", ()),
        NumberField("price", "price", 0.0, 1.0),
    )


def test_a_column_that_is_not_there_is_named(tmp_path):
    log = write(tmp_path, ad=["a"], click=[1])
    with pytest.raises(ValueError, match=r"part.parquet: expected a column 'clicked', received \['ad', 'click'\]"):
        guess_fields(log, "clicked")
    with pytest.raises(ValueError, match="expected a column 'user'"):
        guess_fields(log, "click", user=("user",))


def test_lists_are_for_a_file_of_fields(tmp_path):
    log = write(tmp_path, ad=[["a", "b"]], click=[1])
    with pytest.raises(ValueError, match="expected texts or numbers in column 'ad', received list"):
        guess_fields(log, "click")


def test_text_has_no_types(tmp_path):
    path = tmp_path / "day=1" / "part.csv"
    path.parent.mkdir()
    path.write_text("ad,click\na,1\n")
    with pytest.raises(ValueError, match="expected a Parquet log, whose columns have types, received csv"):
        guess_fields(read_log(tmp_path), "click")
