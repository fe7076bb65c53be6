"""The net that serves, and how another file takes its place."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocket_keras.service.metrics import Metrics
from rocket_keras.service.schema import column_schemas
from rocket_keras.serving import Scorer

LOG = logging.getLogger("rocket_keras.service")
Stamp = tuple[int, int, int]
TRIES = 3
"""To open a file that is replaced while it is opened."""


@dataclass(frozen=True)
class Loaded:
    """A file that was opened.

    Attributes:
        scorer: Scores with it.
        sha256: Of its bytes, hex.
        columns: Place and JSON schema of each raw column.
    """

    scorer: Scorer
    sha256: str
    columns: dict[str, Any]


class ServedModel:
    """The net that serves.

    Args:
        path: The ONNX file, which may be replaced.
        open_scorer: Opens it; a scorer that takes numbers for numbers alone.
        metrics: Counts swaps and unseen values.

    Raises:
        FileNotFoundError, ValueError: As `Scorer`.
    """

    def __init__(self, path: Path, open_scorer: Callable[[Path], Scorer], metrics: Metrics) -> None:
        self.path, self.metrics, self._open = path, metrics, open_scorer
        self._earlier = Counter[str]()
        self._tried: Stamp | None = None
        self._loaded = self._load()
        self.metrics.model.info({"name": self.scorer.name, "sha256": self.sha256})
        self.metrics.count_unseen(self.unseen)

    @property
    def scorer(self) -> Scorer:
        """The scorer of the net that serves."""
        return self._loaded.scorer

    @property
    def sha256(self) -> str:
        """SHA-256 of the file that serves, hex."""
        return self._loaded.sha256

    def unseen(self) -> dict[str, int]:
        """Return how many values had no id of their own, those of earlier files included, by raw column."""
        now = self._earlier + self.scorer.unseen
        return {column: now[column] for column in self.scorer.columns}

    def stamp(self) -> Stamp | None:
        """Return what changes when the file does; None while there is none."""
        try:
            facts = self.path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    async def swap(self) -> bool:
        """Open the file beside the net that serves, and let it serve from the next request on if it is a good one.

        Returns:
            Whether it serves. If not, the earlier one goes on; one line in the log says why.
        """
        try:
            new = await asyncio.to_thread(self._load)
            if different := _different(self._loaded.columns, new.columns):
                raise ValueError(
                    f"expected the columns of the net that serves in {self.path}, received others: {different}; start "
                    "a service of its own for it"
                )
        except (ValueError, OSError) as error:
            self.metrics.swaps.labels("refused").inc()
            LOG.warning("refused a new file, %s goes on: %s", self.sha256[:12], error)
            return False
        self._earlier += self.scorer.unseen
        self._loaded = new
        self.metrics.swaps.labels("accepted").inc()
        self.metrics.model.info({"name": new.scorer.name, "sha256": new.sha256})
        LOG.info("%s serves from now on: %s, SHA-256 %s", self.path, new.scorer.name, new.sha256[:12])
        return True

    async def watch(self, every_s: float | None, asked: asyncio.Event) -> None:
        """Swap when the file has changed and then rested for `every_s` seconds, or when it is asked for; for ever.

        Args:
            every_s: Seconds between two looks at the file; None to swap only when it is asked for.
            asked: Asks for it.
        """
        seen = self._tried
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), every_s)
            stamp = self.stamp()
            if asked.is_set() or (stamp is not None and stamp == seen and stamp != self._tried):
                asked.clear()
                await self.swap()
            seen = stamp

    def _load(self, more: int = TRIES - 1) -> Loaded:
        """Open the file; again, so many times more, where it was replaced meanwhile."""
        self._tried = self.stamp()
        try:
            scorer = self._open(self.path)
        except (ValueError, OSError):
            if not more or self.stamp() == self._tried:
                raise
        else:
            return Loaded(scorer, scorer.sha256, column_schemas(scorer))
        return self._load(more - 1)


def _different(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Say in which columns two nets differ; nothing where they take the same requests."""
    parts = {
        "added": new.keys() - old.keys(),
        "gone": old.keys() - new.keys(),
        "changed": {name for name in old.keys() & new.keys() if old[name] != new[name]},
    }
    return ", ".join(f"{sorted(names)} {how}" for how, names in parts.items() if names)
