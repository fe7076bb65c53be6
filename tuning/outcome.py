"""What became of every candidate, and which of them wins."""

import dataclasses
from collections.abc import Callable
from typing import Any

from rocket_keras import Latency
from tuning.confirm import confirm
from tuning.gate import Look, frozen, hyperparameters, shape_of
from tuning.hypermodel import served
from tuning.measure import Measurement, Meter
from tuning.oracles import WithinBudget
from tuning.result import NoFeasibleModel, Row, nothing_feasible
from tuning.training import Training

_MEASURED = ("parameters", "multiply_adds", "artefact_bytes", "peak_memory_mb", "latency", "share")


def candidate_rows(oracle: WithinBudget, training: Training | None) -> list[Row]:
    """Return a row for every candidate: trials first, in their order, then what never became one.

    Args:
        oracle: Has the trials.
        training: How pairs were trained; None where the user's own `fit` trained.
    """
    gate, rows, seen = oracle.gate, list[Row](), set[Any]()
    for trial_id in sorted(oracle.trials):
        trial = oracle.trials[trial_id]
        values = shape_of(trial.hyperparameters.values)
        look = gate.look(trial.hyperparameters.values, oracle.hyperparameters)
        seen.add(frozen(values))
        epochs = len(trial.metrics.get_history(oracle.objective.name)) if trial.score is not None else 0
        status, why = _status(trial, epochs, training), _last_line(trial.message) or look.measurement.why
        told = {"trial": trial_id, "status": status, "values": values, "metric": trial.score, "epochs": epochs}
        rows.append({**told, **_measured(look), "why": why})
    for key, look in gate.looks.items():
        if key not in seen and not look.feasible:
            told = {"trial": None, "status": look.measurement.decision, "values": look.values}
            rows.append({**told, "metric": None, "epochs": 0, **_measured(look), "why": look.measurement.why})
    return rows


def confirmed_winner(rows: list[Row], oracle: WithinBudget, say: Callable[[str], None]) -> tuple[Row, Latency | None]:
    """Return the best trained row that a fresh process confirms, and its latency.

    Hyperband trains a net several times: it is measured once, and all its trained rows are marked where it is refuted.

    Raises:
        NoFeasibleModel: There is none.
    """
    meter, hypermodel = oracle.gate.meter, oracle.gate.hypermodel
    budget = meter.budget
    trained = [row for row in rows if row["metric"] is not None]
    sign = -1 if oracle.objective.direction == "max" else 1
    for row in sorted(trained, key=lambda row: sign * row["metric"]):
        if row["status"] == "refuted":
            continue
        net = served(hypermodel.candidate(hyperparameters(oracle, row["values"])))
        latency = confirm(net, meter)
        if latency is None or latency.decision == "within":
            return row, latency
        refuted = _refuted(row, latency, meter)
        for same in trained:
            if same["values"] == row["values"]:
                same.update(refuted)
        say(f"refuted: {row['values']}, {row['why']}")
    failed = [row for row in rows if row["status"] == "failed" and row["trial"] is not None]
    if failed and not trained:
        raise NoFeasibleModel(
            f"every candidate within {budget.describe()} failed in training, {len(failed)} of them: "
            f"{failed[0]['why'] or 'its worker told no reason'}",
            rows,
        )
    refused = [row for row in rows if row["status"] == "failed" and row["trial"] is None]
    reason = oracle.gave_up or "no candidate was confirmed"
    if refused:
        reason += f", {len(refused)} of them refused by the builder, the first with {refused[0]['why']!r}"
    raise nothing_feasible(rows, budget, reason)


def _refuted(row: Row, latency: Latency, meter: Meter) -> Row:
    """Return what the last measurement changes of a row."""
    told = {**{name: row[name] for name in _MEASURED}, "latency": dataclasses.asdict(latency)}
    why = f"the last measurement had p50 {latency.p50_ms:.3f} ms, p99 {latency.p99_ms:.3f} ms"
    why += ", while something else ran on the machine" if latency.disturbed else ""
    share = max(meter.shares(Measurement(**told)).values())
    return {"status": "refuted", "share": share, "latency": told["latency"], "why": why}


def _last_line(message: str | None) -> str:
    """Return the last line of a trial's message, which is a whole traceback where a user's `fit` failed."""
    return (message or "").strip().rpartition("\n")[2].strip()


def _status(trial: Any, epochs: int, training: Training | None) -> str:
    if trial.status != "COMPLETED":
        return "failed"
    if training is None:
        return "completed"
    wanted = trial.hyperparameters.values.get("tuner/epochs", training.epochs)
    return "dropped" if epochs < wanted and training.in_fleets else "completed"


def _measured(look: Look) -> Row:
    found = dataclasses.asdict(look.measurement)
    return {**{name: found[name] for name in _MEASURED}, "measured_by": look.measured_by}
