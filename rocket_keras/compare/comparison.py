"""What is compared, and which jobs that makes."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rocket_keras.compare.job import Job
from rocket_keras.compare.pool import MakePlan, plan_of
from rocket_keras.launch.recipe import Plan
from rocket_keras.methods import METHODS, Method, all_stages, get_method

GRID = (1 / 3, 1.0, 3.0)
"""Factors of a method's hint weights, the same for every method."""
SAME_SECONDS = ("reference", "two-stage", "ours")
"""Families that are run once more with as many seconds as rocket takes."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        make_plan: From a seed to the plan; hashable, and picklable where there are several workers.
        root: Folder of the comparison.
        methods: Rows of `rocket_keras.methods.METHODS`.
        seeds: Seeds; the hint weights are chosen at the first, on the validation split.
        grid: Factors of the hint weights that are tried; one factor means no tuning.
        same_seconds: Whether the base, and methods that take longer than rocket, are run at rocket's seconds, too.
        workers: Processes.
        command: The command line, for the result.
        sweep: Whether the plan's sweep of light nets is run.
        missing_class: Class that the transfer set of the missing-class trial lacks; None for no trial.
        until: Moment (`time.time`) that all training stops before, at the end of an epoch; None for no end.
    """

    make_plan: MakePlan
    root: Path
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    grid: tuple[float, ...] = GRID
    same_seconds: bool = True
    workers: int = 1
    command: str = ""
    sweep: bool = False
    missing_class: int | None = None
    until: float | None = None

    def plan(self, seed: int) -> Plan:
        """Return the plan of a seed."""
        return plan_of(self.make_plan, seed)

    @property
    def metric(self) -> str:
        """The score that chooses: `"auc"` for clicks, `"accuracy"` for classes."""
        return "auc" if self.plan(self.seeds[0]).data.num_classes == 2 else "accuracy"

    def result(self, job: Job) -> dict[str, Any] | None:
        """Return what a finished stage gave, None where it is not finished or failed."""
        file = job.folder(self.root, self.plan(job.seed)) / "result.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def test(self, job: Job, head: str) -> dict[str, float] | None:
        """Return a finished net's test scores, None where they were not taken."""
        file = job.folder(self.root, self.plan(job.seed)) / f"test_{head}.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None

    def failure(self, job: Job) -> str | None:
        """Return why a stage failed, if it did."""
        file = job.folder(self.root, self.plan(job.seed)) / "failed.json"
        return json.loads(file.read_text(encoding="utf-8"))["why"] if file.exists() else None

    def seconds(self, method: Method, job: Job) -> list[float] | None:
        """Return the seconds of each stage of a finished run, those of its teachers included."""
        found = [self.result(job.of(stage)) for stage in all_stages(method.stages)]
        return [result["seconds"] for result in found if result] if all(found) else None

    def choose(self, methods: Sequence[Method]) -> dict[str, float]:
        """Return each tuned method's factor: the best by validation at the first seed; 1 where none was tried."""
        return {m.name: self._best(self.tuning(m)) for m in methods}

    def tuning(self, method: Method) -> dict[float, dict[str, float]]:
        """Return the validation scores at the first seed by factor, as far as they are there."""
        jobs = {factor: final_job(method, self.seeds[0], factor) for factor in self.grid}
        found = {factor: self.result(job) for factor, job in jobs.items()}
        return {factor: result["validation"][method.net] for factor, result in found.items() if result}

    def _best(self, scores: Mapping[float, Mapping[str, float]]) -> float:
        return max(scores, key=lambda factor: scores[factor][self.metric], default=1.0)


def final_job(method: Method, seed: int, factor: float, scale: float = 1.0, point: str | None = None) -> Job:
    """Return the job of a method's last stage."""
    stage = method.stages[-1]
    return Job(stage, seed, factor, scale, point).of(stage)


def pick_methods(names: Sequence[str]) -> tuple[Method, ...]:
    """Return the methods of these names, `"all"` for all, in the table's order; base is always among them.

    Raises:
        KeyError: An unknown name; the nearest is named.
    """
    wanted = {"base"}
    for name in names:
        wanted |= {method.name for method in METHODS} if name == "all" else {get_method(name).name}
    return tuple(method for method in METHODS if method.name in wanted)


def tuned_methods(comparison: Comparison) -> list[Method]:
    """Return the methods whose factor is chosen: rocket's also where only its ablations are compared."""
    if len(comparison.grid) < 2:
        return []
    ablations = any(m.family == "ablation" and not m.tuned for m in comparison.methods)
    more = [get_method("rocket")] if ablations else []
    return [method for method in dict.fromkeys([*comparison.methods, *more]) if method.tuned]


def factor_of(method: Method, factors: Mapping[str, float]) -> float:
    """Return a method's own factor, rocket's where it is a variant of rocket, 1 where it has no hint."""
    if not any(stage.hints for stage in all_stages(method.stages)):
        return 1.0
    return factors.get(method.name, factors.get("rocket", 1.0) if not method.tuned else 1.0)


def longer_runs(comparison: Comparison, factors: Mapping[str, float]) -> Iterator[tuple[Method, float]]:
    """Yield methods to be run at rocket's seconds, with the factor of their epochs.

    Seconds are medians over the seeds. The base trains longer than in the table's first part,
    two-stage methods shorter; what would change by less than a twentieth is left out.
    """
    rocket = next((m for m in comparison.methods if m.name == "rocket"), None)
    target = _median_seconds(comparison, rocket, factors) if rocket else None
    for method in comparison.methods:
        mine = _median_seconds(comparison, method, factors)
        if (
            target
            and mine
            and method.family in SAME_SECONDS
            and method.net == "light"
            and abs(target / mine - 1) > 0.05
        ):
            yield method, round(target / mine, 2)


def _median_seconds(comparison: Comparison, method: Method, factors: Mapping[str, float]) -> float | None:
    runs = [comparison.seconds(method, final_job(method, s, factor_of(method, factors))) for s in comparison.seeds]
    found = [sum(stages) for stages in runs if stages]
    return median(found) if len(found) == len(runs) else None
