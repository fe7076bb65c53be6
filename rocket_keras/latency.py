"""Latency of a net as it is served: exported to ONNX, run by ONNX Runtime with a fixed number of threads."""

import dataclasses
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras.export import export_light, made_up_rows, onnx_feed, onnx_session
from rocket_keras.extras import require


@dataclasses.dataclass(frozen=True)
class Latency:
    """Percentiles of one request's time, and what they were measured with.

    Attributes:
        p50_ms, p95_ms, p99_ms: Milliseconds from the arrays of one request to its logits.
        batch_size: Rows (candidates) a request.
        threads: Threads of the runtime.
        requests: Requests measured, after the warm-up.
        runtime: Runtime and version.
        device: Processor.
        budget_ms: The budget asked for, if any.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    batch_size: int
    threads: int
    requests: int
    runtime: str
    device: str
    budget_ms: float | None = None

    @property
    def within_budget(self) -> bool | None:
        """Whether the p99 meets the budget; None when no budget was given."""
        return None if self.budget_ms is None else self.p99_ms <= self.budget_ms


def measure_latency(
    model: keras.Model | str | Path,
    batch_size: int = 1,
    budget_ms: float | None = None,
    threads: int = 1,
    rows: Any = None,
    requests: int = 300,
    warm_up: int = 50,
) -> Latency:
    """Measure the time of one request, one request after the other (a closed loop), on the CPU.

    Timing a Keras model itself would measure the framework's overhead, not the net.

    Args:
        model: The light net, or the path of an ONNX file.
        batch_size: Rows a request.
        budget_ms: Milliseconds that the p99 should not exceed; see `Latency.within_budget`.
        threads: Threads of ONNX Runtime.
        rows: Inputs to draw requests from, arrays of at least `batch_size` rows; made-up rows for a Keras model
            otherwise.
        requests: Requests that count.
        warm_up: Requests before that.

    Raises:
        ValueError: A count below 1, too few rows, or no rows for an ONNX file.
        ImportError: ONNX Runtime, onnx, or the exporter that `export_light` needs is missing.
    """
    for name, value in (("batch_size", batch_size), ("threads", threads), ("requests", requests)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1. Received: {name}={value}.")
    if rows is None and not isinstance(model, keras.Model):
        raise ValueError("Give rows: an ONNX file does not tell which values its inputs take.")
    rows = made_up_rows(model, batch_size) if rows is None else rows
    if isinstance(model, keras.Model):
        with tempfile.TemporaryDirectory() as folder:
            session = onnx_session(export_light(model, Path(folder) / "net.onnx"), threads)
    else:
        session = onnx_session(model, threads)
    feeds = _requests(session, rows, batch_size)
    for i in range(warm_up):
        session.run(None, feeds[i % len(feeds)])
    times = np.empty(requests)
    for i in range(requests):
        begin = time.perf_counter_ns()
        session.run(None, feeds[i % len(feeds)])
        times[i] = (time.perf_counter_ns() - begin) / 1e6
    p50, p95, p99 = (float(p) for p in np.percentile(times, [50, 95, 99]))
    runtime = f"onnxruntime {require('onnxruntime', 'serve').__version__}"
    return Latency(p50, p95, p99, batch_size, threads, requests, runtime, processor(), budget_ms)


def processor() -> str:
    """Name the processor, as the operating system does."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _requests(session: Any, rows: Any, batch_size: int) -> list[dict[str, np.ndarray]]:
    """Cut rows into at most 64 requests of `batch_size`."""
    feed = onnx_feed(session, rows)
    available = len(next(iter(feed.values())))
    if available < batch_size:
        raise ValueError(f"rows must hold at least one request of {batch_size} rows. Received: {available} rows.")
    starts = range(0, available - batch_size + 1, batch_size)[:64]
    return [{k: np.ascontiguousarray(v[s : s + batch_size]) for k, v in feed.items()} for s in starts]
