import numpy as np
import pytest

from rocket_keras.encoding.transforms import as_is, called_before
from zoo.data import tables
from zoo.data.tables import Column, learn_columns, read_table, stratified_parts
from zoo.features import Categorical, Numeric

TEXT = '"name","size"\n"a",1\n"b",-2.5\n"a",3e2\n'


def read(tmp_path, text):
    file = tmp_path / "things.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(file, ("name", "size"), "the things")


def test_reads_quoted_and_bare_values(tmp_path):
    for text in (TEXT, TEXT.replace('"', ""), TEXT.replace("\n", "\r\n")):
        table = read(tmp_path, text)
        assert table.columns["name"].tolist() == ["a", "b", "a"]
        np.testing.assert_array_equal(table.numbers("size"), [1, -2.5, 300])
        np.testing.assert_array_equal(table.labels("name", {"a": 1, "b": 0}), np.array([1, 0, 1], np.float32))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "row 1: expected the columns name,size, received an empty file"),
        ("name;size\na;1\n", "row 1: expected the columns name,size, received 'name;size'"),
        ("name,size\n", "row 2: expected 2 values, received no more rows"),
        ("name,size\na,1\nb\n", "row 3: expected 2 values, none of them empty, received 'b'"),
        ("name,size\na,1,2\n", "row 2: expected 2 values, none of them empty, received 'a,1,2'"),
        ("name,size\na,1\n,2\n", "row 3: expected 2 values, none of them empty, received ',2'"),
        ("name,size\na,1\n\nb,2\n", "row 3: expected 2 values, none of them empty, received ''"),
        ('name,size\n"a,1\nb,2\n', "row 2: expected 2 values, none of them empty, received 'a,1'"),
        ("name,size\na,1\nb,23", "row 3: expected a newline at the end, received 'b,23'"),
        (b"name,size\na,1\n\xff,2\n", r"row 3: expected ASCII text, received b'\xff'"),
    ],
)
def test_names_file_and_row(tmp_path, text, message):
    with pytest.raises(ValueError, match="expected") as error:
        read(tmp_path, text)
    assert str(error.value) == f"{tmp_path / 'things.csv'}, {message}; fetch the things again"


@pytest.mark.parametrize("value", ["x", "nan", "inf"])
def test_names_the_row_and_column_of_what_is_no_number(tmp_path, value):
    table = read(tmp_path, f"name,size\na,1\nb,{value}\n")
    with pytest.raises(ValueError, match=f"things.csv, row 3: expected a number in size, received '{value}'; fetch"):
        table.numbers("size")


def test_names_the_row_and_column_of_a_foreign_label(tmp_path):
    table = read(tmp_path, "name,size\na,1\nc,2\n")
    with pytest.raises(ValueError, match="row 3: expected 'a' or 'b' in name, received 'c'; fetch the things again"):
        table.labels("name", {"a": 0, "b": 1})


def test_vocabulary_and_moments_come_from_the_train_rows(tmp_path):
    table = read(tmp_path, "name,size\nb,3\nc,5\na,100\nb,4\n")
    columns = (Column("kind", side="item", column="name"), Column("size", as_is, privileged=True))
    features, encoder = learn_columns(table, columns, np.array([1, 0]), dim=8)
    assert features == (Categorical("kind", 3, 8, "item"), Numeric("size", "context", privileged=True))
    x = encoder.encode(table.columns, privileged=True)
    np.testing.assert_array_equal(x["kind"], [1, 2, 0, 1])
    np.testing.assert_array_equal(x["size"], [-1, 1, 96, 0])
    assert (x["kind"].dtype, x["size"].dtype) == (np.int32, np.float32)
    assert set(encoder.encode(table.columns)) == {"kind"}


def test_a_derived_column_has_the_ids_of_what_is_derived(tmp_path):
    table = read(tmp_path, "name,size\nb,-1\nc,5\na,90\n")
    columns = (Column("called", column="size", derive=called_before),)
    _, encoder = learn_columns(table, columns, np.array([0, 1, 2]), dim=8)
    np.testing.assert_array_equal(encoder.encode(table.columns)["called"], [1, 2, 2])
    table = read(tmp_path, "name,size\nb,-1\nc,soon\n")
    with pytest.raises(ValueError, match=r"row 3: expected a whole number of days, .* in size, received 'soon'; fetch"):
        learn_columns(table, columns, np.array([0]), dim=8)


def test_a_column_that_is_constant_on_the_train_rows_is_centred():
    np.testing.assert_array_equal(tables.standardise(np.array([2.0, 2, 5]), np.array([2.0, 2])), [0, 0, 3])


@pytest.mark.parametrize("share", [5, 10])
def test_parts_are_disjoint_whole_stratified_and_of_the_seed(share):
    labels = (np.arange(1003) % 9 == 0).astype(np.float32)
    parts = stratified_parts(labels, share, seed=1, train_rows=None)
    assert [len(part) for part in parts] == [1003 - 2 * (1003 // share), 1003 // share, 1003 // share]
    assert sorted(np.concatenate(parts)) == list(range(1003))
    for part in parts:
        assert abs(labels[part].sum() - labels.mean() * len(part)) <= 1.5
    again, other = (stratified_parts(labels, share, seed, None)[0] for seed in (1, 2))
    np.testing.assert_array_equal(again, parts[0])
    assert (other != parts[0]).any()
    np.testing.assert_array_equal(stratified_parts(labels, share, 1, 100)[0], parts[0][:100])


def test_parts_refuse_train_rows_that_are_not_there():
    with pytest.raises(ValueError, match="`train_rows` from 1 to 80, received 81"):
        stratified_parts(np.zeros(100), 10, 0, 81)
