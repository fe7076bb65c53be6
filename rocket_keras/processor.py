"""The name of the processor that this runs on."""

import platform
from pathlib import Path


def processor() -> str:
    """Name the processor, as the operating system does."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
