"""How far a long pass is."""

import time
from collections.abc import Callable
from dataclasses import dataclass

EVERY = 0.5
"""Seconds between two reports, at least."""


@dataclass(frozen=True)
class Progress:
    """What has been read.

    Attributes:
        rows: Good and bad ones.
        bytes: Of the files as they are stored, about.
        total_bytes: Of all files.
        seconds: Since the pass began.
    """

    rows: int
    bytes: int
    total_bytes: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """On average."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0


Tell = Callable[[Progress], None]


class Meter:
    """Tells of progress twice a second at most, and at the end.

    Args:
        tell: Takes a `Progress`; None for nobody.
        total_bytes: Of all files.
    """

    def __init__(self, tell: Tell | None, total_bytes: int):
        self._tell, self._total = tell, total_bytes
        self._rows = self._bytes = 0
        self._start = self._told = time.monotonic()

    def add(self, rows: int, bytes: int) -> None:
        """Count what was read."""
        self._rows, self._bytes = self._rows + rows, min(self._total, self._bytes + bytes)
        if self._tell is not None and time.monotonic() - self._told >= EVERY:
            self._say(self._bytes)

    def end(self) -> None:
        """Tell that all was read."""
        if self._tell is not None:
            self._say(self._total)

    def _say(self, bytes: int) -> None:
        assert self._tell is not None
        self._told = time.monotonic()
        self._tell(Progress(self._rows, bytes, self._total, self._told - self._start))
