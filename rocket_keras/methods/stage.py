"""A training method as data: a tuple of stages.

A stage says which nets train, with which hints and weights, for which share of the recipe's epochs, on which rows and
from which start. `rocket_keras.compare` runs stages and knows no method by name.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import keras

from rocket_keras import schedules
from rocket_keras.launch.recipe import Plan, Tap


@dataclasses.dataclass(frozen=True)
class Term:
    """One hint of a stage.

    Attributes:
        hint: Makes the hint; with `taps`, from the names of the light and of the booster tap. None: the recipe's hint.
        weight: The hint's weight, or what gives it for a plan. None: the recipe's weight.
        course: The weight over the stage, from the weight and the number of batches; None: constant.
        taps: Chooses tap pairs of the plan, one hint each; None for a hint on logits.
        per_position: Divide the weight by the number of positions of the map, as the code of attention transfer does.
        toward: Whose logits are the target: of the stage's booster, or, beside it, of the frozen teachers.
    """

    hint: Callable[..., keras.distillation.DistillationLoss] | None = None
    weight: float | Callable[[Plan], float] | None = None
    course: Callable[[float, int], schedules.Schedule] | None = None
    taps: Callable[[tuple[Tap, ...]], tuple[Tap, ...]] | None = None
    per_position: bool = False
    toward: Literal["booster", "teachers"] = "booster"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One training within a method.

    Attributes:
        trains: Which nets learn.
        share: Share of the recipe's epochs.
        hints: The hint terms; a stage without them learns from labels alone.
        labels: Weight of the light net's label loss: a number, or from the number of batches to a schedule.
        variant: Which of the plan's pairs: `"own"`, `"unshared"`, `"bottom"`, `"privileged"`, ...
        block: The gradient block.
        light_to_shared: Whether the light net's terms move the shared variables; None as the recipe says. Where the
            light net trains alone, `False` leaves the variables that it shares with its booster as they are.
        teachers: Finished stages whose boosters are frozen and give the targets; the mean of their logits if several.
            A stage that trains the light net alone has them for its booster.
        start: A finished stage whose weights the nets begin with; None for fresh ones.
        rows: From the plan and the seed to the rows trained on; None: the training split. Label -1: no label.
        optimizer: Replaces the recipe's optimizer: from the plan and the number of batches.
        seed: Added to the run's seed: members of an ensemble differ by it.
    """

    trains: Literal["light", "booster", "both"]
    share: float = 1.0
    hints: tuple[Term, ...] = ()
    labels: float | Callable[[int], schedules.Schedule] = 1.0
    variant: str = "own"
    block: bool = True
    light_to_shared: bool | None = None
    teachers: tuple["Stage", ...] = ()
    start: "Stage | None" = None
    rows: Callable[[Plan, int], Any] | None = None
    optimizer: Callable[[Plan, int], keras.optimizers.Optimizer] | None = None
    seed: int = 0

    @property
    def before(self) -> tuple["Stage", ...]:
        """The stages that have to be finished first."""
        return self.teachers if self.start is None else (*self.teachers, self.start)


@dataclasses.dataclass(frozen=True)
class Method:
    """A row of the comparison.

    Attributes:
        name: What is typed.
        title: What is printed.
        paper: Where it is from.
        equation: The loss of the light net in one line of plain text: y labels, l light logits, z booster logits.
        stages: In order; the last one makes the net that is scored.
        family: Where it stands in the table.
        net: Which net of the last stage is scored.
        tuned: Whether the factor of the hint weights is chosen on validation. Ablations take over rocket's factor: only
            one thing may differ.
        needs: What a plan must have: each returns the reason why not, or None.
    """

    name: str
    title: str
    paper: str
    equation: str
    stages: tuple[Stage, ...]
    family: Literal["reference", "rocket", "ablation", "two-stage", "joint", "privileged", "ours"]
    net: Literal["light", "booster"] = "light"
    tuned: bool = True
    needs: tuple[Callable[[Plan], str | None], ...] = ()

    def lacks(self, plan: Plan) -> str | None:
        """Return why the plan cannot run this method, or None."""
        stages = all_stages(self.stages)
        missing = [s.variant for s in stages if s.variant not in plan.variants]
        if missing:
            return f"this entry has no {missing[0]!r} variant of its pair"
        if plan.taps is None and any(term.taps for stage in stages for term in stage.hints):
            return "this entry names no taps for hints on features"
        return next((reason for need in self.needs if (reason := need(plan))), None)


def all_stages(stages: tuple[Stage, ...]) -> list[Stage]:
    """Return the stages and all that they build on, each once, in an order in which they can be run."""
    found: dict[Stage, None] = {}
    for stage in stages:
        found.update(dict.fromkeys([*all_stages(stage.before), stage]))
    return list(found)
