"""What a latency was measured on, and whether something else was running there."""

import dataclasses
import os
import time
from pathlib import Path

import numpy as np

try:
    import resource
except ImportError:  # Windows does not count how often a core was taken away
    resource = None  # type: ignore[assignment]

NOISY = 1.5
"""How many times slower than at its best the reference may become before the measurement is called disturbed."""
TAKEN_AWAY = 0.005
"""Share of the requests in which the core was taken away, above which it is: half of what a p99 leaves out."""


def governor() -> str | None:
    """Name the first core's frequency governor; None where the system does not tell."""
    file = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return file.read_text().strip() if file.exists() else None


def load() -> float | None:
    """Return the mean number of running processes in the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


@dataclasses.dataclass
class Neighbours:
    """Watches for other work on the machine: by a reference that is timed between the requests, and by how often the
    operating system took the core away.

    Attributes:
        times: Seconds of the reference.
    """

    times: list[float] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self._begin = _interruptions()
        self._matrix = np.random.default_rng(0).normal(size=(48, 48)).astype("float32")

    def look(self) -> None:
        """Time the reference once: a product of small matrices, some microseconds."""
        begin = time.perf_counter()
        _ = self._matrix @ self._matrix
        self.times.append(time.perf_counter() - begin)

    @property
    def slowdown(self) -> float:
        """The 90 % quantile of the reference's times over their 10 % quantile; 1 before the tenth."""
        if len(self.times) < 10:
            return 1.0
        low, high = np.quantile(self.times, [0.1, 0.9])
        return float(high / low)

    @property
    def interruptions(self) -> int | None:
        """How often the core was taken away since the beginning; None where the system does not tell."""
        now = _interruptions()
        return None if now is None or self._begin is None else now - self._begin

    def disturbed(self, requests: int) -> bool:
        """Return whether a p99 over so many requests is that of the net or that of its neighbours."""
        return self.slowdown > NOISY or (self.interruptions or 0) > TAKEN_AWAY * requests


def _interruptions() -> int | None:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if resource else None
