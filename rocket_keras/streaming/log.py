"""A log: its files, and how their bytes are columns."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rocket_keras.streaming.bad_rows import LogError
from rocket_keras.streaming.files import LogFile, find_files, natural_key

DELIMITERS = {"csv": ",", "tsv": "\t"}


@dataclass(frozen=True)
class Log:
    """Files of one format; `read_log` finds them.

    Attributes:
        files: In the order of their paths, numbers in them by value.
        format: "parquet", "csv" or "tsv".
        columns: Names of the columns of text without a header; None where each file's first line has them.
        delimiter: What stands between two values of a text file.
        quoted: Whether values may stand in double quotes.
        missing: The text that a null of a Parquet column counts as; None where such a row does not parse.
        held_out: `(share, held)`: which rows of the files are the log's, as `hold_out` says; None for all.
        escape: What stands before a quote that is part of a quoted value; None where it is written twice.
    """

    files: tuple[LogFile, ...]
    format: str
    columns: tuple[str, ...] | None = None
    delimiter: str = ","
    quoted: bool = True
    missing: str | None = None
    held_out: tuple[float, bool] | None = None
    escape: str | None = None

    @property
    def bytes(self) -> int:
        """Of all files, as they are stored."""
        return sum(file.size for file in self.files)

    @cached_property
    def partition_names(self) -> tuple[str, ...]:
        """Names of the `name=value` parts of the paths: raw columns of text, like those inside the files.

        Raises:
            LogError: Files differ in them.
        """
        names = tuple(name for name, _ in self.files[0].partitions)
        for file in self.files:
            if tuple(name for name, _ in file.partitions) != names:
                raise LogError(
                    f"{file.path}: expected the folders {list(names)} with a value each in its path, as in "
                    f"{self.files[0].path}; received {[name for name, _ in file.partitions]}; move the file"
                )
        return names

    def partitions(self, name: str) -> tuple[str, ...]:
        """The values of a part of the paths, such as the days of `day=1/...`, numbers by value.

        Raises:
            KeyError: No such part.
        """
        if name not in self.partition_names:
            raise KeyError(f"expected one of {list(self.partition_names)}, received {name!r}; name a folder of the log")
        return tuple(sorted({dict(file.partitions)[name] for file in self.files}, key=natural_key))

    def where(self, **values: str | Sequence[str]) -> "Log":
        """The log of those files whose paths have one of these values in each named part.

        Raises:
            KeyError: No such part, or no file has the values.
        """
        chosen = self.files
        for name, value in values.items():
            wanted = {value} if isinstance(value, str) else set(value)
            if unknown := wanted - set(self.partitions(name)):
                raise KeyError(f"expected {name} among {list(self.partitions(name))}, received {sorted(unknown)}")
            chosen = tuple(file for file in chosen if dict(file.partitions)[name] in wanted)
        if not chosen:
            raise KeyError(f"expected files with {values}, received none; name values that stand in one path")
        return replace(self, files=chosen)

    def hold_out(self, share: float, held: bool) -> "Log":
        """The log of that share of the rows, spread evenly over its files, or (`held=False`) of all others.

        Raises:
            ValueError: `share` is not between 0 and 1, or rows are held out already.
        """
        if not 0 < share < 1 or self.held_out is not None:
            raise ValueError(f"expected a `share` between 0 and 1 of a whole log, received {share}; hold out once")
        return replace(self, held_out=(share, held))


def read_log(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    format: str | None = None,
    columns: Sequence[str] | None = None,
    delimiter: str | None = None,
    quoted: bool | None = None,
    missing: str | None = None,
    escape: str | None = None,
) -> Log:
    """Find the files of a log; none is opened yet.

    Args:
        paths: A file, a glob, a folder with all below it, a URL that fsspec opens of any of these, or a list of them.
            Names that begin with a dot or an underscore are passed over.
        format: "parquet", "csv" or "tsv"; None takes it from the suffix: .parquet, .pq, .csv, .tsv or .txt, the texts
            with .gz or .zst behind it where they are compressed.
        columns: Names of the columns where text files have no header.
        delimiter: One character; None is a comma for csv, a tab for tsv.
        quoted: Whether values may stand in double quotes; None is yes for csv, no for tsv. A line is a row even so.
        missing: The text that a null of a Parquet column of ids counts as; None: such a row does not parse.
        escape: What stands before a quote within a quoted value, as Spark writes a backslash there; None: such a quote
            is written twice, and a row with another one does not parse.

    Raises:
        FileNotFoundError: Nothing is there.
        ValueError: No paths, columns of a Parquet log, or a delimiter or escape that is no ASCII character.
        LogError: A file's suffix stands for no format, or for another one than the first file's. One line.
    """
    files = find_files(paths)
    for file in files:
        kind = format or file.kind
        if kind not in ("parquet", *DELIMITERS):
            raise LogError(
                f"{file.path}: expected a name that ends in .parquet, .csv, .tsv or .txt (or those of text with .gz or "
                f".zst), received format {kind!r}; name the format, or move the file"
            )
        if kind != (first := format or files[0].kind):
            raise LogError(f"{file.path}: expected {first}, as {files[0].path} is, received {kind}; give logs of one")
    kind = format or files[0].kind
    assert kind is not None
    if kind == "parquet" and columns is not None:
        raise ValueError("expected no `columns` of a Parquet log, whose files name them; leave it out")
    for name, sign in (("delimiter", delimiter), ("escape", escape)):
        if sign is not None and (len(sign) != 1 or not sign.isascii() or sign in '"\r\n'):
            raise ValueError(
                f"expected `{name}` to be one ASCII character, received {sign!r}; give one, or leave it out"
            )
    return Log(
        tuple(files),
        kind,
        tuple(columns) if columns is not None else None,
        delimiter if delimiter is not None else DELIMITERS.get(kind, ","),
        kind == "csv" if quoted is None else quoted,
        missing,
        escape=escape,
    )
