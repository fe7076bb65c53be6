import json
import math

import numpy as np
import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HistoryField, IdField, IdsField, KnownIdField, NumberField

FIELDS = (
    IdField("job", "profession", ("cook", "smith", "7")),
    IdField("called", "pdays", ("no", "yes"), derive="called_before"),
    KnownIdField("slot", "slot", 4),
    NumberField("balance", "balance", 0.5, 2.0, "signed_log1p"),
    NumberField("duration", "duration", 0.0, 1.0, privileged=True),
    IdsField("tags", "tags", ("red", "green"), 3),
    HistoryField("before", "jobs", "job", 2),
)
RAW = {
    "profession": ["smith", "clown", 7, 7.0],
    "pdays": [-1, "90", "-1", 3],
    "slot": ["3", 0, 1.0, "2"],
    "balance": [0, "-1", math.e - 1, 10],
    "tags": ["green|blue", [], ["red", "red", "green", "red"], ""],
    "jobs": ["cook|smith|clown", (), [7], np.array(["smith", "cook"])],
}


def test_encodes_every_kind_of_column():
    x = Encoder(FIELDS).encode(RAW)
    expected = {
        "job": [2, 0, 3, 3],
        "called": [1, 2, 1, 2],
        "slot": [3, 0, 1, 2],
        "tags": [[2, 0, -1], [-1, -1, -1], [1, 1, 2], [-1, -1, -1]],
        "before": [[2, 0], [-1, -1], [3, -1], [2, 1]],
    }
    assert set(x) == {*expected, "balance"}
    for name, ids in expected.items():
        assert x[name].dtype == np.int32
        np.testing.assert_array_equal(x[name], ids, err_msg=name)
    assert x["balance"].dtype == np.float32
    np.testing.assert_allclose(x["balance"], (np.array([0, -np.log(2), 1, np.log(11)]) - 0.5) / 2, atol=5.1e-5)


def test_the_form_of_a_column_changes_nothing():
    arrays = {name: np.array(RAW[name], dtype=str) for name in ("profession", "pdays", "slot", "balance")}
    arrays["profession"][3] = "7"
    objects = {name: np.array([*RAW[name], None], dtype=object)[:-1] for name in ("tags", "jobs")}
    expected = Encoder(FIELDS).encode(RAW)
    for name, column in Encoder(FIELDS).encode({**arrays, **objects, "other": [1]}).items():
        np.testing.assert_array_equal(column, expected[name], err_msg=name)


def test_privileged_columns_are_read_only_when_asked_for():
    encoder = Encoder(FIELDS)
    assert "duration" not in encoder.columns()
    assert set(encoder.columns(privileged=True)) == {*RAW, "duration"}
    x = encoder.encode({**RAW, "duration": [1, 2, 3, 4]}, privileged=True)
    np.testing.assert_array_equal(x["duration"], [1, 2, 3, 4])
    with pytest.raises(ValueError, match="received none named 'duration'; add it"):
        encoder.encode(RAW, privileged=True)


def test_no_rows_have_no_ids():
    x = Encoder(FIELDS).encode({name: [] for name in RAW})
    assert {name: column.shape for name, column in x.items()} == {
        "job": (0,), "called": (0,), "slot": (0,), "balance": (0,), "tags": (0, 3), "before": (0, 2),
    }  # fmt: skip


def test_json_round_trip():
    encoder = Encoder((*FIELDS, IdField("word", "word", ("Zoë", 'a"b', ""))))
    text = encoder.to_json()
    assert Encoder.from_json(text) == encoder
    assert Encoder.from_json(text).to_json() == text
    moments = Encoder((NumberField("n", "n", 1 / 3, math.pi),))
    assert Encoder.from_json(moments.to_json()).fields[0] == moments.fields[0]


