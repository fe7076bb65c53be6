"""Files of a log, on this machine or behind any fsspec URL: found, in one order everywhere, and opened."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from rocket_keras.extras import require
from rocket_keras.streaming.bad_rows import LogError

CODECS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".txt": "tsv"}


@dataclass(frozen=True)
class LogFile:
    """One file of a log.

    Attributes:
        path: Its path or URL.
        size: Bytes, as they are stored.
        partitions: The `name=value` parts of its path, in their order.
        changed: When it was changed last, nanoseconds; 0 where it is not known.
    """

    path: str
    size: int
    partitions: tuple[tuple[str, str], ...] = ()
    changed: int = 0

    @property
    def codec(self) -> str | None:
        """How a text file is compressed; None for not at all."""
        return CODECS.get(Path(self.path).suffix.lower())

    @property
    def kind(self) -> str | None:
        """The format that its suffix stands for; None for one that is not known."""
        path = Path(self.path)
        return FORMATS.get((path.with_suffix("") if self.codec else path).suffix.lower())

    def open(self) -> Any:
        """The stored bytes as a binary file."""
        if not is_url(self.path):
            return pa.OSFile(self.path, "rb")
        filesystem, path = _filesystem(self.path)
        return filesystem.open(path, "rb")


def is_url(path: str) -> bool:
    """Whether fsspec opens it."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:(//|:)", path) is not None


def find_files(paths: str | os.PathLike | Sequence[str | os.PathLike]) -> list[LogFile]:
    """The files of a path, a glob, a folder with all below it, or a list of these, in the order of `natural_key`.

    Files and folders whose names begin with a dot or an underscore are none of a log: writers leave such marks.

    Raises:
        FileNotFoundError: Nothing is there. One line.
        ValueError: An empty list.
    """
    asked = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not asked:
        raise ValueError("expected a path, a glob or a list of them, received an empty list; name the files of the log")
    found: dict[str, LogFile] = {}
    for path in (str(os.fspath(one)) for one in asked):
        mine = {file.path: file for file in (_remote(path) if is_url(path) else _local(path))}
        if not mine:
            raise FileNotFoundError(f"{path}: expected a file, a folder or a glob of files, received nothing; mend it")
        found |= mine
    return sorted(found.values(), key=lambda file: natural_key(file.path))


def natural_key(text: str) -> tuple:
    """Orders texts with the numbers in them by value, so that day=10 comes after day=9."""
    parts = re.split(r"(\d+)", text)
    return tuple((int(part), part) if place % 2 else (-1, part) for place, part in enumerate(parts)), text


def _local(path: str) -> Iterator[LogFile]:
    here = Path(path)
    if here.is_file():
        yield _file(path, here.stat().st_size, here.stat().st_mtime_ns)
        return
    if here.is_dir():
        root, matches = here, list(here.rglob("*"))
    else:
        fixed = re.split(r"[*?\[]", path, maxsplit=1)[0]
        folder = fixed[: fixed.rfind("/") + 1]
        root = Path(folder or ".")
        matches = list(root.glob(path[len(folder) :])) if path != fixed else []
    for match in matches:
        if _counts(match.relative_to(root).parts):
            if match.is_file():
                yield _file(str(match), match.stat().st_size, match.stat().st_mtime_ns)
            elif match.is_dir() and not here.is_dir():
                yield from _local(str(match))


def _remote(path: str) -> Iterator[LogFile]:
    filesystem, inside = _filesystem(path)
    if filesystem.isfile(inside):
        yield _file(path, filesystem.size(inside))
        return
    glob = any(sign in inside for sign in "*?[")
    matches = filesystem.glob(inside) if glob else [inside]
    root = re.split(r"[*?\[]", inside, maxsplit=1)[0].rstrip("/")
    for match in matches if glob or filesystem.exists(inside) else ():
        below = filesystem.find(match) if filesystem.isdir(match) else [match]
        for name in below:
            if _counts(Path(name.removeprefix(root)).parts):
                yield _file(filesystem.unstrip_protocol(name), filesystem.size(name))


def _counts(parts: tuple[str, ...]) -> bool:
    return not any(part.startswith((".", "_")) for part in parts)


def _file(path: str, size: int | None, changed: int = 0) -> LogFile:
    if size is None:
        raise LogError(f"{path}: expected a file of known size, received none from its server; copy the file first")
    parts = (re.fullmatch(r"([^=]+)=(.*)", part) for part in Path(path).parts[:-1])
    return LogFile(path, size, tuple((part[1], unquote(part[2])) for part in parts if part), changed)


def _filesystem(url: str) -> tuple[Any, str]:
    return require("fsspec", "data").core.url_to_fs(url)


def unreadable(file: LogFile, error: Exception) -> bool:
    """Whether an error is one of reading the file: of a URL all are, since every server's library has its own."""
    return isinstance(error, pa.ArrowException | OSError) or (is_url(file.path) and not isinstance(error, LogError))


def one_line(error: Exception) -> str:
    """An error's text in one line, short."""
    return " ".join(str(error).split())[:200] or type(error).__name__
