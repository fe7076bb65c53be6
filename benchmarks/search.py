"""Measures tuning.search against plain Keras Tuner with the latency filter afterwards, and against a whole grid.

KERAS_BACKEND=jax python benchmarks/search.py [--entries adsim,ml1m] [--trials 16] [--epochs 2]
    [--budget-share 0.75] [--repeat 10] [--no-grid] [--data-dir DIR] [--out FILE]

Both searches have the same space, trials, epochs, rows and seed, and one after the other the machine. Plain is
`keras_tuner.BayesianOptimization`: it launches every trial alone, and what misses the budget is left out at the end.
The budget, of 200 candidates on one thread, is a share of the p99 that the booster takes when the benchmark begins.
The grid trains each of 60 light nets to the end (in fleets, which end as launches alone do). Seconds are wall-clock.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from timing import bar

import tuning
import zoo
from rocket_keras.json_file import write_json
from rocket_keras.launch.provenance import device, git_commit, versions
from tuning.confirm import confirm
from tuning.quiet import quiet
from tuning.rows import Rows, as_rows
from tuning.starts import started
from tuning.training import Course


def main() -> None:
    options = parsed()
    parts = [(entry, partial(versus_plain, entry)) for entry in filter(None, options.entries.split(","))]
    parts += [("grid", versus_grid)] if options.grid else []
    record: dict[str, Any] = {"name": "search", "bars": [], "backend": keras.backend.backend(), "device": device()}
    record |= {"options": {k: str(v) for k, v in vars(options).items()}, "versions": versions(), "commit": git_commit()}
    for name, part in parts:
        bars, record[name] = part(options)
        record["bars"] += bars
        for one in bars:
            word = "holds " if one["holds"] else "MISSED"
            print(f"{word} {one['what']}: {one['value']} {one['limit']}", file=sys.stderr)
        if options.out:  # as it goes: a part takes minutes
            write_json(options.out, record)
    print(json.dumps(record))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", default="adsim,ml1m")
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--train-rows", type=int, default=None)
    parser.add_argument("--budget-share", type=float, default=0.75, help="budget / p99 of the booster")
    parser.add_argument("--repeat", type=int, default=10, help="measurements of each winner")
    parser.add_argument("--grid", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def versus_plain(entry: str, options: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One search of ours and one of plain Keras Tuner's over an entry's own space."""
    data, builder, training = prepared(entry, options)
    budget = budget_of(builder(keras_tuner.HyperParameters()).booster, data, options.budget_share)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        found = tuning.search(
            builder, budget, data.train, data.validation, options.trials, training=training, folder=f"{folder}/ours"
        )
        ours = time.perf_counter() - begun
        meter = tuning.Meter(budget, data.validation.x)
        repeated = [confirm(found.model, meter).decision for _ in range(options.repeat)]
        begun = time.perf_counter()
        best, trials = plain(builder, meter, training, data, options.trials, folder)
        theirs = time.perf_counter() - begun
    infeasible = sum(row["epochs"] for row in found.rows if row["status"] in ("over", "undecided"))
    within = repeated.count("within")
    bars = [
        bar(f"epochs trained on light nets beyond the budget, {entry}", infeasible, 0),
        {"what": f"measurements of {options.repeat} in which the winner is within the budget, {entry}",
         "value": within, "limit": f">= {options.repeat}", "holds": within >= options.repeat},
        bar(f"seconds of the search / of plain Keras Tuner, {entry}", ours / theirs, 0.35),
        {"what": f"validation AUC of the search - that of plain Keras Tuner, {entry}",
         "value": round(found.score - best, 5), "limit": ">= 0", "holds": bool(found.score >= best)},
    ]  # fmt: skip
    facts = {
        "seconds": {"ours": round(ours, 1), "plain": round(theirs, 1), "parts": found.facts["seconds"]},
        "auc": {"ours": found.score, "plain": None if math.isinf(best) else best},
        "winner": found.values,
        "budget_ms": budget.p99_ms,
        "latency": {"p50_ms": found.latency.p50_ms, "p99_ms": found.latency.p99_ms},
        "trained": found.facts["trials"],
        "rejected": found.facts["rejected"],
        "latency_model": found.latency_model,
        "plain_trials": trials,
    }
    return bars, facts


def budget_of(booster: keras.Model, data: Any, share: float) -> tuning.LatencyBudget:
    """Return the share of the booster's p99 as the limit of the light net's."""
    meter = tuning.Meter(tuning.LatencyBudget(p99_ms=1000.0, batch_size=200), data.validation.x)
    latency: Any = meter.measure(booster).latency
    return tuning.LatencyBudget(p99_ms=share * latency["p99_ms"], batch_size=200)


def prepared(entry: str, options: argparse.Namespace) -> tuple[Any, Any, tuning.Training]:
    row = zoo.get_entry(entry)
    data = row.load(options.data_dir, seed=options.seed, train_rows=options.train_rows)
    recipe = row.recipe
    training = tuning.Training(
        epochs=options.epochs,
        batch_size=recipe.batch_size,
        optimizer=recipe.optimizer,
        metric="auc",
        hint=recipe.hint,
        hint_weight=recipe.hint_weight,
        light_to_shared=recipe.light_to_shared,
        seed=options.seed,
    )
    return data, row.builder(data), training


