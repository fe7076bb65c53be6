"""A latency budget: limits in milliseconds, with the batch size and thread count at which they hold."""

from dataclasses import dataclass
from math import isfinite

import keras

import rocket_keras

PERCENTILES = ("p50_ms", "p95_ms", "p99_ms")


@dataclass(frozen=True)
class LatencyBudget:
    """The most milliseconds that one request to a net may take.

    Args:
        p50_ms: limit of the median, milliseconds; None sets no limit.
        p95_ms: limit of the 95th percentile, milliseconds; None sets no limit.
        p99_ms: limit of the 99th percentile, milliseconds; None sets no limit.
        batch_size: rows of one request, such as the candidate ads scored for one user.
        threads: threads that the runtime may use for one request.

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

    def __post_init__(self) -> None:
        limits = self.limits()
        if not limits:
            raise ValueError(
                f"LatencyBudget: expected at least one limit, received none; give one of {', '.join(PERCENTILES)}"
            )
        for name, value in limits.items():
            if not (isfinite(value) and value > 0):
                raise ValueError(
                    f"LatencyBudget: expected {name} to be a positive number of milliseconds, received {value!r}; "
                    "leave it out to set no limit"
                )
        for name in ("batch_size", "threads"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"LatencyBudget: expected {name} to be a whole number of at least 1, received {value!r}; "
                    "give what a serving request has"
                )

    def limits(self) -> dict[str, float]:
        """The limits that are set, milliseconds by percentile (keys as the fields)."""
        return {name: value for name in PERCENTILES if (value := getattr(self, name)) is not None}

    def met_by(self, latency: "rocket_keras.Latency") -> bool:
        """True if no limit is exceeded; a latency equal to the limit meets it.

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

    def measure(self, model: keras.Model) -> "rocket_keras.Latency":
        """The latency of the exported `model` at this budget's batch size and thread count."""
        return rocket_keras.measure_latency(model, batch_size=self.batch_size, threads=self.threads)
