"""What the service counts, as Prometheus reads it."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)
CANDIDATES = (1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


class Metrics:
    """The metrics of one service.

    Attributes:
        registry: Holds all of them.
        requests: Requests to /score, by HTTP status of the answer.
        seconds: From a request's head to its answer.
        candidates: Candidates of a scored request.
        waiting: Requests in line.
        swaps: New files, by what became of them: "accepted" or "refused".
        model: Name and SHA-256 of the file that serves.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "rocket_keras_requests", "Requests to /score by HTTP status.", ["status"], registry=self.registry
        )
        self.seconds = Histogram(
            "rocket_keras_request_seconds", "Seconds of a request to /score.", buckets=SECONDS, registry=self.registry
        )
        self.candidates = Histogram(
            "rocket_keras_candidates", "Candidates of a scored request.", buckets=CANDIDATES, registry=self.registry
        )
        self.waiting = Gauge("rocket_keras_waiting_requests", "Requests in line.", registry=self.registry)
        self.swaps = Counter("rocket_keras_swaps", "New model files by outcome.", ["outcome"], registry=self.registry)
        self.model = Info("rocket_keras_model", "The net that serves.", registry=self.registry)
        for outcome in ("accepted", "refused"):
            self.swaps.labels(outcome)

    def count_unseen(self, read: Callable[[], dict[str, int]]) -> None:
        """Let `read` tell how many values had no id of their own so far, by raw column."""
        self.registry.register(_Unseen(read))


class _Unseen(Collector):
    """Reads a count that is kept elsewhere."""

    def __init__(self, read: Callable[[], dict[str, int]]) -> None:
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counter of unseen values."""
        family = CounterMetricFamily(
            "rocket_keras_unseen_values", "Values without an id of their own, by raw column.", labels=["column"]
        )
        for column, count in self._read().items():
            family.add_metric([column], count)
        yield family
