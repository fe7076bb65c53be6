"""Measures requests one after the other until the question of the budget is decided."""

import dataclasses
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras.export import export_light, made_up_rows
from rocket_keras.extras import require
from rocket_keras.latency.machine import Neighbours, governor, load
from rocket_keras.latency.quantiles import PARTS, Interval, decided, interval
from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session, single_row_inputs
from rocket_keras.processor import processor

LOOK_EVERY = 20
"""Requests between two times of the reference."""
LEAST = 20
"""Requests that are measured even where the time is up before."""
SECOND_LOOK = 600
"""Requests of the second look, at least: fewer than 545 cannot bound a p99 from above with the error that is left."""
STEADY = 0.05
"""Share by which the medians of two blocks of warm-up requests may differ."""


@dataclasses.dataclass(frozen=True)
class Latency:
    """Percentiles of one request's time, and what they were measured with.

    Attributes:
        p50_ms, p95_ms, p99_ms: Milliseconds from the arrays of one request to its logits; in an open loop from the
            moment that the request was due.
        batch_size: Rows (candidates) a request.
        threads: Threads of the runtime.
        requests: Requests measured, after the warm-up.
        runtime: Runtime and version.
        device: Processor.
        budget_ms: The budget of the p99, if any.
        p50_interval, p95_interval, p99_interval: Low and high, between which the true percentile lies with `confidence`
            or more; high is None where there were too few requests to bound it.
        confidence: Of the intervals: 0.95, or more where the sample grew until the budget was decided.
        decision: `"within"` where the p99's interval lies below the budget, `"over"` where it lies above, `"undecided"`
            where the time was up before; None without a budget. With budgets of several percentiles: `"within"` where
            all are met, `"over"` where one is not.
        rate_per_s: Requests a second of an open loop; None for a closed one.
        load: Mean number of running processes in the minute before the end, where the system tells.
        governor: The frequency governor, where the system tells.
        slowdown: How many times slower a reference between the requests was at its slow end than at its fast end.
        interruptions: How often the operating system took the core away meanwhile, where it tells.
        disturbed: Whether the slowdown is above 1.5, or more than 0.5 % of the requests were interrupted: something
            else ran on the machine, so measure again.
        budgets_ms: The budgets by field, such as `{"p99_ms": 2.0}`; empty where there are none.
        steady: Whether the medians of two blocks of the warm-up agreed: otherwise requests still became faster or
            slower when the measurement began. None without a warm-up, or where it was not noted.
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
    p50_interval: Interval = (0.0, None)
    p95_interval: Interval = (0.0, None)
    p99_interval: Interval = (0.0, None)
    confidence: float = 0.95
    decision: str | None = None
    rate_per_s: float | None = None
    load: float | None = None
    governor: str | None = None
    slowdown: float = 1.0
    interruptions: int | None = None
    disturbed: bool = False
    budgets_ms: dict[str, float] = dataclasses.field(default_factory=dict)
    steady: bool | None = None

    @property
    def within_budget(self) -> bool | None:
        """Whether the budget is met; None when no budget was given, or the time was up before it was decided."""
        return {"within": True, "over": False}.get(self.decision or "")


def measure_latency(
    model: keras.Model | str | Path,
    batch_size: int = 1,
    budget_ms: float | Mapping[str, float] | None = None,
    threads: int = 1,
    rows: Any = None,
    requests: int = 500,
    warm_up: int = 50,
    seconds: float = 20.0,
    rate_per_s: float | None = None,
    times_ms: list[float] | None = None,
) -> Latency:
    """Measure the time of one request on the CPU.

    Timing a Keras model itself would measure the framework's overhead, not the net. With a budget the sample doubles
    until the confidence interval of the p99 lies below or above it.

    Args:
        model: The light net, or the path of an ONNX file.
        batch_size: Rows a request.
        budget_ms: Milliseconds that the p99 should not exceed, or those of several percentiles, such as
            `{"p50_ms": 1.0, "p99_ms": 2.0}`; see `Latency.decision`.
        threads: Threads of ONNX Runtime.
        rows: Inputs to draw requests from, arrays of at least `batch_size` rows; made-up rows for a Keras model
            otherwise. Of an input that a file takes once a request, such as the user's, a request has its first row's
            value; such an array may also have one row for all requests.
        requests: Requests that count, or those of the first look where there is a budget. Below 368 of them nothing
            bounds a p99 from above.
        warm_up: Requests of a block before that; there are blocks until two medians agree, five at most (see
            `Latency.steady`).
        seconds: When to give up on a budget that is still undecided.
        rate_per_s: Requests a second that fall due whether or not the one before is done (an open loop, in which a
            request also waits for those before it); None: each begins when the one before is done (a closed loop).
        times_ms: A list that gets each request's milliseconds.

    Raises:
        ValueError: A count below 1, too few rows, a rate or budget not above 0, an unknown percentile, or no rows for
            an ONNX file.
        ImportError: ONNX Runtime, SciPy, onnx, or the exporter that `export_light` needs is missing.
    """
    for name, value in (("batch_size", batch_size), ("threads", threads), ("requests", requests)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1. Received: {name}={value}.")
    if rate_per_s is not None and not rate_per_s > 0:
        raise ValueError(f"rate_per_s must be above 0. Received: rate_per_s={rate_per_s}.")
    budgets = _budgets(budget_ms)
    session, feeds = _served(model, batch_size, threads, rows)

    def request(number: int) -> None:
        onnx_run(session, feeds[number % len(feeds)])

    steady = _warm_up(request, warm_up)
    neighbours = Neighbours()
    source = _times(request, rate_per_s, neighbours)
    times, decision, confidence = _enough(source, requests, budgets, seconds)
    if times_ms is not None:
        times_ms.extend(times.tolist())
    p50, p95, p99 = (float(p) for p in np.quantile(times, PARTS))
    return Latency(
        p50,
        p95,
        p99,
        batch_size,
        threads,
        len(times),
        f"onnxruntime {require('onnxruntime', 'serve').__version__}",
        processor(),
        budgets.get(0.99),
        **{f"p{100 * part:g}_interval": interval(times, part, confidence) for part in PARTS},
        confidence=confidence,
        decision=decision,
        rate_per_s=rate_per_s,
        load=load(),
        governor=governor(),
        slowdown=round(neighbours.slowdown, 3),
        interruptions=neighbours.interruptions,
        disturbed=neighbours.disturbed(len(times)),
        budgets_ms={f"p{100 * part:g}_ms": budget for part, budget in budgets.items()},
        steady=steady,
    )


def _budgets(given: float | Mapping[str, float] | None) -> dict[float, float]:
    """Return the budgets by quantile."""
    if given is None:
        return {}
    named = given if isinstance(given, Mapping) else {"p99_ms": given}
    known = {f"p{100 * part:g}_ms": part for part in PARTS}
    for name, budget in named.items():
        if name not in known or not budget > 0:
            raise ValueError(
                f"expected `budget_ms` as milliseconds above 0 of {', '.join(known)}, received {name}={budget}; "
                "leave out what has no budget"
            )
    return {known[name]: float(budget) for name, budget in named.items()}


def _served(
    model: keras.Model | str | Path, batch_size: int, threads: int, rows: Any
) -> tuple[Any, list[dict[str, np.ndarray]]]:
    """Open the net in ONNX Runtime, and cut the rows into requests."""
    if rows is None and not isinstance(model, keras.Model):
        raise ValueError("Give rows: an ONNX file does not tell which values its inputs take.")
    rows = made_up_rows(model, batch_size) if rows is None else rows
    if isinstance(model, keras.Model):
        with tempfile.TemporaryDirectory() as folder:
            session = onnx_session(export_light(model, Path(folder) / "net.onnx"), threads)
    else:
        session = onnx_session(model, threads)
    return session, _requests(session, rows, batch_size)


def _warm_up(request: Callable[[int], None], count: int) -> bool | None:
    """Run blocks of requests until two medians agree, five at most; return whether they did, None without requests."""
    if not count:
        return None
    before = math.inf
    for _ in range(5):
        median = float(np.median([_timed(request, number) for number in range(count)]))
        if abs(median - before) <= STEADY * median:
            return True
        before = median
    return False


def _times(request: Callable[[int], None], rate_per_s: float | None, neighbours: Neighbours) -> Iterator[float]:
    """Yield the milliseconds of one request after the other, with the reference in between."""
    begun, number, looked = time.perf_counter(), 0, -LOOK_EVERY
    while True:
        owed = number - looked >= LOOK_EVERY
        if rate_per_s is None:
            yield 1e3 * _timed(request, number)
            if owed:
                neighbours.look()
                looked = number
        else:
            due = begun + number / rate_per_s
            spare = due - time.perf_counter()
            if spare > 0:
                if owed:
                    neighbours.look()
                    looked = number
                time.sleep(max(0.0, due - time.perf_counter()))
            request(number)
            yield 1e3 * (time.perf_counter() - due)
        number += 1


def _timed(request: Callable[[int], None], number: int) -> float:
    begin = time.perf_counter()
    request(number)
    return time.perf_counter() - begin


def _enough(
    source: Iterator[float], requests: int, budgets: Mapping[float, float], seconds: float
) -> tuple[np.ndarray, str | None, float]:
    """Draw times until the budget is decided or the time is up; without a budget, so many requests."""
    if not budgets:
        return np.array([next(source) for _ in range(requests)]), None, 0.95
    times: list[float] = []
    end, look, want = time.perf_counter() + seconds, 0, requests
    while True:
        while len(times) < want and (len(times) < LEAST or time.perf_counter() < end):
            times.append(next(source))
        decision, confidence = decided(np.array(times), budgets, look)
        if decision is not None:
            return np.array(times), decision, confidence
        if time.perf_counter() >= end:
            return np.array(times), "undecided", confidence
        look, want = look + 1, max(2 * want, SECOND_LOOK)


def _requests(session: Any, rows: Any, batch_size: int) -> list[dict[str, np.ndarray]]:
    """Cut rows into at most 64 requests of `batch_size`.

    What a request has once, the file's inputs of one row, is that of the request's first row.
    """
    feed, once = onnx_feed(session, rows), single_row_inputs(session)
    counts = {name: len(column) for name, column in feed.items() if name not in once or len(column) > 1}
    available = min(counts.values(), default=1)
    if len(set(counts.values())) > 1:
        raise ValueError(f"expected columns of one length in `rows`, received {counts}; give a row for each candidate")
    if available < batch_size:
        raise ValueError(f"rows must hold at least one request of {batch_size} rows. Received: {available} rows.")

    def cut(name: str, column: np.ndarray, start: int) -> np.ndarray:
        if name in once:
            start = min(start, len(column) - 1)
            return np.ascontiguousarray(column[start : start + 1])
        return np.ascontiguousarray(column[start : start + batch_size])

    starts = range(0, available - batch_size + 1, batch_size)[:64]
    return [{name: cut(name, column, start) for name, column in feed.items()} for start in starts]
