"""A log in pieces, each read from its beginning: row groups, stretches of text, whole compressed files."""

import heapq
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq

from rocket_keras.streaming.bad_rows import LogError
from rocket_keras.streaming.files import LogFile, one_line, unreadable
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.part import Part
from rocket_keras.streaming.piece import Piece
from rocket_keras.streaming.text import header_of, stretch_rows

PIECE_BYTES = 4 << 20
"""Of a stretch of text that is not compressed, at least."""
MOST_PIECES = 1 << 16
"""Of text that is not compressed; a larger log has longer stretches."""
FEW = 4
"""Pieces a worker; where there are fewer, every worker reads all of them and keeps its own rows."""

GOLDEN = 0.5 * (5**0.5 - 1)


def find_pieces(
    log: Log, columns: Iterable[str], count: bool, expected: Iterable[tuple[str, str, tuple[str, ...]]] = ()
) -> tuple[list[Piece], list[str]]:
    """The pieces of a log in the order of its files, and the paths of files without rows.

    Footers and headers are read, several files at a time, and checked.

    Args:
        log: The log.
        columns: Raw columns that will be read.
        count: Whether to count the rows of text: a pass over its bytes.
        expected: What columns may hold, as `Wanted.expected` says.

    Raises:
        LogError: A file that is none of the format, that lacks a column or has one of another type than the first
            file, or than what was expected. One line.
    """
    wanted = [name for name in dict.fromkeys(columns) if name not in log.partition_names]
    with ThreadPoolExecutor(max(1, min(16, 2 * (os.cpu_count() or 1), len(log.files)))) as pool:
        if log.format == "parquet":
            found = list(pool.map(lambda file: _parquet_pieces(file, wanted), log.files))
            _check_kinds(found, [one for one in expected if one[0] in wanted])
            parts = [pieces for pieces, _ in found]
        else:
            parts = list(pool.map(lambda file: _text_pieces(log, file, wanted, count), log.files))
    empty = [file.path for file, pieces in zip(log.files, parts, strict=True) if not pieces]
    if log.held_out is None:
        return [piece for pieces in parts for piece in pieces], empty
    return [
        # The fractions of a multiple of the golden ratio are spread evenly, whichever multiples there are.
        replace(piece, part=Part(held_out=log.held_out, phase=(number + piece.begin) * GOLDEN % 1))
        for number, pieces in enumerate(parts)
        for piece in pieces
    ], empty


def share_out(pieces: Sequence[Piece], workers: int) -> list[list[Piece]]:
    """The pieces of each worker, together each row once; by size, so that all have about as much to do.

    Args:
        pieces: All, in their order.
        workers: How many share them.
    """
    if workers == 1:
        return [list(pieces)]
    if len(pieces) < FEW * workers:
        return [[_of_worker(piece, worker, workers) for piece in pieces] for worker in range(workers)]

    def size(place: int) -> int:
        piece = pieces[place]
        # Of text the bytes, whether its rows were counted or not: workers share alike in both cases.
        return piece.end - piece.begin if piece.header or piece.rows is None else piece.rows

    loads = [(0, worker) for worker in range(workers)]
    shares: list[list[int]] = [[] for _ in range(workers)]
    for place in sorted(range(len(pieces)), key=lambda place: (-size(place), place)):
        load, worker = heapq.heappop(loads)
        shares[worker].append(place)
        heapq.heappush(loads, (load + size(place), worker))
    return [[pieces[place] for place in sorted(share)] for share in shares]


def _of_worker(piece: Piece, worker: int, workers: int) -> Piece:
    return replace(piece, part=replace(piece.part, worker=worker, workers=workers))


def _text_pieces(log: Log, file: LogFile, wanted: Sequence[str], count: bool) -> list[Piece]:
    if file.size == 0:
        return []
    header = header_of(log, file)
    if not header:
        return []
    for name in wanted:
        if header.count(name) != 1:
            received = "it twice" if name in header else list(header)
            raise LogError(f"{file.path}, line 1: expected a column {name!r}, received {received}; mend the file")
    step = file.size if file.codec else max(PIECE_BYTES, log.bytes // MOST_PIECES)
    pieces = []
    for begin in range(0, file.size, step):
        skip = 1 if begin == 0 and log.columns is None else 0
        piece = Piece(file, begin, min(begin + step, file.size), tuple(header), skip)
        pieces.append(replace(piece, rows=stretch_rows(piece)) if count else piece)
    return [piece for piece in pieces if piece.rows != 0]


def _parquet_pieces(file: LogFile, wanted: Sequence[str]) -> tuple[list[Piece], dict[str, tuple[str, str]]]:
    """The row groups, and the kind of each column with the path of the file."""
    if file.size == 0:
        return [], {}
    schema, metadata = footer_of(file)
    kinds = {}
    for name in wanted:
        if schema.names.count(name) != 1:
            raise LogError(f"{file.path}: expected a column {name!r}, received {schema.names[:40]}; mend the file")
        kinds[name] = kind_of(schema.field(name).type), file.path
    pieces, first = [], 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if rows:
            pieces.append(Piece(file, group, group + 1, rows=rows, first_row=first))
        first += rows
    return pieces, kinds


def footer_of(file: LogFile) -> tuple[pa.Schema, pq.FileMetaData]:
    """What the end of a Parquet file says.

    Raises:
        LogError: It cannot be read. One line.
    """
    try:
        with file.open() as opened:
            footer = pq.ParquetFile(opened)
            return footer.schema_arrow, footer.metadata
    except Exception as error:
        if not unreadable(file, error):
            raise
        raise LogError(
            f"{file.path}: expected a whole Parquet file, received {one_line(error)}; write it again"
        ) from error


def kind_of(type: pa.DataType) -> str:
    """What a column's values are, whatever their width: "text", "number", "list of text", ..."""
    if pa.types.is_dictionary(type):
        return kind_of(type.value_type)
    if pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type):
        return "text"
    if pa.types.is_integer(type) or pa.types.is_floating(type):
        return "number"
    if pa.types.is_binary(type) or pa.types.is_large_binary(type) or pa.types.is_fixed_size_binary(type):
        return "binary"
    if pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type):
        return f"list of {kind_of(type.value_type)}"
    return str(type)


def _check_kinds(
    found: Iterable[tuple[list[Piece], dict[str, tuple[str, str]]]],
    expected: Iterable[tuple[str, str, tuple[str, ...]]],
) -> None:
    first: dict[str, tuple[str, str]] = {}
    for _, kinds in found:
        for name, (kind, path) in kinds.items():
            wanted, where = first.setdefault(name, (kind, path))
            if kind != wanted:
                raise LogError(
                    f"{path}: expected {wanted} in column {name!r}, as in {where}, received {kind}; write it again"
                )
    for name, words, readable in expected:
        kind, path = first.get(name, (readable[0], ""))
        if not kind.startswith(readable):
            raise LogError(
                f"{path}: expected {words} in column {name!r}, received {kind}; cast the column, or read it by another "
                "field"
            )
