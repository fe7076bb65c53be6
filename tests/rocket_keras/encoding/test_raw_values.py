import warnings

import numpy as np
import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HistoryField, IdField, IdsField, KnownIdField, NumberField
from rocket_keras.encoding.transforms import TEXTS
from rocket_keras.metrics import GAUC

PRICE = NumberField("price", "price", 0.0, 1.0)
LOG_PRICE = NumberField("price", "price", 0.0, 1.0, "signed_log1p")
SLOT = KnownIdField("slot", "slot", 7)
USER = IdField("user", "user", ("7", "-3", "4294967303", "18446744073709551623"))
ENCODER = Encoder((USER, SLOT, PRICE, IdsField("tags", "tags", ("7", "a"), 2)))
RAW = {"user": [7, -3, 5], "slot": [3, 0, 6], "price": [0.5, 2.0, -1.0], "tags": [["a"], [7, "b"], []]}
X = {"user": [1, 2, 0], "slot": [3, 0, 6], "price": [0.5, 2.0, -1.0], "tags": [[2, -1], [1, 0], [-1, -1]]}


def forms(values):
    """A column as a list, and as arrays of its own type and of objects."""
    return values, np.array(values), np.array(values, object)


def refused(field, values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=rf"raw column '{field.column}', row 1: expected a") as error:
            Encoder((field,)).encode({field.column: values})
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("field", [PRICE, SLOT])
@pytest.mark.parametrize("text", ["1_0", "٣", "１", "1,0", "0x3", "", " ", "nan", "inf"])
def test_what_is_no_number_in_ascii_digits_is_refused(field, text):
    for values in forms(["1", text]):
        refused(field, values)


@pytest.mark.parametrize("text", ["3", "+3", " 3", "3.", "3e0", "0.3e1", "03"])
def test_other_spellings_of_a_number_are_that_number(text):
    for values in forms(["1", text]):
        assert PRICE.encode(values).tolist() == SLOT.encode(values).tolist() == [1, 3]


@pytest.mark.parametrize("field", [PRICE, LOG_PRICE])
@pytest.mark.parametrize("value", [1e300, -1e300, 1.1e18, 10**400, float("nan"), float("-inf"), np.ma.masked])
def test_numbers_out_of_range_are_refused(field, value):
    kind = "a number from -1e+18 to 1e+18" if value in (1e300, -1e300, 1.1e18) else "a number, received"
    assert kind in refused(field, [1.0, value])
    if isinstance(value, float):
        assert kind in refused(field, np.array([1.0, value]))
        assert kind in refused(field, ["1", str(value)])


def test_the_largest_number_is_encoded():
    np.testing.assert_array_equal(PRICE.encode([1e18, -1e18]), np.array([1e18, -1e18], np.float32))
    np.testing.assert_allclose(LOG_PRICE.encode([1e18]), [np.log1p(1e18)], atol=1e-4)


def test_a_number_that_overflows_when_it_is_standardised_is_refused():
    assert "float32 holds when it is standardised" in refused(NumberField("p", "p", 0.0, 1e-30), [1.0, 1e10])


@pytest.mark.parametrize("value", [7, -1, 2**32 + 3, 2**64 + 3, -(2**32) + 3, 3.5, "4294967299", np.uint64(2**63 + 3)])
def test_an_id_out_of_range_does_not_become_anothers(value):
    refused(SLOT, [3, value])


@pytest.mark.parametrize("size", [0, -1, 2**31, 2**33, 3.0, True])
def test_sizes_and_lengths_are_numbers_that_int32_holds(size):
    makers = {
        "size": lambda: KnownIdField("a", "a", size),
        "length": lambda: IdsField("a", "a", (), size),
        "`length`": lambda: HistoryField("a", "a", "user", size),
    }
    for name, make in makers.items():
        with pytest.raises(ValueError, match=rf"expected `?{name}`? of field 'a' from 1 to 2147483647, received"):
            make()