class Plain(keras_tuner.BayesianOptimization):
    """Keras Tuner's own search; a trial is one launch, scored as ours are."""

    def __init__(self, builder: Any, training: tuning.Training, train: Rows, validation: Rows, **rest: Any):
        self.given = (training, train, validation)
        super().__init__(tuning.LightHyperModel(builder, lambda pair: training.rocket(pair, train)), **rest)

    def run_trial(self, trial: Any, *arguments: Any, **more: Any) -> dict[str, float]:
        training, train, validation = self.given
        pair = started(lambda: self.hypermodel.candidate(trial.hyperparameters), training.seed).candidate
        scores = Course({"light": pair}, training, train, validation, training.epochs).run()["light"]
        return {"val_light_auc": max(scores)}


def plain(
    builder: Any, meter: tuning.Meter, training: tuning.Training, data: Any, trials: int, folder: str
) -> tuple[float, list[dict[str, Any]]]:
    """Return the best AUC within the budget, minus infinity where there is none, and every trial."""
    rows = [as_rows(data.train, "train"), as_rows(data.validation, "validation")]
    with quiet():
        tuner = Plain(
            builder, training, *rows, objective=keras_tuner.Objective("val_light_auc", "max"), max_trials=trials,
            seed=training.seed + 1, directory=folder, project_name="plain",
        )  # fmt: skip
        tuner.search(verbose=0)
        told = []
        for trial in tuner.oracle.get_best_trials(trials):
            net = tuner.hypermodel.candidate(trial.hyperparameters).light
            found = meter.measure(net)
            told.append({"values": trial.hyperparameters.values, "auc": trial.score, "decision": found.decision})
    return max((one["auc"] for one in told if one["decision"] == "within"), default=-math.inf), told


def grid_points() -> list[dict[str, Any]]:
    """Return 60 light nets: 6 of one layer, and 54 of two."""
    first, second = (16, 32, 64, 128, 256, 512), (8, 16, 32, 64, 96, 128, 192, 256, 512)
    one = [{"light_depth": 1, "light_units_0": a} for a in first]
    return one + [{"light_depth": 2, "light_units_0": a, "light_units_1": b} for a in first for b in second]


def grid_builder(data: Any, booster: tuple[int, ...]) -> Any:
    def build(hp: Any) -> Any:
        depth, units = hp.Int("light_depth", 1, 2), [hp.Choice("light_units_0", [16, 32, 64, 128, 256, 512])]
        with hp.conditional_scope("light_depth", [2]):
            if depth == 2:
                units.append(hp.Choice("light_units_1", [8, 16, 32, 64, 96, 128, 192, 256, 512]))
        return zoo.ctr_pair(data.features, light_units=units, booster_units=booster)

    return build


def versus_grid(options: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Our search with at most 20 trained light nets against all 60 of a grid on adsim."""
    data, _, training = prepared("adsim", options)
    builder = grid_builder(data, (512, 256, 128))
    budget = budget_of(builder(point({"light_depth": 1, "light_units_0": 16})).booster, data, options.budget_share)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        found = tuning.search(
            builder, budget, data.train, data.validation, 20, training=training, folder=f"{folder}/ours"
        )
        seconds = {"search": round(time.perf_counter() - begun, 1)}
    begun = time.perf_counter()
    scores = exhaustive(builder, training, data)
    seconds["grid"] = round(time.perf_counter() - begun, 1)
    meter = tuning.Meter(budget, data.validation.x, 0.1)
    feasible = {}
    for name, (values, score) in scores.items():
        if meter.measure(builder(point(values)).light).decision == "within":
            feasible[name] = score
    best = max(feasible.values(), default=math.nan)
    bars = [
        {"what": "metric found / best of the 60-point grid within the budget, adsim",
         "value": round(found.score / best, 5), "limit": ">= 0.995", "holds": bool(found.score >= 0.995 * best)},
        bar("light nets trained for it", found.facts["trials"], 20),
    ]  # fmt: skip
    facts = {"found": found.score, "best": best, "feasible": len(feasible), "points": len(scores), "seconds": seconds}
    return bars, {**facts, "winner": found.values, "scores": [[v, s] for v, s in scores.values()]}


def exhaustive(builder: Any, training: tuning.Training, data: Any) -> dict[str, tuple[dict[str, Any], float]]:
    """Train every point of the grid to the end, in fleets of 20, and return its best epoch's AUC."""
    rows = [as_rows(data.train, "train"), as_rows(data.validation, "validation")]
    points, found = grid_points(), {}
    for begin in range(0, len(points), 20):
        pairs = {}
        for number, values in enumerate(points[begin : begin + 20], begin):
            pairs[f"net{number}"] = started(partial(builder, point(values)), training.seed).candidate
        whole = tuning.Training(**{**vars(training), "halving": 1})
        scores = Course(pairs, whole, *rows, training.epochs).run()
        found |= {name: (points[int(name[3:])], max(values)) for name, values in scores.items()}
    return found


def point(values: dict[str, Any]) -> Any:
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return hp


if __name__ == "__main__":
    main()
