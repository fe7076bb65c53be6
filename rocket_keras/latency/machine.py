"""What a latency was measured on, and whether something else was running there."""

import dataclasses
import os
import platform
import time
from pathlib import Path

import numpy as np

NOISY = 1.5
"""How many times slower than at its best the reference may become before the measurement is called disturbed."""


def processor() -> str:
    """Name the processor, as the operating system does."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def governor() -> str | None:
    """Name the first core's frequency governor; None where the system does not tell."""
    file = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return file.read_text().strip() if file.exists() else None


def load() -> float | None:
    """Return the mean number of running processes in the last minute; None where the system does not tell."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


@dataclasses.dataclass
class Neighbours:
    """Watches for other work on the machine, by a reference that is timed between the requests.

    Attributes:
        times: Seconds of the reference.
    """

    times: list[float] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
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
