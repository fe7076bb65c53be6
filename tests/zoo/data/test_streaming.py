import gzip
import re
import tracemalloc

import numpy as np
import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField
from zoo.data.streaming import TextLog, encode_chunks, iter_chunks, learn_ids, split_in_order, window

ROWS = [f"{row % 2},{'abc'[row % 3]}{row // 30}" for row in range(100)]
FIELDS = (IdField("word", "word", ()),)


def make(path, rows=ROWS, header="click,word"):
    text = "".join(f"{line}\n" for line in ([header] if header else []) + list(rows))
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt") as file:
        file.write(text)
    return TextLog(path, ("click", "word"), ",", re.compile(r"[01],[a-z]\d+"), header, "the log")


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
@pytest.mark.parametrize("header", ["click,word", None])
@pytest.mark.parametrize("chunk_rows", [1, 7, 100, 1000])
def test_chunks_hold_every_row_once_in_order(tmp_path, name, header, chunk_rows):
    chunks = list(iter_chunks(make(tmp_path / name, header=header), chunk_rows))
    assert max(len(chunk["word"]) for chunk in chunks) <= chunk_rows
    received = [",".join(pair) for chunk in chunks for pair in zip(chunk["click"], chunk["word"], strict=True)]
    assert received == ROWS


@pytest.mark.parametrize(("begin", "end"), [(0, 100), (3, 50), (14, 14), (99, 200)])
def test_window_cuts_across_chunks(tmp_path, begin, end):
    chunks = window(iter_chunks(make(tmp_path / "log.csv"), 7), begin, end)
    received = np.concatenate([chunk["word"] for chunk in chunks])
    assert received.tolist() == [row[2:] for row in ROWS[begin:end]]


def test_window_reads_no_further_than_its_end(tmp_path):
    log = make(tmp_path / "log.csv", [*ROWS, "bad row"])
    assert sum(len(chunk["word"]) for chunk in window(iter_chunks(log, 10), 0, 50)) == 50


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_memory_does_not_grow_with_the_file(tmp_path, name):
    def peak(times):
        log = make(tmp_path / f"{times}_{name}", ROWS * times)
        tracemalloc.start()
        try:
            rows = sum(len(chunk["word"]) for chunk in iter_chunks(log, 500))
            return rows, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(20), peak(120)
    assert (small[0], large[0]) == (2000, 12_000)
    assert large[1] < 1.1 * small[1]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([*ROWS[:50], "2,a1", *ROWS[50:]], None, "row 51: expected 2 values in the official format and a newline, rec"),
        (
            [*ROWS[:50], "1,a1,3"],
            "click,word",
            "row 52: expected 2 values in the official format and a newline, receiv",
        ),
        ([*ROWS[:5], ""], "click,word", "row 7: expected 2 values in the official format"),
        (["1,ä1"], None, "row 1: expected 2 values in the official format"),
        ([], None, "row 1: expected 2 values, received nothing"),
        ([], "click,word", "row 2: expected 2 values, received nothing"),
    ],
)
def test_names_file_and_row(tmp_path, rows, header, message):
    log = make(tmp_path / "log.csv", rows, header)
    with pytest.raises(ValueError, match=f"^{re.escape(str(log.path))}, {re.escape(message)}") as error:
        list(iter_chunks(log, 7))
    assert str(error.value).endswith("; fetch the log again")
    assert "\n" not in str(error.value)


def test_refuses_another_header(tmp_path):
    log = make(tmp_path / "log.csv", header="clicks,words")
    other = TextLog(log.path, log.columns, ",", log.form, "click,word", "the log")
    with pytest.raises(ValueError, match="row 1: expected the columns click,word, received 'clicks,words'"):
        list(iter_chunks(other))


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
@pytest.mark.parametrize("cut", [1, 2])
def test_refuses_a_cut_file(tmp_path, name, cut):
    log = make(tmp_path / name)
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"expected (2 values in the official format|a whole gzip file)"):
        list(iter_chunks(log, 7))


def test_refuses_what_is_no_gzip_file(tmp_path):
    log = make(tmp_path / "log.csv.gz")
    log.path.write_bytes(b"click,word\n1,a1\n")
    with pytest.raises(ValueError, match=r"row 1: expected a whole gzip file, received .Not a gzipped file"):
        list(iter_chunks(log))


def test_refuses_chunks_without_rows(tmp_path):
    with pytest.raises(ValueError, match="`chunk_rows` of at least 1, received 0"):
        list(iter_chunks(make(tmp_path / "log.csv"), 0))


def test_rare_values_share_id_zero(tmp_path):
    rows = ["1,a1"] * 4 + ["0,b1"] * 3 + ["0,c1"] * 5
    (field,) = learn_ids(iter_chunks(make(tmp_path / "log.csv", rows), 5), FIELDS, 4)
    assert field.values == ("a1", "c1")
    split = encode_chunks(iter_chunks(make(tmp_path / "log.csv", rows), 5), Encoder((field,)), "click")
    assert split.x["word"].tolist() == [1] * 4 + [0] * 3 + [2] * 5
    assert split.y.tolist() == [1] * 4 + [0] * 8
    assert (split.x["word"].dtype, split.y.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize(("rows", "train_rows", "expected"), [(None, None, 80), (50, None, 40), (None, 30, 30)])
def test_split_is_by_order_and_learnt_from_the_train_rows(tmp_path, rows, train_rows, expected):
    log = make(tmp_path / "log.csv")
    splits, fields = split_in_order(log, FIELDS, "click", rows, train_rows, 1)
    tenth = (rows or 100) // 10
    assert [len(split) for split in splits] == [expected, tenth, tenth]
    end = (rows or 100) - 2 * tenth
    words = [row[2:] for row in ROWS]
    assert fields[0].values == tuple(sorted(set(words[end - expected : end])))
    received = [("?", *fields[0].values)[i] for split in splits for i in split.x["word"]]
    wanted = words[end - expected : end + 2 * tenth]
    assert received == [word if word in fields[0].values else "?" for word in wanted]


@pytest.mark.parametrize("rows", [101, 0, 9, -1])
def test_refuses_rows_that_are_not_there(tmp_path, rows):
    with pytest.raises(ValueError, match=f"expected `rows` from 10 to .*, received {rows};"):
        split_in_order(make(tmp_path / "log.csv"), FIELDS, "click", rows, None, 1)


def test_refuses_train_rows_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match="`train_rows` from 1 to 80, received 81"):
        split_in_order(make(tmp_path / "log.csv"), FIELDS, "click", None, 81, 1)
