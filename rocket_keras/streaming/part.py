"""Some of a piece's rows, by their places: a worker's, or those that are held out."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """Which rows of a piece are read.

    Args:
        worker, workers: Of the rows that are left, every one whose number is `worker` modulo `workers`.
        held_out: `(share, held)`: leave rows that are spread evenly, `held`, or all others; None for all rows.
        phase: Part of a held-out row that is carried over from other pieces, from 0 to below 1: of many short pieces
            each holds out a row now and then.
    """

    worker: int = 0
    workers: int = 1
    held_out: tuple[float, bool] | None = None
    phase: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether all rows are read."""
        return self.workers == 1 and self.held_out is None

    def count(self, rows: int) -> int:
        """How many of a piece's rows are read."""
        return int((self._left(np.array([rows]))[0] - self.worker + self.workers - 1) // self.workers)

    def places(self, first: int, rows: int) -> np.ndarray:
        """Which of the rows from row `first` of the piece on are read, counted from there."""
        places = np.arange(first, first + rows)
        left = self._left(places)
        chosen = (self._left(places + 1) > left) & (left % self.workers == self.worker)
        return np.flatnonzero(chosen)

    def _left(self, places: np.ndarray) -> np.ndarray:
        """Rows before each place that the held-out share leaves."""
        if self.held_out is None:
            return places
        share, held = self.held_out
        before = np.floor(places * share + self.phase).astype(np.int64)
        return before if held else places - before
