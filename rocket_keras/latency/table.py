"""Latencies as a table for people."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from rocket_keras.latency.measure import Latency
from rocket_keras.latency.quantiles import Interval


def print_latencies(found: Sequence[Latency], title: str, console: Console) -> None:
    """Print one line a measurement: percentiles with their intervals, the decision, and whether to measure again."""
    table = Table(title=title, title_justify="left")
    for name in ("candidates", "threads", "p50 ms", "p95 ms", "p99 ms", "budget", "requests", "steady", "disturbed"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found:
        budget = "-" if one.budget_ms is None else f"{one.decision} {one.budget_ms:g} ms"
        cells = [
            f"{value:.3f} {_bounds(bounds)}"
            for value, bounds in (
                (one.p50_ms, one.p50_interval),
                (one.p95_ms, one.p95_interval),
                (one.p99_ms, one.p99_interval),
            )
        ]
        told = ["-" if said is None else "yes" if said else "no" for said in (one.steady, one.disturbed)]
        table.add_row(str(one.batch_size), str(one.threads), *cells, budget, str(one.requests), *told)
    console.print(table)
    last = found[-1]
    loop = "closed loop" if last.rate_per_s is None else f"open loop, {last.rate_per_s:g} requests a second"
    governor = f", governor {last.governor}" if last.governor else ""
    lines = [
        f"In brackets: intervals that hold the percentile with {min(one.confidence for one in found):.1%} or more.",
        f"{last.runtime}, {last.device}{governor}, load {last.load}, {loop}.",
    ]
    if any(one.steady is False for one in found):
        lines.append("Not steady: the medians of the warm-up still changed when the measurement began. Measure again.")
    if any(one.disturbed for one in found):
        worst = max(found, key=lambda one: one.slowdown)
        lines.append(
            f"Disturbed: something else ran here meanwhile (a reference was up to {worst.slowdown:.1f} times slower, a "
            f"core was taken away {worst.interruptions} times), and the p99 may be its. Measure again."
        )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _bounds(interval: Interval) -> str:
    low, high = interval
    return f"({low:.3f} to {'?' if high is None else f'{high:.3f}'})"