def spoiled(**changes):
    content = json.loads(Encoder(FIELDS).to_json())
    content["fields"][0] |= changes
    return json.dumps(content)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": "rocket-keras encoder 99", "fields": []}',
        '{"format": "rocket-keras encoder 1", "fields": []}',
        spoiled(kind="Exec"),
        spoiled(values=["cook", "cook"]),
        spoiled(values=[1, 2]),
        spoiled(derive="eval"),
        spoiled(colour="red"),
    ],
)
def test_refuses_json_that_is_no_encoder(text):
    with pytest.raises(
        ValueError, match="expected the JSON of an encoder, format 'rocket-keras encoder 1', r"
    ) as error:
        Encoder.from_json(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("profession", 2, None, "expected a text or a whole number, received 'None'"),
        ("profession", 1, 2.5, "expected a text or a whole number, received '2.5'"),
        ("profession", 3, True, "expected a text or a whole number, received 'True'"),
        ("profession", 3, math.nan, "expected a text or a whole number, received 'nan'"),
        ("pdays", 1, "soon", "expected a whole number of days, or -1 for never, received 'soon'"),
        ("slot", 0, 4, "expected a whole number from 0 to 3, received '4'"),
        ("slot", 2, "0.5", "expected a whole number from 0 to 3, received '0.5'"),
        ("balance", 1, "much", "expected a number, received 'much'"),
        ("balance", 1, None, "expected a number, received 'None'"),
        ("balance", 3, "inf", "expected a number, received 'inf'"),
        ("tags", 3, 5, "expected a list, or a text of values with '|' between, received '5'"),
        ("jobs", 1, ["cook", None], "expected a text or a whole number, received 'None'"),
    ],
)
def test_names_column_and_row(column, row, value, message):
    values = list(RAW[column])
    values[row] = value
    with pytest.raises(ValueError, match="expected") as error:
        Encoder(FIELDS).encode({**RAW, column: values})
    assert str(error.value) == f"raw column {column!r}, row {row}: {message}; mend the value or leave the row"


def test_refuses_a_missing_column_and_unequal_lengths():
    rest = {name: values for name, values in RAW.items() if name != "slot"}
    with pytest.raises(ValueError, match=r"expected the raw columns \['profession', .*received none named 'slot'; add"):
        Encoder(FIELDS).encode(rest)
    with pytest.raises(ValueError, match=r"expected raw columns of one length, received .*'slot': 2"):
        Encoder(FIELDS).encode({**RAW, "slot": [1, 2]})


@pytest.mark.parametrize("values", ["cook", 7, np.array("cook"), None])
def test_refuses_a_column_that_is_one_value(values):
    with pytest.raises(ValueError, match="raw column 'profession': expected an array or list of values, received"):
        Encoder(FIELDS).encode({**RAW, "profession": values})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Encoder(()), "expected fields of different names, received []"),
        (lambda: Encoder((FIELDS[0], FIELDS[0])), "expected fields of different names, received ['job', 'job']"),
        (
            lambda: Encoder(FIELDS[2:]),
            "expected `of` of HistoryField 'before' to name an IdField or HashedIdField, received 'job'",
        ),
        (lambda: IdField("a", "a", ["x"]), "expected `values` of field 'a' to be a tuple of texts"),
        (lambda: IdField("a", "a", ("x", "x")), "expected each of `values` of field 'a' once"),
        (lambda: IdField("a", "a", (), derive="x"), "expected `derive` of field 'a' to be one of ['age_group', "),
        (lambda: NumberField("a", "a", 0.0, 1.0, "x"), "expected `transform` of field 'a' to be one of ['as_is', "),
        (lambda: NumberField("a", "a", 0.0, 0.0), "expected a finite `mean` and `std` above 0 of field 'a'"),
        (lambda: NumberField("a", "a", math.nan, 1.0), "expected a finite `mean` and `std` above 0 of field 'a'"),
    ],
)
def test_refuses_impossible_fields(make, message):
    with pytest.raises(ValueError, match="expected") as error:
        make()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_side_is_one_of_three():
    with pytest.raises(ValueError, match=r"expected `side` of field 'job' to be one of .*received 'usr'"):
        Encoder((IdField("job", "profession", ("cook",), side="usr"),))


def test_sides_travel_with_the_encoder():
    sides = dict(zip((field.name for field in FIELDS), ("user", "item", "context") * 3, strict=False))
    again = Encoder.from_json(Encoder(FIELDS).with_sides(sides).to_json())
    assert {field.name: field.side for field in again.fields} == sides
