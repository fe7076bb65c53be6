"""How a search ends: with a light net within the budget, or with none and the reason."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from rocket_keras import Latency, Pair
from rocket_keras.json_file import write_json
from tuning.budget import LatencyBudget

Row = dict[str, Any]
"""A candidate: `trial` (None where it never became one), `status` (`"completed"`, `"dropped"`: halved away,
`"failed"`: in training or, without a trial, refused by the builder, `"over"`, `"undecided"`, `"refuted"`: over the
budget in the last measurement), `values`, `metric`, `epochs`, `parameters`, `multiply_adds`, `artefact_bytes`,
`peak_memory_mb`, `latency`, `share` (the largest of measured / limit, headroom included), `why`, `measured_by`."""


class NoFeasibleModel(ValueError):
    """No light net of the space meets the budget.

    Attributes:
        rows: Everything that was measured.
        fastest: The row that comes nearest; None where the runtime itself is over the budget.
        share: What the fastest takes of the budget: above 1, or above what the headroom leaves.
    """

    def __init__(self, message: str, rows: Sequence[Row] = (), fastest: Row | None = None, share: float = math.nan):
        super().__init__(message)
        self.rows, self.fastest, self.share = list(rows), fastest, share


@dataclasses.dataclass(frozen=True, eq=False)
class SearchResult:
    """The best light net whose measured latency, as exported, meets the budget.

    Attributes:
        pair: The best pair, trained again from the beginning; None where the builder makes models that compile
            themselves.
        model: The net that serves: `pair.light`, or the user's model.
        trial: Its trial, as `rows` have it; under Hyperband several trials have its values.
        values: Its hyperparameters.
        metric, direction: What was chosen by, on validation, and whether `"max"` or `"min"` is better.
        score: The winner's metric on validation in the search.
        retrained_score: That of `model`, trained again.
        latency: The winner's, measured last, in a process of its own, at the whole budget.
        rows: Every candidate: trained, dropped, failed, rejected. See `tuning.result.Row`.
        front: The trained rows that no other one beats in metric and latency, fastest first.
        latency_model: Relative errors of the learned latency: `points`, `median`, `p90`; None where too few points were
            measured.
        floor: Latency of a net that does nothing; None without a limit of time.
        facts: Budget, space, seeds, versions, device, seconds by part: whatever makes the search repeatable.
    """

    pair: Pair | None
    model: keras.Model
    trial: str
    values: dict[str, Any]
    metric: str
    direction: str
    score: float
    retrained_score: float
    latency: Latency | None
    rows: list[Row]
    front: list[Row]
    latency_model: dict[str, float] | None
    floor: Latency | None
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return all but the nets, as plain JSON values."""
        told = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("pair", "model")}
        for name in ("latency", "floor"):
            told[name] = dataclasses.asdict(told[name]) if told[name] is not None else None
        return json.loads(json.dumps(told))

    def save(self, folder: str | Path) -> Path:
        """Write `search.json`, `pareto.png` and `report.html`; return the folder.

        Raises:
            ImportError: matplotlib is missing.
        """
        from tuning.report import write_report

        folder = Path(folder)
        write_json(folder / "search.json", self.to_json())
        write_report(self.to_json(), folder)
        return folder


def pareto_front(rows: Sequence[Row], direction: str) -> list[Row]:
    """Return the trained rows that no other one beats in metric and share of the budget, the smallest share first."""
    sign = 1 if direction == "max" else -1
    front: list[Row] = []
    trained = [row for row in rows if row["metric"] is not None and row["status"] != "refuted"]
    for row in sorted(trained, key=lambda row: (row["share"], -sign * row["metric"])):
        if not front or sign * row["metric"] > sign * front[-1]["metric"]:
            front.append(row)
    return front


def nothing_feasible(rows: Sequence[Row], budget: LatencyBudget, reason: str) -> NoFeasibleModel:
    """Make the error: which candidate came nearest, and by how much it misses."""
    measured = [row for row in rows if row["multiply_adds"] is not None]
    if not measured:
        return NoFeasibleModel(f"no light net within {budget.describe()}: {reason}, and nothing was measured", rows)
    fastest = min(measured, key=lambda row: row["share"])
    values = ", ".join(f"{name}={value}" for name, value in fastest["values"].items())
    doubtful = sum((row["latency"] or {}).get("disturbed", False) for row in rows if row["status"] != "completed")
    mend = f"{'lower the headroom' if fastest['share'] <= 1 else 'widen the budget'}, or offer smaller nets"
    if doubtful:
        mend = f"something else ran on the machine during {doubtful} measurements, so search again when it is quiet"
    return NoFeasibleModel(
        f"no light net within {budget.describe()}: {reason}. Nearest of {len(measured)}: {values}, which takes "
        f"{fastest['share']:.3g} times the budget ({fastest['why']}); {mend}",
        rows,
        fastest,
        fastest["share"],
    )
