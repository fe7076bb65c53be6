"""CSV as other programs write it: read right, or refused in one line that names the row."""

import csv
import gzip
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import KnownIdField
from rocket_keras.streaming import LogError, Report, Stream, Tolerance, iter_batches, read_log
from rocket_keras.streaming.quotes import quote_faults

ENCODER = Encoder((KnownIdField("slot", "slot", 9),))
ANY = Tolerance(share=1)


def read(path, text, tolerance=ANY, **options):
    """Slots and words of the good rows, and the report."""
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    report, log = Report(), read_log(path, **options)
    batches = list(iter_batches(log, ENCODER, "click", 100, ("word",), tolerance=tolerance, report=report))
    if batches and not report.bad:
        assert len(Stream(log, ENCODER, "click", 1)) == sum(map(len, batches))
    return [
        pair for batch in batches for pair in zip(batch.x["slot"].tolist(), batch.extra["word"].tolist(), strict=True)
    ], report


ROWS = [(1, "a"), (2, "b c"), (3, "")]
LINES = ["click,slot,word", *(f"1,{slot},{word}" for slot, word in ROWS)]


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "{end}", "{end}{end}", "{end}{end}{end}{end}"])
@pytest.mark.parametrize("header", [True, False])
def test_line_ends_marks_and_blank_last_lines(tmp_path, name, bom, end, last, header):
    lines, columns = (LINES, None) if header else (LINES[1:], LINES[0].split(","))
    text = bom + (end.join(lines) + last.format(end=end)).encode()
    assert read(tmp_path / name, text, Tolerance(share=0), columns=columns)[0] == ROWS


@pytest.mark.parametrize("size", range(24, 45))
def test_a_blank_last_line_behind_a_stretchs_end_is_no_row(tmp_path, monkeypatch, size):
    from rocket_keras.streaming import pieces, text

    monkeypatch.setattr(pieces, "PIECE_BYTES", size)
    monkeypatch.setattr(text, "BLOCK_BYTES", size)
    monkeypatch.setattr(text, "LINE_BYTES", 4)
    for name in ("log.csv", "log.csv.gz"):
        assert read(tmp_path / name, "\n".join([*LINES, "", ""]).encode(), Tolerance(share=0))[0] == ROWS


def test_a_blank_line_before_others_is_bad(tmp_path):
    rows, report = read(tmp_path / "log.csv", "\n".join([*LINES[:2], "", *LINES[2:], ""]).encode())
    assert rows == ROWS
    assert [(row.line, row.reason) for row in report.samples] == [(3, "expected values, received an empty line")]


def test_a_file_of_blank_lines_is_empty(tmp_path):
    for text in (b"\n", b"\r\n\r\n", b"click,slot,word\n\n"):
        rows, report = read(tmp_path / "log.csv", text)
        assert (rows, report.empty_files) == ([], [str(tmp_path / "log.csv")])


def test_a_blank_first_line_is_refused(tmp_path):
    with pytest.raises(LogError, match=r"log\.csv, line 1: expected names of columns, received an empty line"):
        read(tmp_path / "log.csv", "\n".join(["", *LINES]).encode())


@pytest.mark.parametrize("columns", [None, LINES[0].split(",")])
def test_line_ends_of_old_are_refused(tmp_path, columns):
    with pytest.raises(LogError, match=r"log\.csv, line 1: expected lines that end in LF or CRLF, received a carr"):
        read(tmp_path / "log.csv", "\r".join(LINES).encode(), columns=columns)


def test_a_carriage_return_in_a_line_is_bad(tmp_path):
    """But in quotes it is a character like any other."""
    lines = [LINES[0], "1,1,a", "1,2,b\rc", '1,2,"b\rc"', "1,3,"]
    rows, report = read(tmp_path / "log.csv", "\n".join(lines).encode())
    assert rows == [(1, "a"), (2, "b\rc"), (3, "")]
    assert [(row.line, row.reason) for row in report.samples] == [
        (3, "expected a row, received a carriage return within the line")
    ]


def test_backslashes_before_quotes(tmp_path):
    """As Spark writes them: bad without `escape`, never another text."""
    lines = [LINES[0], r'1,1,"a \"b\" c"', r'1,2,"say \"hi\""', '1,3,"say ""hi"""', r'1,4,"C:\dir\"', '1,5,5" pipe']
    text = "\n".join(lines).encode()
    rows, report = read(tmp_path / "log.csv", text)
    assert rows == [(3, 'say "hi"'), (4, "C:\\dir\\"), (5, '5" pipe')]
    assert [(row.line, row.text) for row in report.samples] == [(2, lines[1]), (3, lines[2])]
    assert {row.reason for row in report.samples} == {
        'expected "" for a quote within quotes, received \\"; give read_log escape="\\\\"'
    }
    rows, report = read(tmp_path / "log.csv", "\n".join(lines[:3]).encode(), escape="\\")
    assert (rows, report.bad) == ([(1, 'a "b" c'), (2, 'say "hi"')], 0)


def test_text_behind_a_closing_quote_is_bad(tmp_path):
    rows, report = read(tmp_path / "log.csv", "\n".join([*LINES, '1,4,"a"b', '1,"5"x,c', '1,6,"d"']).encode())
    assert rows == [*ROWS, (6, "d")]
    assert [row.line for row in report.samples] == [5, 6]


value = st.text('ab,"\\ é', max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(value, min_size=2, max_size=3), min_size=1, max_size=4), st.sampled_from([1, 0]))
def test_what_pythons_writer_writes_has_no_fault(rows, quoting):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(rows)
    assert quote_faults(",", text.getvalue().encode()) == {}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text('a,"\\', max_size=8), min_size=1, max_size=4))
def test_faults_are_those_of_pythons_strict_reader(lines):
    """But for quotes that are left open: these are known by the number of rows."""
    found = quote_faults(",", "\n".join(lines).encode())
    for place, line in enumerate(lines):
        try:
            list(csv.reader([line], strict=True))
            fault = None
        except csv.Error as error:
            fault = str(error)
        if fault != "unexpected end of data":
            assert (place in found) == (fault is not None)


@pytest.mark.parametrize("options", [{"delimiter": "||"}, {"delimiter": '"'}, {"delimiter": ""}, {"escape": "é"}])
def test_signs_are_one_character(tmp_path, options):
    (name,) = options
    (tmp_path / "log.csv").write_text("a")
    with pytest.raises(ValueError, match=f"expected `{name}` to be one ASCII character, received"):
        read_log(tmp_path / "log.csv", **options)


def test_no_paths():
    with pytest.raises(ValueError, match="received an empty list; name the files"):
        read_log([])


def test_a_long_header_is_refused_in_one_line(tmp_path):
    with pytest.raises(LogError, match=r"log\.csv, line 1: expected names in UTF-8.*field larger than") as error:
        read(tmp_path / "log.csv", b"x" * 200_000 + b",click\n1,1\n")
    assert "\n" not in str(error.value)


def test_quotes_cost_little(tmp_path):
    """All values in quotes: the lines are not looked at one by one."""
    rows = np.arange(3000)
    text = "\n".join([LINES[0], *(f'"1","{row % 9}","a ""{row}"", b"' for row in rows)]).encode()
    found, report = read(tmp_path / "log.csv", text)
    assert found == [(row % 9, f'a "{row}", b') for row in rows]
    assert report.bad == 0
