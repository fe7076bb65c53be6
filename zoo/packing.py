"""From a finished comparison to a preset folder: the chosen method's nets, at the seed that validation prefers."""

import datetime
import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import keras

from rocket_keras.counting import multiply_adds
from rocket_keras.launch.batches import predict_logits
from rocket_keras.launch.provenance import git_commit, plan_facts, versions
from rocket_keras.launch.recipe import Plan
from rocket_keras.launch.scoring import score
from rocket_keras.methods import get_method
from rocket_keras.pair import HEADS
from zoo.entry import Entry
from zoo.preset import File, save_preset

PREDICT_BATCH = 2048
TOLD_METHODS = ("base", "booster", "kd")
_NEEDED = {"entry", "methods", "complete", "seeds", "metric", "dataset", "recipe"}


def pack(entry: Entry, run: Path, folder: Path, data_dir: Path | None = None) -> dict[str, File]:
    """Write the preset of an entry from a finished `rocket-keras compare` run of it.

    Args:
        entry: The entry; its `method` names the row of the comparison.
        run: Folder of the comparison, with `compare.json` and the finished stages.
        folder: The preset's folder, written anew.
        data_dir: Folder of the downloads.

    Returns:
        SHA-256 and size of every file, for the zoo's table.

    Raises:
        FileNotFoundError: There is no finished comparison.
        ValueError: The comparison is of another entry, data or recipe, lacks the method, or the method leaves no pair
            with shared layers.
    """
    result = _finished(entry, run)
    row = result["methods"][entry.method]
    best = _best(result, entry.method)
    plan = entry.plan(data_dir, best["seed"])
    _check_same(plan_facts(entry.plan(data_dir, result["seeds"][0])), result, run)
    stage = get_method(entry.method).stages[-1]
    if stage.trains != "both":
        raise ValueError(
            f"expected a method whose last stage trains both nets, received {entry.method!r}; the zoo's pairs share "
            "layers, which a light net that trains on alone takes away from its booster"
        )
    pair = plan.pair(stage.variant)
    for head in HEADS:
        getattr(pair, head).load_weights(run / best["folder"] / f"{head}.weights.h5")
    encoder = getattr(plan.data, "encoder", None)
    return save_preset(
        pair,
        folder,
        encoder.to_json() if encoder is not None else None,
        name=entry.name,
        method=entry.method,
        seed=best["seed"],
        factor=row["factor"],
        nets={head: _net(getattr(pair, head), plan) for head in HEADS},
        metric=result["metric"],
        results={name: _spread(name, result["methods"][name]) for name in _told(entry, result)},
        latency=row["latency"],
        data=result["dataset"],
        recipe=result["recipe"],
        trained={key: result[key] for key in ("command", "backend", "device", "versions", "git_commit", "date")},
        packed={
            "git_commit": git_commit(),
            "versions": versions(),
            "backend": keras.backend.backend(),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
        licence=entry.licence,
        paper=entry.paper,
        limits=entry.limits,
    )


def net_scores(net: keras.Model, split: Any) -> dict[str, float]:
    """Return a net's scores on a split: accuracy, or AUC and GAUC, and log loss."""
    logits = predict_logits(net, split.x, min(PREDICT_BATCH, len(split)))
    return score(logits.astype("float64"), split)


def _finished(entry: Entry, run: Path) -> dict[str, Any]:
    path = run / "compare.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"expected compare.json in {run}, received no such file; run: rocket-keras compare "
            f"{entry.short or entry.name} --methods base,booster,kd,{entry.method} --out {run}"
        )
    result = json.loads(path.read_text(encoding="utf-8"))
    if absent := sorted(_NEEDED - set(result)):
        raise ValueError(f"expected the compare.json of a comparison in {run}, received one without {absent[0]!r}")
    if result["entry"] != entry.name:
        raise ValueError(f"expected a comparison of {entry.name!r} in {run}, received one of {result['entry']!r}")
    missing = [name for name in ("base", "booster", entry.method) if name not in result["methods"]]
    if missing or not result["complete"]:
        raise ValueError(
            f"expected a finished comparison of base, booster and {entry.method} in {run}, received one "
            f"{'without ' + ', '.join(missing) if missing else 'that was stopped'}; run the same command again"
        )
    return result


def _best(result: Mapping[str, Any], method: str) -> dict[str, Any]:
    """The run that gains most over the base of its seed on validation: each seed may have a split of its own."""
    metric = result["metric"]
    base = {run["seed"]: run["validation"][metric] for run in result["methods"]["base"]["runs"]}
    return max(result["methods"][method]["runs"], key=lambda run: run["validation"][metric] - base[run["seed"]])


def _check_same(facts: Mapping[str, Any], result: Mapping[str, Any], run: Path) -> None:
    for key in ("recipe", "dataset"):
        want, have = (json.loads(json.dumps(source[key])) for source in (facts, result))
        if want != have:
            raise ValueError(
                f"expected the entry's {key} in {run}, received another: {have}, where the entry has {want}; run the "
                "comparison without options that change it"
            )


def _net(net: keras.Model, plan: Plan) -> dict[str, Any]:
    return {
        "parameters": sum(math.prod(v.shape) for v in net.trainable_variables),
        "multiply_adds": multiply_adds(net),
        "validation": net_scores(net, plan.data.validation),
        "test": net_scores(net, plan.data.test),
    }


def _told(entry: Entry, result: Mapping[str, Any]) -> list[str]:
    return [name for name in dict.fromkeys((*TOLD_METHODS, entry.method)) if name in result["methods"]]


def _spread(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Mean and standard deviation over the seeds of each test score, and each seed's own."""
    method, scores = get_method(name), dict[str, list[float]]()
    for run in row["runs"]:
        for metric, value in run["test"].items():
            scores.setdefault(metric, []).append(value)
    test = {
        metric: {"mean": mean(values), "std": stdev(values) if len(values) > 1 else 0.0, "values": values}
        for metric, values in scores.items()
    }
    return {
        "title": method.title,
        "equation": method.equation,
        "seeds": [run["seed"] for run in row["runs"]],
        "test": test,
        "seconds": [run["seconds"] for run in row["runs"]],
        "parameters": row["parameters"],
        "multiply_adds": row["multiply_adds"],
        "latency": row["latency"],
    }
