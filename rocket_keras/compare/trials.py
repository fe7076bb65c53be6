"""The papers' further trials: light nets of several depths, a transfer set without a class, features of both nets."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import keras
import numpy as np

from rocket_keras.compare.comparison import Comparison, factor_of, final_job
from rocket_keras.compare.features import group_figure, linear_cka
from rocket_keras.compare.job import Job
from rocket_keras.compare.pool import Pool
from rocket_keras.compare.stage import finished_net, predicted, test_scores
from rocket_keras.counting import multiply_adds
from rocket_keras.launch.scoring import score
from rocket_keras.methods import Stage, get_method
from rocket_keras.methods.rival_rows import KD
from rocket_keras.methods.rocket_rows import BOOSTER
from rocket_keras.transfer import without_class

SWEPT = ("base", "kd", "rocket")
IMAGES_SHOWN = 4


def check_trials(comparison: Comparison) -> None:
    """Refuse trials that the entry cannot have, before anything is trained.

    Raises:
        ValueError: The plan has no sweep; the data have no such class, or two classes only.
    """
    plan, missing = comparison.plan(comparison.seeds[0]), comparison.missing_class
    if comparison.sweep and not plan.sweep:
        raise ValueError(f"expected an entry with light nets for a sweep, received {plan.name}; leave --sweep out")
    classes = plan.data.num_classes
    if missing is not None and (classes < 3 or missing >= classes):
        raise ValueError(
            f"expected --missing-class from 0 to {classes - 1} and an entry of several classes, received {missing} "
            f"for {plan.name} of {classes}; choose another class or leave it out"
        )


def sweep(comparison: Comparison, pool: Pool, factors: Mapping[str, float]) -> dict[str, Any]:
    """Train base, KD and rocket for each light net of the plan's sweep, under the entry's booster.

    References: Zhou et al., Rocket Launching, AAAI 2018, figure on the depth of the light net.
    """
    plan, seeds = comparison.plan(comparison.seeds[0]), comparison.seeds
    methods = [get_method(name) for name in SWEPT]
    jobs = {
        (point, m.name): [final_job(m, seed, factor_of(m, factors), point=point) for seed in seeds]
        for point in plan.sweep
        for m in methods
    }
    pool.run(
        [job for some in jobs.values() for job in some], "sweep", {j: "light" for some in jobs.values() for j in some}
    )
    points = []
    for point in plan.sweep:
        light = jobs[point, "base"][0].plan(plan).pair().light
        rows = {m.name: {"runs": _test_runs(comparison, jobs[point, m.name])} for m in methods}
        points.append({"label": point, "multiply_adds": multiply_adds(light), "methods": rows})
    return {"axis": "depth", "points": points}


def missing_class(comparison: Comparison, pool: Pool, missing: int) -> dict[str, Any]:
    """Teach a light net without any example of one class, from labels and from a booster that knows the class.

    The bias of the class that was never seen is too low. It is corrected by one number, chosen on validation.

    References: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, section 3.
    """
    rows = partial(without_class, missing=missing)
    trials = {
        "base": ("base, all classes", Stage("light")),
        "base-without": (f"base without class {missing}", Stage("light", rows=rows)),
        "kd-without": (
            f"KD without class {missing}",
            Stage("light", hints=KD.hints, labels=KD.labels, teachers=(BOOSTER,), rows=rows),
        ),
    }
    methods: dict[str, Any] = {}
    for name, (title, stage) in trials.items():
        jobs = [Job(stage, seed).of(stage) for seed in comparison.seeds]
        pool.run(jobs, name, dict.fromkeys(jobs, "light"))
        methods[name] = {"title": title, "runs": [_by_class(comparison, job, missing) for job in jobs]}
    return {"class": missing, "methods": methods}


def group_features(comparison: Comparison, factors: Mapping[str, float]) -> dict[str, Any]:
    """Compare the feature maps of base, light net and booster on the same test images, and draw some of them.

    Returns:
        For each group of the nets the linear CKA (0 to 1) of base and of light to the booster, and the picture's name.

    References: Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019.
    """
    seed, plan = comparison.seeds[0], comparison.plan(comparison.seeds[0])
    base, rocket = get_method("base"), get_method("rocket")
    rocket_job = final_job(rocket, seed, factor_of(rocket, factors))
    named = plan.taps(plan.pair())  # type: ignore[misc]  # asked for where the plan has taps
    chosen = {
        "base": (final_job(base, seed, 1.0), "light", 0),
        "light": (rocket_job, "light", 0),
        "booster": (rocket_job, "booster", 1),
    }
    images = plan.data.test.x
    maps = {}
    for name, (job, head, side) in chosen.items():
        net = finished_net(plan, job, comparison.root, head)
        outputs = {str(i): net.get_layer(tap[side]).output for i, tap in enumerate(named)}
        maps[name] = list(predicted(keras.Model(net.input, outputs), images).values())
    groups = []
    for i in range(len(named)):
        similar = {name: linear_cka(maps[name][i], maps["booster"][i]) for name in ("base", "light")}
        groups.append({"name": f"group {i}", "cka": similar})
    shown = np.linspace(0, len(images) - 1, IMAGES_SHOWN).astype(int)
    figure = group_figure(images[shown], {name: [m[shown] for m in found] for name, found in maps.items()}, groups)
    figure.savefig(comparison.root / "features.png", dpi=160)
    return {"groups": groups, "png": "features.png", "rows": len(images), "seed": seed}


def _test_runs(comparison: Comparison, jobs: list[Job]) -> list[dict[str, Any]]:
    finished = [job for job in jobs if comparison.result(job)]
    return [
        {"seed": job.seed, "test": test_scores(comparison.plan(job.seed), job, comparison.root, "light")}
        for job in finished
    ]


def _by_class(comparison: Comparison, job: Job, missing: int) -> dict[str, Any]:
    """One run's test accuracy by class, before and after the correction of the missing class's bias."""
    plan = comparison.plan(job.seed)
    net = finished_net(plan, job, comparison.root, "light")
    validation, test = predicted(net, plan.data.validation.x), predicted(net, plan.data.test.x)
    offsets = np.linspace(0, 10, 101)
    best = max(offsets, key=lambda b: score(_raised(validation, missing, b), plan.data.validation)["accuracy"])
    corrected = _raised(test, missing, best)
    return {
        "seed": job.seed,
        "test": score(test, plan.data.test),
        "per_class": _class_accuracies(test, plan.data.test.y, plan.data.num_classes),
        "bias_corrected": {
            "offset": float(best),
            "test": score(corrected, plan.data.test),
            "per_class": _class_accuracies(corrected, plan.data.test.y, plan.data.num_classes),
        },
    }


def _raised(logits: np.ndarray, column: int, offset: float) -> np.ndarray:
    return logits + offset * (np.arange(logits.shape[-1]) == column)


def _class_accuracies(logits: np.ndarray, labels: np.ndarray, classes: int) -> list[float]:
    right = logits.argmax(-1) == labels
    return [float(right[labels == c].mean()) for c in range(classes)]
