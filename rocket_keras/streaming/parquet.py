"""Row groups of Parquet files as blocks."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from rocket_keras.streaming.bad_rows import LONGEST, LogError
from rocket_keras.streaming.block import Block
from rocket_keras.streaming.columns import plain
from rocket_keras.streaming.files import LogFile, one_line, unreadable
from rocket_keras.streaming.piece import Piece

BLOCK_ROWS = 16_384


def parquet_blocks(piece: Piece, columns: Sequence[str], begin: int = 0) -> Iterator[Block]:
    """The blocks of a piece, from block `begin` on.

    Args:
        piece: Row groups of a file.
        columns: Names of the columns that are wanted.
        begin: Blocks to leave out.
    """
    first = piece.first_row
    try:
        with piece.file.open() as opened:
            file = pq.ParquetFile(opened, metadata=_metadata(piece.file))
            groups = range(piece.begin, piece.end)
            batches = file.iter_batches(BLOCK_ROWS, list(groups), list(columns), use_threads=False)
            stored = sum(_stored(file.metadata.row_group(group)) for group in groups)
            for number, batch in enumerate(batches):
                if number >= begin and batch.num_rows:
                    share = stored * batch.num_rows // (piece.rows or batch.num_rows)
                    yield _block(piece, number, batch, columns, first, share)
                first += batch.num_rows
    except Exception as error:
        if not unreadable(piece.file, error):
            raise
        raise LogError(
            f"{piece.file.path}, row {first + 1}: expected a whole Parquet file, received {one_line(error)}; write it "
            "again"
        ) from error


def _block(piece: Piece, number: int, batch: pa.RecordBatch, columns: Sequence[str], first: int, stored: int) -> Block:
    def line_of(row: int) -> int:
        return first + row + 1

    def text_of(row: int) -> str:
        values = {name: batch.column(name)[row].as_py() for name in columns}
        return json.dumps(values, default=str)[:LONGEST]

    raw = {name: plain(batch.column(name)) for name in columns}
    return Block(piece.file.path, number, first - piece.first_row, raw, batch.num_rows, line_of, text_of, stored)


def _stored(group: pq.RowGroupMetaData) -> int:
    """Bytes of a row group as they are stored."""
    return sum(group.column(place).total_compressed_size for place in range(group.num_columns))


@lru_cache(maxsize=16)
def _metadata(file: LogFile) -> pq.FileMetaData:
    """A file's footer, which all of its row groups need."""
    with file.open() as opened:
        return pq.read_metadata(opened)
