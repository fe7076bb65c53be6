"""One stage of one method at one seed, with everything that decides its outcome, and the name that follows from it."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras

from rocket_keras.launch.recipe import Plan
from rocket_keras.methods import Stage, Term


@dataclasses.dataclass(frozen=True)
class Job:
    """A stage to be trained.

    Attributes:
        stage: What is trained.
        seed: Seed of the run: of the data's split, the initial weights and the order of the batches.
        factor: Factor of the hint weights.
        epoch_scale: Factor of the epochs, for the comparison at equal seconds.
        point: Label of the plan's sweep, or None for the entry's own nets.
    """

    stage: Stage
    seed: int
    factor: float = 1.0
    epoch_scale: float = 1.0
    point: str | None = None

    def before(self) -> list["Job"]:
        """Return the jobs that have to be finished first."""
        return [self.of(stage) for stage in self.stage.before]

    def of(self, stage: Stage) -> "Job":
        """Return the job of another stage of the same run; without hints it does not depend on the factor."""
        factor = self.factor if any(s.hints for s in (stage, *stage.before)) else 1.0
        # A booster that trains alone is the same at every point of a sweep of light nets.
        point = None if stage.trains == "booster" and not stage.before else self.point
        return dataclasses.replace(self, stage=stage, factor=factor, point=point)

    def epochs(self, plan: Plan) -> int:
        """Return the number of epochs, at least 1."""
        return max(1, round(plan.recipe.epochs * self.stage.share * self.epoch_scale))

    def plan(self, plan: Plan) -> Plan:
        """Return the plan with the nets of the sweep's point."""
        return plan if self.point is None else dataclasses.replace(plan, options=plan.sweep[self.point])

    def describe(self, plan: Plan) -> dict[str, Any]:
        """Return all that decides the outcome, as plain JSON values."""
        stage, steps = self.stage, self.epochs(plan) * plan.steps_per_epoch
        labels = stage.labels(steps) if callable(stage.labels) else stage.labels
        options = {**plan.variants[stage.variant], **self.plan(plan).options}
        to_shared = plan.recipe.light_to_shared if stage.light_to_shared is None else stage.light_to_shared
        return {
            "trains": stage.trains,
            "epochs": self.epochs(plan),
            "hints": [self._term(term, plan) for term in stage.hints],
            "labels": labels if isinstance(labels, float | int) else labels.get_config(),
            "variant": {k: _word(v) if callable(v) else v for k, v in options.items()},
            "gradient_block": stage.block,
            "light_to_shared": to_shared,
            "teachers": [self.of(s).key(plan) for s in stage.teachers],
            "start": self.of(stage.start).key(plan) if stage.start else None,
            "rows": _word(stage.rows),
            "optimizer": _word(stage.optimizer) if stage.optimizer else "the recipe's",
            "seed": self.seed + stage.seed,
            "recipe": plan.recipe.describe(steps),
            "entry": plan.name,
            "data": plan.data.content_hash,
            "backend": keras.backend.backend(),
        }

    def key(self, plan: Plan) -> str:
        """Return the job's name: two jobs of one name have one outcome."""
        text = json.dumps(self.describe(plan), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def folder(self, root: Path, plan: Plan) -> Path:
        """Return the job's folder below the comparison's."""
        return root / "stages" / f"{self.stage.trains}-{self.seed}-{self.key(plan)}"

    def weight(self, term: Term, plan: Plan) -> float:
        """Return the weight of a hint, with the factor."""
        if term.weight is not None:
            value = term.weight(plan) if callable(term.weight) else term.weight
        elif isinstance(plan.recipe.hint_weight, float | int):
            value = plan.recipe.hint_weight
        else:
            raise ValueError(
                f"expected a number for the hint_weight of {plan.name}'s recipe, received a schedule; compare tunes a "
                "number, and a method's Term has the course over the steps"
            )
        return float(self.factor * value)

    def _term(self, term: Term, plan: Plan) -> dict[str, Any]:
        word = "the recipe's" if term.hint is None else _word(term.hint)
        chosen = {"taps": _word(term.taps), "per_position": term.per_position, "toward": term.toward}
        return {"hint": word, "weight": self.weight(term, plan), "course": _word(term.course), **chosen}


def _word(made_by: Callable[..., Any] | None) -> str:
    if made_by is None:
        return "-"
    if isinstance(made_by, partial):
        given = [*map(str, made_by.args), *(f"{key}={value}" for key, value in made_by.keywords.items())]
        return f"{_word(made_by.func)}({', '.join(given)})"
    if made_by.__name__ == "<lambda>":
        raise ValueError(
            "expected named functions in a method's stages, received a lambda; two could not be told apart when "
            "a comparison goes on, so define it with def"
        )
    return made_by.__name__
