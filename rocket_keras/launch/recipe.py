"""How an entry is trained, as data."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras

from rocket_keras import hints, schedules
from rocket_keras.pair import Pair

Tap = tuple[str, str]
"""Names of a light net's layer and of the booster's layer that a hint on features compares."""


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How training images are changed, one of `choices` ways an image, all equally likely.

    Attributes:
        name: Its name in a result.
        choices: Number of ways.
        apply: `(images, choice) -> images`, with `choice` of `(batch,)` whole numbers below `choices`; in `keras.ops`,
            so that it runs on the host and inside a compiled step.
    """

    name: str
    choices: int
    apply: Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One budget for base, booster and rocket.

    Attributes:
        epochs: Epochs of each of the three trainings.
        batch_size: Rows a training batch. A last batch that is not full is left out: each epoch draws another order.
        optimizer: From the number of training steps to a fresh optimizer, so that a rate can fall with it.
        hint: Makes the hint loss.
        hint_weight: λ: a number, or from the number of training steps to a schedule.
        gradient_block, light_to_shared: The switches of `rocket_keras.Rocket`.
        serving_batch: Rows of one request when the latency is measured: 1 image, or the candidates of one user.
        augment: What is done to the training images, or None.
        train_rows: First rows of the training split that are used; None for all.
        precision: Keras's dtype policy of the training, such as `"mixed_bfloat16"`; None for the default. Scores are
            always those of the float32 net.
    """

    epochs: int
    batch_size: int
    optimizer: Callable[[int], keras.optimizers.Optimizer]
    hint: Callable[[], keras.distillation.DistillationLoss] = hints.SquaredLogitHint
    hint_weight: float | Callable[[int], schedules.Schedule] = 0.03
    gradient_block: bool = True
    light_to_shared: bool = True
    serving_batch: int = 1
    augment: Augmentation | None = None
    train_rows: int | None = None
    precision: str | None = None

    def describe(self, steps: int) -> dict[str, Any]:
        """Return the recipe as plain JSON values, for a training of `steps` batches."""
        weight = self.hint_weight(steps) if callable(self.hint_weight) else self.hint_weight
        hint, optimizer = self.hint(), self.optimizer(steps)
        return {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimizer": named(optimizer),
            "hint": named(hint),
            "hint_weight": weight if isinstance(weight, float | int) else named(weight),
            "gradient_block": self.gradient_block,
            "light_to_shared": self.light_to_shared,
            "augmentation": self.augment.name if self.augment else None,
            "train_rows": self.train_rows,
            # Left out by default: a run's folder is named by what stands here.
            **({"precision": self.precision} if self.precision else {}),
        }


@dataclasses.dataclass(frozen=True)
class Plan:
    """What `launch` and `compare` need to know of an entry: its name, data, builder and recipe.

    Attributes:
        name: Name of the entry.
        data: Object with the splits `train`, `validation`, `test` (each with `x`, `y`, `groups`, a length and
            `rows(index)`), `name`, `source`, `content_hash`, `num_classes`, `bayes` and `unlabelled`.
        build: Makes the pair, untrained; takes the builder's options.
        recipe: How it is trained.
        notes: Further facts for the report, such as the sharing.
        variants: Builder options of each variant of the pair that a method may ask for, such as `"unshared"`.
        taps: From a pair to the layers that hints on features compare, lowest first; None where there are none.
        maps: Whether these taps are maps with positions.
        sweep: Builder options by label of each light net of a depth sweep.
        options: Builder options on top of the variant's.
        on_device: Whether `compare` keeps the training rows in the device's memory, see `TrainRows`.
    """

    name: str
    data: Any
    build: Callable[..., Pair]
    recipe: Recipe
    notes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=lambda: {"own": {}})
    taps: Callable[[Pair], tuple[Tap, ...]] | None = None
    maps: bool = False
    sweep: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    on_device: bool = False

    def pair(self, variant: str = "own") -> Pair:
        """Build a variant of the pair, untrained."""
        return self.build(**{**self.variants[variant], **self.options})

    @property
    def steps_per_epoch(self) -> int:
        """Training batches an epoch."""
        return max(1, len(self.data.train) // self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Training batches of one whole training."""
        return self.recipe.epochs * self.steps_per_epoch


def named(item: Any) -> str:
    """A Keras object as `Name(argument=value, ...)`, without the arguments that were left off."""
    config = {k: v for k, v in item.get_config().items() if k != "name" and v not in (None, False)}
    parts = [f"{key}={_value(value)}" for key, value in config.items()]
    return f"{type(item).__name__}({', '.join(parts)})"


def _value(value: Any) -> str:
    if isinstance(value, dict) and "class_name" in value:
        inner = {k: v for k, v in value["config"].items() if k != "name" and v is not None}
        return f"{value['class_name']}({', '.join(f'{k}={_value(v)}' for k, v in inner.items())})"
    return f"{value:g}" if isinstance(value, float) else str(value)
