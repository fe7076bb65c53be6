"""Columns of every Arrow type: one value is one value, and a type that cannot be read is named with its column."""

import datetime
import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from rocket_keras.daily.fields import guess_fields
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HashedIdField, HistoryField, IdField, IdsField, KnownIdField, NumberField
from rocket_keras.metrics import GAUC
from rocket_keras.streaming import LogError, Report, Tolerance, iter_batches, learn_encoder, read_log

ROW = KnownIdField("row", "row", 9)
TEXTS = [pa.string(), pa.large_string(), pa.string_view()]
TEXTS += [pa.dictionary(pa.int32(), kind) for kind in (pa.string(), pa.large_string())]
OTHERS = {
    pa.int64(): [1, 2, 1],
    pa.uint64(): [2**64 - 1, 2, 1],
    pa.dictionary(pa.int8(), pa.int64()): [1, 2, 1],
    pa.float32(): [1.0, 2.5, 1.0],
    pa.decimal128(5, 2): [decimal.Decimal("1.50"), decimal.Decimal("2.00"), decimal.Decimal("1.00")],
    pa.bool_(): [True, False, True],
    pa.timestamp("us"): [datetime.datetime(2020, 1, day) for day in (1, 2, 3)],
    pa.date32(): [datetime.date(2020, 1, day) for day in (1, 2, 3)],
    pa.binary(): [b"a", b"b", b"a"],
}
FIELDS = {
    "id": IdField("column", "column", ()),
    "hash": HashedIdField("column", "column", 10),
    "known": KnownIdField("column", "column", 9),
    "number": NumberField("column", "column", 0.0, 1.0),
    "ids": IdsField("column", "column", (), 2),
    "history": HistoryField("column", "column", "item", 2),
}


def write(folder, column, name="log.parquet"):
    rows = len(column)
    table = pa.table({"column": column, "item": ["a"] * rows, "row": np.arange(rows), "click": [0, 1] * (rows // 2)})
    pyarrow.parquet.write_table(table, folder / name, row_group_size=2)
    return folder


def read(log, **options):
    report, given = Report(), {"extra": ("column",), "tolerance": Tolerance(share=1), **options}
    batches = list(iter_batches(log, Encoder((ROW,)), "click", 9, report=report, **given))
    assert len(batches) == 1
    return batches[0], report


@pytest.mark.parametrize("kind", TEXTS, ids=str)
def test_texts_of_every_type_are_alike_with_nulls(tmp_path, kind):
    folder = write(tmp_path, pa.array(["a", None, "b", "a"], kind))
    batch, report = read(read_log(folder))
    assert (batch.x["row"].tolist(), batch.extra["column"].tolist()) == ([0, 2, 3], ["a", "b", "a"])
    assert report.reasons == {"column: expected a value": 1}
    batch, report = read(read_log(folder, missing="?"))
    assert (batch.extra["column"].tolist(), report.bad) == (["a", "?", "b", "a"], 0)
    gauc = GAUC()
    gauc.update_state(batch.y, batch.y, batch.extra["column"])
    (field,) = learn_encoder(read_log(folder, missing="?"), [FIELDS["id"]]).fields
    assert field.values == ("?", "a", "b")


@pytest.mark.parametrize("kind", OTHERS, ids=str)
def test_nulls_do_not_change_the_type_of_other_columns(tmp_path, kind):
    """A column of ids with a null is not one of floats, in which large ids are others."""
    values = OTHERS[kind]
    (tmp_path / "with").mkdir()
    whole, _ = read(read_log(write(tmp_path, pa.array([values[0], values[0], *values[1:]], kind))))
    for missing in (None, "?"):
        log = read_log(write(tmp_path / "with", pa.array([values[0], None, *values[1:]], kind)), missing=missing)
        batch, report = read(log)
        assert report.reasons == {"column: expected a value": 1}
        assert batch.extra["column"].dtype == whole.extra["column"].dtype
        np.testing.assert_array_equal(batch.extra["column"], whole.extra["column"][[0, 2, 3]])


def test_a_null_within_a_dictionary_is_a_null(tmp_path):
    """Parquet has no such columns, but a block may."""
    from rocket_keras.streaming.columns import values_of

    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array([None, "a"]))
    assert values_of(column, None)[1].tolist() == [True, False, True]
    assert values_of(column, "?")[0].tolist() == ["?", "a", "?"]


WRONG = {
    "id": [pa.bool_(), pa.timestamp("us"), pa.decimal128(5, 2), pa.list_(pa.int64()), pa.struct([("a", pa.int64())])],
    "hash": [pa.bool_(), pa.binary(), pa.map_(pa.string(), pa.int64())],
    "known": [pa.timestamp("us"), pa.list_(pa.int64())],
    "number": [pa.date32(), pa.duration("us"), pa.struct([("a", pa.int64())])],
    "ids": [pa.int64(), pa.list_(pa.list_(pa.string())), pa.map_(pa.string(), pa.int64()), pa.list_(pa.bool_())],
    "history": [pa.float32(), pa.binary(), pa.dictionary(pa.int8(), pa.int64())],
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in WRONG.items() for kind in kinds], ids=str)
def test_a_type_that_a_field_does_not_read_is_named(tmp_path, name, kind):
    log = read_log(write(tmp_path, pa.array([None] * 4, kind)))
    fields = (IdField("item", "item", ("a",)), FIELDS[name])
    for call in (lambda: list(iter_batches(log, Encoder(fields), "click", 9)), lambda: learn_encoder(log, fields)):
        with pytest.raises(LogError, match=r"log\.parquet: expected .* in column 'column', received .*; cast") as error:
            call()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("role", ["label", "weight"])
def test_labels_and_weights_are_numbers(tmp_path, role):
    for kind, name in ((pa.timestamp("us"), "a.parquet"), (pa.list_(pa.int64()), "b.parquet")):
        log = read_log(write(tmp_path, pa.array([None] * 4, kind), name) / name)
        options = {"label": "click", role: "column", "batch_size": 9}
        with pytest.raises(LogError, match="expected numbers, or texts of numbers in column 'column', received"):
            list(iter_batches(log, Encoder((ROW,)), **options))


def test_columns_of_nulls_alone(tmp_path):
    log = read_log(write(tmp_path, pa.nulls(4)), missing="?")
    (field,) = learn_encoder(log, [FIELDS["id"]]).fields
    assert field.values == ("?",)
    for name in ("ids", "number", "known"):
        with pytest.raises(LogError, match="column: expected a"):
            list(iter_batches(log, Encoder((FIELDS[name],)), "click", 9))


@pytest.mark.parametrize("content", [b"", b"PAR1 no more"])
def test_fields_are_guessed_from_the_first_whole_file(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    write(tmp_path, pa.array(["a", "b", "c", "d"]), "b.parquet")
    if not content:
        assert [field.name for field in guess_fields(read_log(tmp_path), "click").fields] == ["column", "item", "row"]
        (tmp_path / "b.parquet").write_bytes(b"")
    with pytest.raises(LogError, match=r"parquet: expected a (whole )?Parquet file") as error:
        guess_fields(read_log(tmp_path), "click")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", [0, 1])
def test_texts_as_labels_or_scores_are_refused(place):
    columns = [np.array([0, 1]), np.array([0.1, 0.2])]
    columns[place] = np.array(["no", "yes"])
    with pytest.raises(ValueError, match=r"y_(true|pred) expected (labels 0 or 1|scores), received 'no' in row 0"):
        GAUC().update_state(*columns, np.array([1, 1]))