def test_whole_numbers_of_any_size_and_sign_are_ids():
    values = [7, -3, 2**32 + 7, 2**64 + 7, 7.0, np.int8(7), np.uint64(2**32 + 7), np.float32(-3)]
    assert USER.encode(values).tolist() == [1, 2, 3, 4, 1, 1, 3, 2]
    assert USER.encode(np.array([7, -3, 2**32 + 7])).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "values",
    [
        [7.0, 2.0**53],
        np.array([7.0, 1e300]),
        np.array([7, 2**24 + 1], np.float32),
        [7, np.float32(2**24)],
        [7, np.timedelta64(7, "ns")],
        np.array(["2020-01-01", "2020-01-02"], "M8[ns]")[[0, 1]],
        np.array([7, 7], "m8[ns]"),
        np.ma.array([7, 7], mask=[False, True]),
    ],
)
def test_floats_that_may_be_another_id_and_times_are_no_ids(values):
    row = 0 if getattr(values, "dtype", None) is not None and values.dtype.kind in "mM" else 1
    with pytest.raises(ValueError, match=f"raw column 'user', row {row}: expected a text or a whole number, received"):
        Encoder((USER,)).encode({"user": values})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("called_before", "-١"),
        ("age_group", "٣٠"),
        ("log_square", "١٢"),
        ("hour_of_day", "1410210٣"),
        ("weekday", "1410210٣"),
        ("year_in_title", "Heat (١٩٩٥)"),
        ("year_of_date", "01-Jan-١٩٩٥"),
    ],
)
def test_derived_texts_have_ascii_digits(name, text):
    with pytest.raises(ValueError, match=r"."):
        TEXTS[name](text)


class Polars:
    """As much of a polars Series as is asked for."""

    def __init__(self, values):
        self.values, self.dtype = values, "Int64"

    def __len__(self):
        return len(self.values)

    def __array__(self, *_, **__):
        return np.array([np.nan if value is None else value for value in self.values])

    def to_arrow(self):
        raise AssertionError

    def to_list(self):
        return list(self.values)


def frames(raw):
    pandas, arrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    tags = [["a"], [], []] if None in raw["tags"] else [[str(v) for v in row] for row in raw["tags"]]
    table = arrow.table({**raw, "tags": tags})
    for index in ([7, 8, 9], [1, 0, 2], ["x", "y", "y"]):
        yield pandas.DataFrame(raw, index=index)
        yield {name: pandas.Series(values, index) for name, values in raw.items()}
    yield pandas.DataFrame(raw, index=[2, 1, 0]).convert_dtypes()
    yield table
    yield dict(zip(table.column_names, table.columns, strict=True))
    yield table.to_batches()[0]
    yield {name: Polars(values) for name, values in raw.items()}


def test_frames_and_tables_are_columns_whatever_their_index():
    for frame in frames(RAW):
        x = ENCODER.encode(frame)
        assert {name: column.tolist() for name, column in x.items()} == X


@pytest.mark.parametrize("column", ["user", "slot", "price"])
def test_the_row_of_a_wrong_value_is_its_place_whatever_the_index(column):
    raw = {**RAW, column: [RAW[column][0], None, RAW[column][2]]}
    for frame in frames(raw):
        with pytest.raises(ValueError, match=rf"raw column '{column}', row 1: expected a .*received '(None|nan|<NA>)'"):
            ENCODER.encode(frame)


def test_large_whole_numbers_beside_nulls_stay_exact():
    arrow, pandas = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    field = IdField("user", "user", (str(2**53 + 1),))
    for values in (arrow.array([2**53 + 1]), pandas.Series([2**53 + 1], dtype="Int64"), Polars([2**53 + 1])):
        assert Encoder((field,)).encode({"user": values})["user"].tolist() == [1]


def test_what_is_no_column_is_refused():
    pandas = pytest.importorskip("pandas")
    twice = pandas.DataFrame([[1, 2]], columns=["user", "user"])
    for raw in (twice, {"user": {"a": 1}}, {"user": {1, 2}}, {"user": np.ma.array(3)}):
        with pytest.raises(ValueError, match="raw column 'user': expected an array or list of values"):
            Encoder((USER,)).encode(raw)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_masked_labels_scores_and_groups_are_refused(place):
    columns = [np.array([0, 1, 0]), np.array([0.1, 0.2, 0.3]), np.array([1, 1, 2])]
    columns[place] = np.ma.array(columns[place], mask=[False, True, False])
    with pytest.raises(ValueError, match=r"expected a value in every row, received a masked one in row 1"):
        GAUC().update_state(*columns)
