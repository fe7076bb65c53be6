"""How a Rocket reads its hints: which tensors each compares, and what reaches them."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from rocket_keras.hints import MutualHint, SquaredLogitHint
from rocket_keras.pair import HEADS, Pair
from rocket_keras.schedules import Schedule, as_schedule


def checked_hints(pair: Pair, hint: Any, weight: Any, gradient_block: bool) -> tuple[list[Any], list[Schedule]]:
    """Return the hints and their weights, each hint connected to the pair's tensors.

    Args:
        pair: The two nets with their taps.
        hint: A distillation loss, a sequence of them, or None for the paper's.
        weight: A number or schedule, or as many of them as there are hints.
        gradient_block: Whether the Rocket blocks gradients at the booster's tensors.

    Raises:
        ValueError: No distillation loss, another number of weights than of hints, a tap that the pair does not have, or
            a hint that teaches both nets beside a gradient block.
    """
    hints = list(hint) if isinstance(hint, list | tuple) else [SquaredLogitHint() if hint is None else hint]
    weights = list(weight) if isinstance(weight, list | tuple) else [weight]
    if len(weights) != len(hints):
        raise ValueError(f"hint_weight must have one weight a hint. Received: {len(weights)} for {len(hints)} hints.")
    for item in hints:
        if not isinstance(item, keras.distillation.DistillationLoss):
            raise ValueError(f"hint must be a keras.distillation.DistillationLoss. Received: {item!r}.")
        if gradient_block and isinstance(item, MutualHint):
            raise ValueError("MutualHint teaches the booster, too. Give the Rocket gradient_block=False.")
        light, booster = _tap_names(item)
        for name in (light, booster):
            if name not in pair.joint.output:
                raise ValueError(
                    f"{type(item).__name__} reads the tap {name!r}, and the pair has the taps {list(pair.tap_names)}. "
                    "Build it with Pair(..., taps=[layer names]) or pair.with_taps(...)."
                )
        if hasattr(item, "connect"):
            item.connect(tuple(pair.joint.output[booster].shape), tuple(pair.joint.output[light].shape))
    return hints, [as_schedule(item) for item in weights]


def fleet_hints(
    pairs: Mapping[str, Pair], hint: Mapping[str, Any], weight: Mapping[str, Any]
) -> tuple[dict[str, list[Any]], dict[str, list[Schedule]]]:
    """Return the hints of each light net of a fleet, and their weights.

    A hint that may hold variables belongs to one light net: the first has the object itself, the others copies.

    Args:
        pairs: The candidates by name.
        hint, weight: For each name what `checked_hints` takes.

    Raises:
        ValueError: As `checked_hints`, or a hint that reads taps or teaches the booster.
    """
    hints, weights, taken = {}, {}, set()
    for name, pair in pairs.items():
        given = hint[name] if isinstance(hint[name], list | tuple) else [hint[name]]
        mine = []
        for item in (SquaredLogitHint() if item is None else item for item in given):
            if isinstance(item, MutualHint) or any(_named_taps(item)):
                raise ValueError(
                    "The hints of a fleet read the logits and teach the light nets alone. Received: "
                    f"{type(item).__name__}. Launch such a pair in a Rocket of its own."
                )
            if isinstance(item, keras.layers.Layer) and id(item) in taken:
                item = type(item).from_config(item.get_config())
            taken.add(id(item))
            mine.append(item)
        hints[name], weights[name] = checked_hints(pair, mine, weight[name], gradient_block=True)
    return hints, weights


def hint_loss(hint: Any, y_pred: Mapping[str, Any], labels: Any, sample_weight: Any, gradient_block: bool) -> Any:
    """Return one hint's loss before its weight, the mean over the batch, a scalar.

    Args:
        hint: A distillation loss.
        y_pred: Heads and taps, `(batch, ...)` each.
        labels: The light net's labels, for a hint that needs them.
        sample_weight: `(batch,)` or None.
        gradient_block: Stop the gradient at the booster's tensor.
    """
    light, booster = (ops.cast(y_pred[name], "float32") for name in _tap_names(hint))
    booster = ops.stop_gradient(booster) if gradient_block else booster
    extra = {"labels": labels} if getattr(hint, "needs_labels", False) else {}
    if sample_weight is None:
        return hint.compute_loss(booster, light, **extra)
    if not hasattr(hint, "per_example"):
        raise ValueError(
            f"sample_weight cannot reach the hint {type(hint).__name__}: it has no per_example(). "
            "Use a loss of rocket_keras.hints, or subclass rocket_keras.hints.Hint."
        )
    losses = hint.per_example(booster, light, **extra)
    return ops.mean(losses * ops.reshape(ops.cast(sample_weight, losses.dtype), ops.shape(losses)))


def _tap_names(hint: Any) -> tuple[str, str]:
    """Names of the light net's tensor and of the booster's; the heads where the hint names none."""
    names = _named_taps(hint)
    return names[0] or HEADS[0], names[1] or HEADS[1]


def _named_taps(hint: Any) -> tuple[str | None, str | None]:
    return getattr(hint, "student_layer_name", None), getattr(hint, "teacher_layer_name", None)
