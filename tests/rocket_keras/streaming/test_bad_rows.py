import gzip
import json
import logging
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, KnownIdField, NumberField
from rocket_keras.streaming import LogError, Report, Stream, Tolerance, iter_batches, learn_encoder, read_log

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_log.py"))))
ENCODER = Encoder((KnownIdField("slot", "slot", 5), NumberField("price", "price", 0.0, 1.0)))
GOOD = [f"{row % 2},{row % 5},{row}.5" for row in range(100)]
ANY = Tolerance(share=1.0)


def text(path, lines, header="click,slot,price", end="\n"):
    path.write_bytes("".join(f"{line}{end}" for line in [header, *lines]).encode())
    return read_log(path)


def read(log, tolerance=ANY, encoder=ENCODER):
    report = Report()
    batches = list(iter_batches(log, encoder, label="click", batch_size=1000, tolerance=tolerance, report=report))
    return batches, report


BAD = {
    "1,2": "expected 3 values, received 2",
    "1,2,3,4": "expected 3 values, received 4",
    "": "expected values, received an empty line",
    "2,2,3": "click: expected a label from 0 to 1",
    ",2,3": "click: expected a label from 0 to 1",
    "1,5,3": "slot: expected a whole number from 0 to 4",
    "1,-1,3": "slot: expected a whole number from 0 to 4",
    "1,1.5,3": "slot: expected a whole number from 0 to 4",
    "1,2,x": "price: expected a number",
    "1,2,nan": "price: expected a number",
    "1,2,1e999": "price: expected a number",
    "1,2,1e300": "price: expected a number",
    "\udcff,2,3": "expected text in UTF-8 with values, received what has none",
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_bad_rows_are_counted_kept_and_left_out(tmp_path, end):
    lines = list(GOOD)
    for place, bad in enumerate(BAD):
        lines.insert(7 * place, bad)
    path = tmp_path / "log.csv"
    path.write_bytes("".join(f"{line}{end}" for line in ["click,slot,price", *lines]).encode(errors="surrogateescape"))
    quarantine = tmp_path / "kept" / "bad.jsonl"
    (batch,), report = read(read_log(path), Tolerance(share=1.0, quarantine=quarantine))
    np.testing.assert_array_equal(batch.x["price"], np.arange(100, dtype=np.float32) + 0.5)
    assert (report.rows, report.bad, sum(report.reasons.values())) == (100, len(BAD), len(BAD))
    rows = [json.loads(line) for line in quarantine.read_text().splitlines()]
    assert {row["line"]: row["reason"].split(", received '")[0].split(": Arrow")[0] for row in rows}.keys() == {
        7 * place + 2 for place in range(len(BAD))
    }
    by_line = {row["line"]: row for row in rows}
    for place, (bad, reason) in enumerate(BAD.items()):
        row = by_line[7 * place + 2]
        assert row["reason"].startswith(reason)
        assert row["file"] == str(path)
        assert row["text"] == bad.encode(errors="surrogateescape").decode(errors="replace")
    assert str(report).startswith(f"100 rows, {len(BAD)} that did not parse (")


def test_bad_rows_are_named_by_their_line_in_later_stretches(tmp_path, monkeypatch):
    from rocket_keras.streaming import pieces
    from rocket_keras.streaming import text as text_module

    monkeypatch.setattr(pieces, "PIECE_BYTES", 100)
    monkeypatch.setattr(text_module, "LINE_BYTES", 16)
    lines = list(GOOD)
    lines[60], lines[80] = "1,2", "1,2,x"
    (*_,), report = read(text(tmp_path / "log.csv", lines))
    assert {(row.line, row.text) for row in report.samples} == {(62, "1,2"), (82, "1,2,x")}


def test_an_open_quote_spoils_its_own_row_alone(tmp_path):
    log = text(tmp_path / "log.csv", ["1,1,1", '1,"2,3', "1,3,3", '1,"4","4"'])
    (batch,), report = read(log)
    assert batch.x["slot"].tolist() == [1, 3, 4]
    assert [row.line for row in report.samples] == [3]


def test_nulls_and_wrong_values_of_parquet(tmp_path):
    table = pa.table(
        {"click": [1, 0, None, 1, 0], "slot": [1, None, 3, 4, 9], "price": [0.5, 1.0, 2.0, float("nan"), 3.0]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "log.parquet", row_group_size=2)
    (batch,), report = read(read_log(tmp_path / "log.parquet"))
    assert batch.x["slot"].tolist() == [1]
    assert [row.line for row in report.samples] == [2, 3, 4, 5]
    assert json.loads(report.samples[0].text) == {"click": 0, "slot": None, "price": 1.0}


def test_a_null_is_a_text_where_that_is_said(tmp_path):
    pyarrow.parquet.write_table(pa.table({"click": [1, 0], "word": ["a", None]}), tmp_path / "log.parquet")
    encoder = Encoder((IdField("word", "word", ("", "a")),))
    (batch,), _ = read(read_log(tmp_path / "log.parquet", missing=""), encoder=encoder)
    assert batch.x["word"].tolist() == [2, 1]
    (batch,), report = read(read_log(tmp_path / "log.parquet"), encoder=encoder)
    assert batch.x["word"].tolist() == [2]
    assert report.reasons == {"word: expected a text or a whole number": 1}
    assert learn_encoder(read_log(tmp_path / "log.parquet", missing=""), [IdField("word", "word", ())]) == encoder


def test_the_quarantine_is_bounded_and_holds_a_row_once(tmp_path):
    log = text(tmp_path / "log.csv", ["1,2"] * 500 + GOOD)
    tolerance = Tolerance(share=1.0, quarantine=tmp_path / "bad.jsonl", samples=30)
    for _ in range(3):
        _, report = read(log, tolerance)
        assert report.bad == 500
        assert len(report.samples) == 20
        rows = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
        assert [row["line"] for row in rows] == list(range(2, 32))


def test_a_quarantine_whose_last_line_was_cut_goes_on(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"file": "other", "li')
    read(text(tmp_path / "log.csv", ["1,2", *GOOD]), Tolerance(share=1.0, quarantine=tmp_path / "bad.jsonl"))
    assert json.loads((tmp_path / "bad.jsonl").read_text().splitlines()[1])["line"] == 2


@pytest.mark.parametrize(
    ("tolerance", "bad", "stops"),
    [
        (Tolerance(), 1, True),
        (Tolerance(share=0.02), 2, False),
        (Tolerance(share=0.02), 3, True),
        (Tolerance(share=1.0, rows=2), 2, False),
        (Tolerance(share=1.0, rows=2), 3, True),
        (Tolerance(share=0), 0, False),
    ],
)
def test_too_many_bad_rows_stop_the_run_and_are_named(tmp_path, tolerance, bad, stops):
    log = text(tmp_path / "log.csv", [*GOOD[bad:], *["1,2"] * bad])
    passes = [
        lambda: read(log, tolerance),
        lambda: learn_encoder(log, [NumberField("price", "price", 0, 1)], tolerance=tolerance),
        lambda: list(Stream(log, ENCODER, "click", 10, batches=10, tolerance=tolerance)),
    ]
    for one in passes:
        if stops:
            with pytest.raises(LogError, match=r"log\.csv, line 101: expected 3 values, received 2; mend") as error:
                one()
            assert "\n" not in str(error.value)
        else:
            one()


def test_a_share_says_little_of_the_first_rows(tmp_path):
    """One bad row in the first ten of 20,000 is no reason to stop."""
    log = text(tmp_path / "log.csv", ["1,2", *GOOD * 200])
    _, report = read(log, Tolerance(share=0.001))
    assert (report.rows, report.bad) == (20_000, 1)
    with pytest.raises(LogError, match=r"received 50 bad ones in the first 200\d\d"):
        read(text(tmp_path / "log.csv", ["1,2"] * 50 + GOOD * 200), Tolerance(share=0.001))


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_tolerance_has_limits(share):
    with pytest.raises(ValueError, match="expected `share` from 0 to 1"):
        Tolerance(share=share)


@pytest.mark.parametrize("kept", [0.5, 0.9, -8, -1])
@pytest.mark.parametrize("codec", ["gz", "zst"])
def test_a_cut_file_is_named_with_its_line(tmp_path, monkeypatch, kept, codec):
    from rocket_keras.streaming import text as text_module

    monkeypatch.setattr(text_module, "BLOCK_BYTES", 1 << 10)
    random = np.random.default_rng(0)
    lines = "".join(f"1,{random.integers(0, 5)},{random.integers(0, 10**9)}\n" for _ in range(3000))
    data = f"click,slot,price\n{lines}".encode()
    data = gzip.compress(data) if codec == "gz" else pa.compress(data, "zstd", asbytes=True)
    path = tmp_path / f"part-1.csv.{codec}"
    path.write_bytes(data[: int(kept * len(data)) if kept > 0 else kept])
    made.write(tmp_path / f"part-0.csv.{codec}", {"click": [1], "slot": [1], "price": [1.0]})
    name = "gzip" if codec == "gz" else "zstd"
    with pytest.raises(LogError, match=rf"part-1\.csv\.{codec}, after line \d+: expected a whole {name} file") as error:
        read(read_log(tmp_path))
    assert "\n" not in str(error.value)
    line = int(re.search(r"after line (\d+)", str(error.value))[1])
    assert line <= 3001
    assert line > 0 or codec == "zst"  # which unpacks 128 KiB or nothing
    with pytest.raises(LogError, match=rf"part-1\.csv\.{codec}, after line {line}"):
        Stream(read_log(tmp_path), ENCODER, "click", 10)


@pytest.mark.parametrize("name", ["log.csv.gz", "log.csv.zst", "log.parquet"])
def test_what_is_no_such_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"click,slot,price\n1,2,3\n")
    with pytest.raises(LogError, match=rf"{name}.*: expected a whole (gzip|zstd|Parquet) file, received"):
        read(read_log(tmp_path))


def test_a_parquet_file_that_was_cut_or_spoilt_is_named(tmp_path):
    columns = made.rows(5000)
    path = made.write(tmp_path / "log.parquet", columns)
    data = path.read_bytes()
    path.write_bytes(data[:-20])
    with pytest.raises(LogError, match=r"log\.parquet: expected a whole Parquet file, received"):
        read(read_log(tmp_path), encoder=made.encoder(columns))
    spoilt = bytearray(data)
    spoilt[20:4000] = b"\xff" * 3980
    path.write_bytes(bytes(spoilt))
    with pytest.raises(LogError, match=r"log\.parquet, row 1: expected a whole Parquet file, received"):
        read(read_log(tmp_path), encoder=made.encoder(columns))


@pytest.mark.parametrize("name", ["part.parquet", "part.csv"])
def test_a_missing_column_is_named(tmp_path, name):
    columns = made.rows(10)
    made.write(tmp_path / f"1-{name}", columns)
    made.write(tmp_path / f"2-{name}", {key: values for key, values in columns.items() if key != "slot"})
    with pytest.raises(LogError, match=rf"2-{name}.*: expected a column 'slot', received \[.*'price'.*\]; mend the f"):
        read(read_log(tmp_path))


def test_a_column_of_another_type_is_named(tmp_path):
    columns = made.rows(10)
    made.write(tmp_path / "1.parquet", columns)
    made.write(tmp_path / "2.parquet", columns | {"slot": list(map(str, columns["slot"]))})
    with pytest.raises(LogError, match=r"2\.parquet: expected number in column 'slot', as in .*1\.parquet, receive"):
        read(read_log(tmp_path))


@pytest.mark.parametrize("name", ["part.parquet", "part.csv", "part.csv.gz"])
def test_empty_files_are_told_of_and_reading_goes_on(tmp_path, name, caplog):
    columns = made.rows(30)
    made.write(tmp_path / f"2-{name}", columns)
    made.write(tmp_path / f"3-{name}", {key: pa.array([], pa.array(column).type) for key, column in columns.items()})
    (tmp_path / f"1-{name}").touch()
    log = read_log(tmp_path)
    (batch,), report = read(log)
    assert len(batch) == 30
    assert [Path(path).name for path in report.empty_files] == [f"1-{name}", f"3-{name}"]
    assert "2 empty files: " in str(report)
    stream = Stream(log, ENCODER, "click", 10)
    with caplog.at_level(logging.WARNING):
        assert len(list(stream)) == 3
    stream.close()
    assert stream.report.empty == 2
    assert f"1-{name}" in caplog.text


def test_nothing_but_bad_rows_is_an_error(tmp_path):
    log = text(tmp_path / "log.csv", ["1,2"] * 30)
    with pytest.raises(LogError, match="expected rows that parse, received none"):
        list(Stream(log, ENCODER, "click", 10, batches=2, tolerance=ANY))
    with pytest.raises(LogError, match="expected rows that parse, received none"):
        learn_encoder(log, ENCODER.fields, tolerance=ANY)
