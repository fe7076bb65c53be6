"""Mean and spread of a launch over seeds."""

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from rocket_keras.json_file import write_json

_WORST = ("disturbed", "slowdown", "interruptions")


def spread(answers: list[dict[str, Any]], path: Path) -> dict[str, Any]:
    """Put the test scores of several seeds together and write them.

    Args:
        answers: `metrics.json` of each seed.
        path: Where the summary goes.

    Returns:
        Facts that the seeds have in common, and for each net and score the values, mean and sample standard deviation;
        latencies are medians over the seeds.
    """
    first = answers[0]
    nets: dict[str, Any] = {}
    for net, row in first["nets"].items():
        scores = {}
        for name in row["test"]:
            values = [answer["nets"][net]["test"][name] for answer in answers]
            scores[name] = {"values": values, "mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}
        seconds = [answer["nets"][net]["training_seconds"] for answer in answers]
        kept = {key: row[key] for key in ("parameters", "multiply_adds")}
        latency = _median_latency([answer["nets"][net]["latency"] for answer in answers])
        nets[net] = {"test": scores, **kept, "training_seconds": float(np.mean(seconds)), "latency": latency}
    common = ("entry", "command", "backend", "device", "versions", "git_commit", "date", "dataset", "recipe")
    summary = {**{key: first[key] for key in common}, "seeds": [answer["seed"] for answer in answers], "nets": nets}
    write_json(path, summary)
    return summary


def _median_latency(latencies: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Return the first latency with each percentile's median over the seeds: one noisy second must not decide.

    Where it was disturbed at one seed, over the budget or undecided, it says so.
    """
    measured = [latency for latency in latencies if latency]
    if not measured:
        return None
    percentiles = ("p50_ms", "p95_ms", "p99_ms")
    worst = {key: max((m[key] for m in measured if m.get(key)), default=measured[0].get(key)) for key in _WORST}
    decisions = [m.get("decision") for m in measured]
    worst["decision"] = next((word for word in ("over", "undecided") if word in decisions), decisions[0])
    worst["steady"] = False if any(m.get("steady") is False for m in measured) else measured[0].get("steady")
    known = {key: value for key, value in worst.items() if key in measured[0]}
    return {**measured[0], **{key: float(np.median([m[key] for m in measured])) for key in percentiles}, **known}


def print_spread(summary: dict[str, Any], console: Console) -> None:
    """Print one row a net: mean and standard deviation of each test score."""
    table = Table(title=f"{summary['entry']}: test split, mean ± standard deviation over seeds {summary['seeds']}")
    names = list(next(iter(summary["nets"].values()))["test"])
    for column in ("net", *names):
        table.add_column(column, justify="left" if column == "net" else "right")
    for net, row in summary["nets"].items():
        cells = [f"{row['test'][name]['mean']:.4f} ± {row['test'][name]['std']:.4f}" for name in names]
        table.add_row(net, *cells)
    bayes = summary["dataset"].get("bayes")
    if bayes:
        table.add_row("Bayes optimum", *(f"{bayes[name]:.4f}" for name in names))
    console.print(table)
