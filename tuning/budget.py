"""A budget: limits of milliseconds, at the batch size and thread count at which they hold, and of sizes."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import keras

import rocket_keras

PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")
SIZES = ("parameters", "multiply_adds", "peak_memory_mb", "artefact_bytes")


@dataclass(frozen=True)
class LatencyBudget:
    """What one request to a net may take, and what the net may weigh. All limits that are set must hold.

    Args:
        p50_ms: limit of the median, milliseconds; None sets no limit.
        p95_ms: limit of the 95th percentile, milliseconds; None sets no limit.
        p99_ms: limit of the 99th percentile, milliseconds; None sets no limit.
        batch_size: rows of one request, such as the candidate ads scored for one user.
        threads: threads that the runtime may use for one request.
        parameters: limit of the light net's trainable parameters, embedding tables included.
        multiply_adds: limit of the multiply-adds of one row, as `rocket_keras.counting.multiply_adds` counts them.
        peak_memory_mb: limit of the memory, in 10^6 bytes, that opening the exported net and answering requests adds to
            a fresh process at its peak.
        artefact_bytes: limit of the exported ONNX file's size.

    Raises:
        ValueError: no limit is given, or a value is not positive and finite.

    Example:
        budget = tuning.LatencyBudget(p99_ms=2.0, batch_size=200, threads=1)
        budget.met_by(budget.measure(pair.light))
    """

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    batch_size: int = 1
    threads: int = 1
    parameters: int | None = None
    multiply_adds: int | None = None
    peak_memory_mb: float | None = None
    artefact_bytes: int | None = None

    def __post_init__(self) -> None:
        if not self.limits() and not self.sizes():
            raise ValueError(
                "LatencyBudget: expected at least one limit, received none; give one of "
                f"{', '.join(PERCENTILES + SIZES)}"
            )
        for name, value in self.limits().items():
            _check(name, value, "a positive number of milliseconds")
        for name, value in self.sizes().items():
            _check(name, value, "a positive number")
        for name in ("batch_size", "threads"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"LatencyBudget: expected {name} to be a whole number of at least 1, received {value!r}; "
                    "give what a serving request has"
                )

    def limits(self) -> dict[str, float]:
        """The limits of time that are set, milliseconds by percentile (keys as the fields)."""
        return {name: value for name in PERCENTILES if (value := getattr(self, name)) is not None}

    def sizes(self) -> dict[str, float]:
        """The limits of sizes that are set (keys as the fields)."""
        return {name: value for name in SIZES if (value := getattr(self, name)) is not None}

    def describe(self) -> str:
        """The limits in words, as in `p99 2 ms of 200 rows on 1 thread, 50,000 parameters`."""
        parts = []
        if self.limits():
            times = ", ".join(f"{name.removesuffix('_ms')} {value:g} ms" for name, value in self.limits().items())
            parts.append(f"{times} of {self.batch_size} rows on {self.threads} thread{'s' * (self.threads > 1)}")
        return ", ".join([*parts, *(f"{_UNITS[name].format(value)}" for name, value in self.sizes().items())])

    def met_by(self, latency: "rocket_keras.Latency") -> bool:
        """True if no limit of time is exceeded; a latency equal to the limit meets it.

        Raises:
            ValueError: the latency was measured at another batch size or thread count.
        """
        for name in ("batch_size", "threads"):
            ours, theirs = getattr(self, name), getattr(latency, name)
            if ours != theirs:
                raise ValueError(
                    f"LatencyBudget: expected a latency at {name}={ours}, received one at {name}={theirs}; "
                    "measure with budget.measure(model)"
                )
        return all(getattr(latency, name) <= limit for name, limit in self.limits().items())

    def measure(self, model: keras.Model, **options: Any) -> "rocket_keras.Latency":
        """The latency of the exported `model` at this budget's batch size and thread count; it takes further options of
        `rocket_keras.measure_latency`.
        """
        return rocket_keras.measure_latency(model, batch_size=self.batch_size, threads=self.threads, **options)


_UNITS = {
    "parameters": "{:,.0f} parameters",
    "multiply_adds": "{:,.0f} multiply-adds",
    "peak_memory_mb": "{:g} MB at the peak",
    "artefact_bytes": "{:,.0f} bytes",
}


def _check(name: str, value: float, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value > 0):
        raise ValueError(
            f"LatencyBudget: expected {name} to be {what}, received {value!r}; leave it out to set no limit"
        )
