"""Every method under one budget: tune on validation, train at all seeds, score the test split once."""

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from rich.console import Console

from rocket_keras.architecture import describe_net
from rocket_keras.compare.comparison import Comparison, factor_of, final_job, longer_runs, tuned_methods
from rocket_keras.compare.job import Job
from rocket_keras.compare.page import write_comparison
from rocket_keras.compare.pool import Pool
from rocket_keras.compare.stage import finished_net
from rocket_keras.compare.summary import with_differences
from rocket_keras.compare.trials import check_trials, group_features, missing_class, sweep
from rocket_keras.counting import multiply_adds
from rocket_keras.export import export_light
from rocket_keras.extras import require_launch
from rocket_keras.json_file import write_json
from rocket_keras.latency import Latency, measure_each
from rocket_keras.launch.provenance import git_commit, plan_facts
from rocket_keras.launch.recipe import Plan
from rocket_keras.launch.run_folder import claim
from rocket_keras.launch.scoring import check_plan
from rocket_keras.methods import Method, all_stages


def compare(comparison: Comparison, console: Console) -> dict[str, Any]:
    """Run the comparison, or go on with it; finished stages are not trained again.

    Args:
        comparison: What is compared.
        console: Where progress is shown.

    Returns:
        What `compare.json` holds.

    Raises:
        WindowOver: `comparison.until` came before the end; the same comparison goes on.
        ValueError: The folder holds a comparison with another recipe, backend, data or nets, a trial is asked for that
            the entry cannot have, or a split cannot be scored.
        ImportError: A package of the `launch` extra is not installed; nothing was trained.
    """
    require_launch()
    plan = comparison.plan(comparison.seeds[0])
    check_plan(plan)
    check_trials(comparison)
    skipped = {m.name: why for m in comparison.methods if (why := m.lacks(plan))}
    comparison = dataclasses.replace(comparison, methods=tuple(m for m in comparison.methods if m.name not in skipped))
    facts = _facts(comparison)
    claim(comparison.root, {key: facts[key] for key in ("entry", "recipe", "backend", "dataset")}, _nets(comparison))
    pool = Pool(comparison.make_plan, comparison.root, comparison.workers, console, comparison.until)
    tuned = tuned_methods(comparison)
    tries = [final_job(m, comparison.seeds[0], factor) for m in tuned for factor in comparison.grid]
    pool.run(tries, "tuning")
    factors = comparison.choose(tuned)
    # Seed by seed, so that a comparison that is stopped has whole seeds of all methods.
    scales: dict[str, float] = {}

    def write(**more: Any) -> dict[str, Any]:
        rows = {m.name: _row(comparison, m, factors, scales.get(m.name)) for m in comparison.methods}
        result = {**facts, "metric": comparison.metric, "complete": False, "skipped": skipped, "methods": rows, **more}
        result = with_differences(result)
        write_json(comparison.root / "compare.json", result)
        return result

    heads = _heads(comparison, comparison.methods, factors, {})
    pool.run(heads, "runs", heads, write)
    if comparison.same_seconds:
        scales.update({method.name: scale for method, scale in longer_runs(comparison, factors)})
        again = _heads(comparison, [m for m in comparison.methods if m.name in scales], factors, scales)
        pool.run(again, "same seconds", again, write)
    result = write()
    _add_costs(comparison, result["methods"], factors)
    result["sweep"] = sweep(comparison, pool, factors) if comparison.sweep else None
    missing = comparison.missing_class
    result["missing_class"] = None if missing is None else missing_class(comparison, pool, missing)
    drawn = plan.maps and {"base", "rocket"} <= result["methods"].keys()
    result["features"] = group_features(comparison, factors) if drawn else None
    result["complete"] = True
    write_json(comparison.root / "compare.json", result)
    write_comparison(result, comparison.root)
    return result


def _heads(
    comparison: Comparison, methods: Sequence[Method], factors: Mapping[str, float], scales: Mapping[str, float]
) -> dict[Job, str]:
    """The last jobs of the methods' runs and the net that is scored; seed by seed, so that whole seeds come first."""
    return {
        final_job(m, seed, factor_of(m, factors), scales.get(m.name, 1.0)): m.net
        for seed in comparison.seeds
        for m in methods
    }


def _nets(comparison: Comparison) -> dict[str, Any]:
    """Describe the pairs that the methods train: finished stages of others must not be taken for theirs."""
    plan = comparison.plan(comparison.seeds[0])
    stages = all_stages(tuple(stage for method in comparison.methods for stage in method.stages))
    plans = {f"the variant {variant}": (plan, variant) for variant in sorted({stage.variant for stage in stages})}
    for point in plan.sweep if comparison.sweep else ():
        plans[f"the sweep's {point}"] = dataclasses.replace(plan, options=plan.sweep[point]), "own"
    return {name: describe_net(made.pair(variant).joint) for name, (made, variant) in plans.items()}


