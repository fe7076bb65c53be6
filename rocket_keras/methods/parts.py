"""The pieces that the rows of the methods' table are made of: needs, weights, courses, choices of taps, optimizers."""

from collections.abc import Sequence
from functools import partial

import keras

from rocket_keras import hints, schedules
from rocket_keras.launch.recipe import Plan, Tap

SWAP_SHARE = 0.2


def needs_maps(plan: Plan) -> str | None:
    """Return why there are no attention maps."""
    return None if plan.maps else "attention maps need features with positions, and this entry's nets have none"


def needs_classes(plan: Plan) -> str | None:
    """Return why a method for several classes cannot run."""
    return None if plan.data.num_classes > 2 else "it is defined on the logits of several classes, and a click has one"


def by_logits(plan: Plan, one: float, several: float) -> float:
    """Return the weight for a click's one logit, or for several classes."""
    return one if plan.data.num_classes == 2 else several


def warm_up(weight: float, steps: int) -> schedules.Schedule:
    """0 before the swap step, a fifth into the stage; then the weight."""
    return schedules.WarmUp(weight, int(SWAP_SHARE * steps))


def half_labels_after_swap(steps: int) -> schedules.Schedule:
    """1 before the swap step, then 1 - λ with λ = 0.5."""
    return schedules.Switch(1.0, 0.5, int(SWAP_SHARE * steps))


def annealed(weight: float, steps: int) -> schedules.Schedule:
    """From four times the weight down to the weight, along a line."""
    return schedules.Linear(4 * weight, weight, steps)


def each(taps: Sequence[Tap]) -> tuple[Tap, ...]:
    """All tap pairs."""
    return tuple(taps)


def middle(taps: Sequence[Tap]) -> tuple[Tap, ...]:
    """The tap pair half-way up."""
    return (taps[len(taps) // 2],)


def cosine_decay(plan: Plan, steps: int) -> keras.optimizers.Optimizer:
    """The recipe's optimizer with its rate falling to 0 along a cosine; one with a schedule of its own as it is."""
    optimizer = plan.recipe.optimizer(steps)
    config = optimizer.get_config()
    if isinstance(config["learning_rate"], dict):
        return optimizer
    rate = keras.optimizers.schedules.CosineDecay(float(config["learning_rate"]), steps)
    return type(optimizer).from_config({**config, "learning_rate": rate})


def mutual() -> hints.MutualHint:
    """Deep mutual learning's term: the divergence toward each other."""
    return hints.MutualHint(hints.SoftTargetHint(1.0))


soft_targets = partial(hints.SoftTargetHint, 4.0)
