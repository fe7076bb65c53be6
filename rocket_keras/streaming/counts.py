"""How often texts stand in a log: counted in memory, and on disk where they are too many for that."""

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

RUN_ROWS = 4096
"""Of each run that are in memory while runs are merged."""


class Counts:
    """Texts with the rows that they stand in.

    Args:
        folder: Where counts go that memory has no room for.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._rows: dict[str, int] = {}
        self._runs: list[Path] = []

    def __len__(self) -> int:
        """Texts in memory."""
        return len(self._rows)

    def add(self, texts: Iterable[str], rows: Iterable[int]) -> None:
        """Count texts, each with so many rows."""
        known = self._rows
        for text, count in zip(texts, rows, strict=True):
            known[text] = known.get(text, 0) + count

    def spill(self) -> None:
        """Write the counts to disk, in the order of the texts, and forget them."""
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".arrow", delete=False) as file:
            schema = pa.schema([("text", pa.string()), ("rows", pa.int64())])
            with pa.ipc.new_stream(file, schema) as writer:
                texts = sorted(self._rows)
                for begin in range(0, len(texts), RUN_ROWS):
                    part = texts[begin : begin + RUN_ROWS]
                    writer.write_batch(pa.record_batch([part, [self._rows[text] for text in part]], schema=schema))
        self._runs.append(Path(file.name))
        self._rows = {}

    def frequent(self, least: int) -> list[str]:
        """The texts that stand in at least so many rows, in their order."""
        if not self._runs:
            return sorted(text for text, rows in self._rows.items() if rows >= least)
        self.spill()
        merged = groupby(heapq.merge(*map(_run, self._runs)), key=itemgetter(0))
        return [text for text, parts in merged if sum(rows for _, rows in parts) >= least]


def _run(path: Path) -> Iterator[tuple[str, int]]:
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        for batch in reader:
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
