import functools
import http.server
import io
import os
import runpy
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

fsspec = pytest.importorskip("fsspec")

from rocket_keras.streaming import LogError, iter_batches, parquet, read_log  # noqa: E402  # where the extra is there
from rocket_keras.streaming.files import LogFile  # noqa: E402

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_log.py"))))
NAMES = ["part.parquet", "part.csv", "part.tsv", "part.csv.gz", "part.tsv.zst"]


def assert_reads(log, columns, encoder, **options):
    """All rows of `columns` once, in order, as `Encoder.encode` makes them."""
    batches = list(iter_batches(log, encoder, label="click", batch_size=64, extra=("key",), **options))
    assert [len(batch) for batch in batches[:-1]] == [64] * (len(batches) - 1)
    wanted = encoder.encode(columns, privileged=True)
    assert set(batches[0].x) == set(wanted)
    for name, column in wanted.items():
        received = np.concatenate([batch.x[name] for batch in batches])
        assert received.dtype == column.dtype
        np.testing.assert_array_equal(received, column, err_msg=name)
    y = np.concatenate([batch.y for batch in batches])
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, columns["click"])
    assert np.concatenate([batch.extra["key"] for batch in batches]).tolist() == columns["key"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_format_is_its_rows(tmp_path, name):
    columns = made.rows()
    log = read_log(made.write(tmp_path / name, columns))
    assert_reads(log, columns, made.encoder(columns))


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_its_files_in_the_order_of_the_numbers_in_their_names(tmp_path, name):
    parts = [made.rows(150, seed) for seed in range(12)]
    for place, part in enumerate(parts):
        made.write(tmp_path / f"log/part-{place}-{name}", part)
    (tmp_path / "log/_SUCCESS").touch()
    (tmp_path / "log/.part.crc").write_text("x")
    columns = made.joined(*parts)
    encoder = made.encoder(columns)
    assert_reads(read_log(tmp_path / "log"), columns, encoder)
    assert_reads(read_log(str(tmp_path / "log/part-*")), columns, encoder)
    assert_reads(read_log([tmp_path / f"log/part-{place}-{name}" for place in (11, *range(11))]), columns, encoder)


def test_parts_of_paths_are_columns(tmp_path):
    parts = {f"day={day}/city=a%20b": made.rows(100, day) for day in (9, 10)}
    for place, part in parts.items():
        made.write(tmp_path / place / "part.parquet", part)
    log = read_log(str(tmp_path / "day=*"))
    assert log.partitions("day") == ("9", "10")
    batches = iter_batches(log, made.encoder(made.rows()), label="click", batch_size=200, extra=("day", "city"))
    (batch,) = list(batches)
    assert batch.extra["day"].tolist() == ["9"] * 100 + ["10"] * 100
    assert set(batch.extra["city"]) == {"a b"}
    columns = made.rows(100, 10)
    assert_reads(log.where(day="10"), columns, made.encoder(columns))
    assert log.where(day=["9", "10"]) == log
    with pytest.raises(KeyError, match="expected day among"):
        log.where(day="11")
    with pytest.raises(KeyError, match="name a folder of the log"):
        log.partitions("hour")


def test_other_parts_than_the_first_files_are_refused(tmp_path):
    for place in ("day=1", "hour=2"):
        made.write(tmp_path / place / "part.parquet", made.rows(10))
    with pytest.raises(LogError, match=r"hour=2.part\.parquet: expected the folders \['day'\]"):
        read_log(tmp_path).partitions("day")


@pytest.mark.parametrize("name", ["part.parquet", "part.csv.gz"])
def test_urls_of_fsspec(tmp_path, name):
    parts = [made.rows(100, seed) for seed in range(2)]
    files = [made.write(tmp_path / f"day={place}" / name, part) for place, part in enumerate(parts)]
    memory = fsspec.filesystem("memory")
    for place, file in enumerate(files):
        memory.pipe(f"/log-{name}/day={place}/{name}", file.read_bytes())
    memory.pipe(f"/log-{name}/_SUCCESS", b"")
    columns = made.joined(*parts)
    encoder = made.encoder(columns)
    for paths in (f"memory://log-{name}", f"memory://log-{name}/day=*/*", f"{tmp_path.as_uri()}/day=*/{name}"):
        log = read_log(paths)
        assert log.partitions("day") == ("0", "1")
        assert_reads(log, columns, encoder)
    assert_reads(read_log(f"file://{files[0]}"), parts[0], encoder)


@pytest.mark.parametrize("name", ["part.parquet", "part.tsv.gz"])
def test_http(tmp_path, name):
    pytest.importorskip("aiohttp")
    columns = made.rows(300)
    made.write(tmp_path / name, columns)

    class Ranges(http.server.SimpleHTTPRequestHandler):
        """Serves parts of files, as object stores do."""

        def do_GET(self):
            data = Path(self.translate_path(self.path)).read_bytes()
            begin, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
            part = data[int(begin) : int(end or len(data)) + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{int(begin) + len(part) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part)

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Ranges, directory=str(tmp_path))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            log = read_log(f"http://127.0.0.1:{server.server_port}/{name}")
            assert_reads(log, columns, made.encoder(columns))
        finally:
            server.shutdown()


class Broken(io.BytesIO):
    """A file of a server that gives up, with an error of its library's own."""

    def read(self, *_):
        raise RuntimeError("the payload is not complete")


@pytest.mark.parametrize("name", ["part.parquet", "part.csv", "part.csv.gz"])
def test_an_error_of_a_server_names_the_file(tmp_path, monkeypatch, name):
    columns = made.rows(100)
    memory = fsspec.filesystem("memory")
    memory.pipe(f"/broken-{name}/{name}", made.write(tmp_path / name, columns).read_bytes())
    log = read_log(f"memory://broken-{name}")
    whole, opened, broken = LogFile.open, [], []

    def breaks(file):
        opened.append(file)
        return Broken(whole(file).read()) if len(opened) in broken else whole(file)

    monkeypatch.setattr(LogFile, "open", breaks)
    parquet._metadata.cache_clear()
    assert_reads(log, columns, made.encoder(columns))
    for number in range(1, len(opened) + 1):
        broken[:] = [number]
        opened.clear()
        parquet._metadata.cache_clear()
        with pytest.raises(LogError, match=rf"{name}.*expected a whole .*received the payload is not complete"):
            assert_reads(log, columns, made.encoder(columns))


def test_a_file_that_was_written_again_is_read_anew(tmp_path):
    """Of the same size: its old footer does not fit."""
    sizes = set()
    for rows in ({"click": [0, 1] * 50, "row": [7] * 100}, {"click": [1, 0] * 50, "row": [8] * 100}):
        path = tmp_path / "part.parquet"
        pyarrow.parquet.write_table(pa.table(rows), path, compression="none", use_dictionary=False)
        os.utime(path, ns=(1, rows["row"][0]))
        (file,) = read_log(tmp_path).files
        assert parquet._metadata(file).row_group(0).column(1).statistics.max == rows["row"][0]
        sizes.add(file.size)
    assert len(sizes) == 1


def test_parquet_of_other_widths_dictionaries_and_lists_is_the_same(tmp_path):
    columns = made.rows(400)
    table = pa.table(
        {
            "key": pa.array(columns["key"]).dictionary_encode(),
            "click": pa.array(map(bool, columns["click"])),
            "user": pa.array(columns["user"]).dictionary_encode(),
            "ad": pa.array(columns["ad"], pa.float32()),
            "slot": pa.array(columns["slot"], pa.uint8()),
            "price": pa.array(columns["price"], pa.float64()),
            "words": pa.array([text.split("|") if text else [] for text in columns["words"]]),
            "before": pa.array([[int(v) for v in text.split("|") if v] for text in columns["before"]]),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "log.parquet", row_group_size=64)
    assert_reads(read_log(tmp_path / "log.parquet"), columns, made.encoder(columns))


def test_quotes_line_ends_and_order_of_columns(tmp_path):
    columns = {name: values[:3] for name, values in made.rows().items()} | {"user": ['a"b', "c,d", "é"]}
    names = sorted(columns)
    cells = [[f'"{str(columns[name][row]).replace(chr(34), chr(34) * 2)}"' for name in names] for row in range(3)]
    text = "\r\n".join([",".join(names), *map(",".join, cells)])
    (tmp_path / "log.csv").write_text("\ufeff" + text, encoding="utf-8", newline="")
    assert_reads(read_log(tmp_path / "log.csv"), columns, made.encoder(columns))


def test_a_large_text_file_is_read_in_stretches(tmp_path, monkeypatch):
    from rocket_keras.streaming import pieces, text

    columns = made.rows(1000)
    path = made.write(tmp_path / "log.csv", columns)
    for size in (997, 4096):
        monkeypatch.setattr(pieces, "PIECE_BYTES", size)
        monkeypatch.setattr(text, "BLOCK_BYTES", 2048)
        monkeypatch.setattr(text, "LINE_BYTES", 16)
        log = read_log(path)
        found, _ = pieces.find_pieces(log, ["click"], count=True)
        assert sum(piece.rows for piece in found) == 1000
        assert_reads(log, columns, made.encoder(columns))


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["log.json"], {}, "expected a name that ends in"),
        (["a.csv", "b.parquet"], {}, r"b\.parquet: expected csv, as .*a\.csv is, received parquet"),
        (["a.csv"], {"format": "orc"}, "received format 'orc'"),
    ],
)
def test_files_of_no_or_another_format_are_refused(tmp_path, names, options, message):
    for name in names:
        (tmp_path / name).write_text("x")
    with pytest.raises(LogError, match=message):
        read_log(tmp_path, **options)


@pytest.mark.parametrize("path", ["nothing", "nothing/*.csv", "memory://nothing", "memory://nothing/*.csv"])
def test_nothing_there(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a file, a folder or a glob of files, received nothing"):
        read_log(path)
