"""Measurements on disk: a JSON file each, so that a net of the same shape is measured once on a machine."""

import json
import os
from pathlib import Path
from typing import Any

from rocket_keras.architecture import digest
from rocket_keras.json_file import write_json
from rocket_keras.latency import processor


def machine() -> dict[str, Any]:
    """Return what makes two machines the same for a measurement."""
    return {"processor": processor(), "cores": os.cpu_count()}


class MeasurementCache:
    """A folder of measurements by key, each with the machine that it was taken on.

    Args:
        folder: Made where it does not exist; None keeps measurements in memory alone.

    Attributes:
        foreign: Keys of measurements that were found, but of another machine: they are not used.
        trouble: Why the disk took no measurement, if it did not; those are kept in memory.
    """

    def __init__(self, folder: Path | None):
        self.folder, self.here = folder, machine()
        self.memory: dict[str, dict[str, Any]] = {}
        self.foreign: set[str] = set()
        self.trouble: str | None = None

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the measurement of that key, or None where there is none of this machine."""
        if key in self.memory:
            return self.memory[key]
        try:
            entry = json.loads(self._path(key).read_text(encoding="utf-8")) if self.folder else None
        except (OSError, ValueError):  # none, or one cut short: it is measured again
            return None
        if entry is None or entry.get("machine") != self.here:
            if entry is not None:
                self.foreign.add(key)
            return None
        self.memory[key] = entry["measurement"]
        return entry["measurement"]

    def put(self, key: str, measurement: dict[str, Any]) -> None:
        """Keep a measurement; a disk that takes none is noted, not raised: nothing measured is lost."""
        self.memory[key] = measurement
        if self.folder is None:
            return
        try:
            write_json(self._path(key), {"machine": self.here, "measurement": measurement})
        except OSError as error:
            self.trouble = f"{self.folder} takes no measurement ({error}); they are kept in memory for this search"

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}.json"


def key_of(**parts: Any) -> str:
    """Return a key of plain values."""
    return digest(parts)
