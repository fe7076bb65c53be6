"""Pieces as encoded rows, in blocks, the bad rows told of on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rocket_keras.streaming.bad_rows import SAMPLES_A_BLOCK, Watch
from rocket_keras.streaming.batch import Batch
from rocket_keras.streaming.block import Block
from rocket_keras.streaming.encode import BlockEncoder
from rocket_keras.streaming.log import Log
from rocket_keras.streaming.parquet import parquet_blocks
from rocket_keras.streaming.piece import Piece
from rocket_keras.streaming.text import text_blocks


def blocks(log: Log, piece: Piece, columns: Sequence[str], begin: int = 0) -> Iterator[Block]:
    """The blocks of a piece with these raw columns, those of its path among them, from block `begin` on."""
    of_path = {name: value for name, value in piece.file.partitions if name in columns}
    inside = [name for name in columns if name not in of_path]
    read = parquet_blocks(piece, inside, begin) if log.format == "parquet" else text_blocks(log, piece, inside, begin)
    for block in read:
        for name, value in of_path.items():
            places = pa.array(np.zeros(block.rows, np.int32))
            block.columns[name] = pa.DictionaryArray.from_arrays(places, pa.array([value]))
        yield block.share(piece.part)


@dataclass(frozen=True)
class Encoded:
    """A block's good rows.

    Attributes:
        number: The block's place in its piece.
        rows: They.
        bytes: Of the file, about.
    """

    number: int
    rows: Batch
    bytes: int


def encoded(log: Log, piece: Piece, encoder: BlockEncoder, watch: Watch, begin: int = 0) -> Iterator[Encoded]:
    """The good rows of a piece, a block at a time, from block `begin` on; all rows are counted.

    Raises:
        LogError: The file cannot be read, or too many rows do not parse.
    """
    for block in blocks(log, piece, encoder.wanted.raw_columns, begin):
        batch, bad, samples = encoder.encode(block, SAMPLES_A_BLOCK if watch.samples_left else 1)
        watch.note(len(batch), bad, samples)
        yield Encoded(block.number, batch, block.bytes)