def _facts(comparison: Comparison) -> dict[str, Any]:
    return {
        **plan_facts(comparison.plan(comparison.seeds[0])),
        "command": comparison.command,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
        "seeds": list(comparison.seeds),
        "grid": list(comparison.grid),
        "workers": comparison.workers,
    }


def _row(comparison: Comparison, method: Method, factors: Mapping[str, float], scale: float | None) -> dict[str, Any]:
    """One method's runs, tuning and words."""
    factor = factor_of(method, factors)
    jobs = [final_job(method, seed, factor) for seed in comparison.seeds]
    plan = comparison.plan(comparison.seeds[0])
    row = {
        "title": method.title,
        "paper": method.paper,
        "equation": method.equation,
        "net": method.net,
        "family": method.family,
        "stages": [_stage_words(job, plan) for job in _chain(method, jobs[0])],
        "factor": factor,
        "tuning": {f"{f:g}": scores for f, scores in comparison.tuning(method).items()} if method.tuned else {},
        "runs": _runs(comparison, method, jobs),
        "failed": {str(job.seed): why for job in jobs if (why := comparison.failure(job))},
        "same_seconds": None,
    }
    if scale is not None:
        again = [dataclasses.replace(job, epoch_scale=scale) for job in jobs]
        epochs = [job.epochs(plan) for job in _chain(method, again[0])]
        row["same_seconds"] = {"epoch_scale": scale, "epochs": epochs, "runs": _runs(comparison, method, again)}
    return row


def _chain(method: Method, job: Job) -> list[Job]:
    return [job.of(stage) for stage in all_stages(method.stages)]


def _runs(comparison: Comparison, method: Method, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The finished runs, one a seed."""
    runs = []
    for job in jobs:
        result, seconds = comparison.result(job), comparison.seconds(method, job)
        test = comparison.test(job, method.net)
        if result is None or seconds is None or test is None:
            continue
        runs.append(
            {
                "seed": job.seed,
                "test": test,
                "validation": result["validation"][method.net],
                "seconds": round(sum(seconds), 3),
                "stage_seconds": seconds,
                "folder": str(job.folder(comparison.root, comparison.plan(job.seed)).relative_to(comparison.root)),
            }
        )
    return runs


def _stage_words(job: Job, plan: Plan) -> str:
    """A stage in one line."""
    facts = job.describe(plan)
    hints = [
        f"{h['hint']} x {h['weight']:g}" + (f" ({h['course']})" if h["course"] != "-" else "") for h in facts["hints"]
    ]
    parts = [f"{facts['trains']}, {facts['epochs']} epochs", f"labels {facts['labels']}", *hints]
    parts += [f"variant {job.stage.variant}"] if job.stage.variant != "own" else []
    parts += [] if facts["gradient_block"] else ["no gradient block"]
    parts += [f"rows {facts['rows']}"] if facts["rows"] != "-" else []
    parts += [f"{len(facts['teachers'])} frozen"] if facts["teachers"] else []
    parts += ["starts from a stage before"] if facts["start"] else []
    return ", ".join(parts)


def _add_costs(comparison: Comparison, rows: dict[str, Any], factors: Mapping[str, float]) -> None:
    """Count and time each method's net; nets of one graph are measured once."""
    plan, seed = comparison.plan(comparison.seeds[0]), comparison.seeds[0]
    known: dict[str, Latency] = {}
    for method in comparison.methods:
        job = final_job(method, seed, factor_of(method, factors))
        if comparison.result(job) is None:
            rows[method.name] |= {"latency": None, "parameters": None, "multiply_adds": None}
            continue
        net = finished_net(plan, job, comparison.root, method.net)
        rows[method.name] |= {
            **_latency(comparison, net, method.name, known),
            "parameters": sum(math.prod(v.shape) for v in net.trainable_variables),
            "multiply_adds": multiply_adds(net),
        }


def _latency(comparison: Comparison, net: keras.Model, name: str, known: dict[str, Latency]) -> dict[str, Any]:
    """Measure an exported net; a net that cannot be exported faithfully has no latency, and the reason is told."""
    plan = comparison.plan(comparison.seeds[0])
    test = plan.data.test
    try:
        file = export_light(net, comparison.root / "latency" / f"{name}.onnx", test.rows(slice(min(len(test), 64))).x)
    except ArithmeticError as error:
        return {"latency": None, "latency_missing": str(error)}
    found = measure_each({name: file}, known, batch_size=plan.recipe.serving_batch, rows=test.x)
    return {"latency": dataclasses.asdict(found[name])}
