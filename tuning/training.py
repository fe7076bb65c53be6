"""How candidates are trained: in fleets, one booster for all, where the booster's course does not depend on them."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras import Fleet, Pair, Rocket, hints, schedules
from rocket_keras.launch.batches import Batches, EpochOrder, predict_logits
from rocket_keras.launch.run_folder import Checkpoint
from rocket_keras.launch.scoring import score
from tuning.plain import plain
from tuning.rows import Rows

DIRECTIONS = {"auc": "max", "gauc": "max", "accuracy": "max", "log_loss": "min"}
PREDICT_BATCH = 2048


@dataclasses.dataclass(frozen=True)
class Training:
    """How every candidate is trained and scored.

    Attributes:
        epochs, batch_size: The budget of each.
        optimizer: From the number of training steps to a fresh optimizer.
        loss: Makes the label loss; None: cross-entropy of the logits, binary where there is one logit.
        hint: Makes the hint loss.
        hint_weight: A number, or from the number of training steps to a schedule.
        light_to_shared, gradient_block: The switches of `rocket_keras.Rocket`.
        metric: What is chosen by, on validation: `"auc"`, `"gauc"`, `"accuracy"` or `"log_loss"`.
        fleet_size: Light nets that are launched at once, where `light_to_shared` is off and the gradient block is on.
        halving: After a first share of the epochs only one of so many light nets goes on, and so on; 1: all go on.
        seed: Of initial weights and batches.
        augment: What is done to the training images, a `rocket_keras.launch.Augmentation`, or None.
    """

    epochs: int
    batch_size: int
    optimizer: Callable[[int], keras.optimizers.Optimizer]
    metric: str
    loss: Callable[[], keras.losses.Loss] | None = None
    hint: Callable[[], keras.distillation.DistillationLoss] = hints.SquaredLogitHint
    hint_weight: float | Callable[[int], schedules.Schedule] = 1.0
    light_to_shared: bool = False
    gradient_block: bool = True
    fleet_size: int = 8
    halving: int = 2
    seed: int = 0
    augment: Any = None

    def __post_init__(self) -> None:
        if self.metric not in DIRECTIONS:
            raise ValueError(
                f"expected `metric` as one of {', '.join(DIRECTIONS)}, received {self.metric!r}; "
                "choose what the validation rows can tell"
            )
        for name in ("epochs", "batch_size", "fleet_size", "halving"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected `{name}` of at least 1, received {getattr(self, name)}")

    def describe(self, train: Rows) -> dict[str, Any]:
        """Return all settings as plain JSON values, the same in every process."""
        steps = self.steps(train)
        made = {
            "optimizer": self.optimizer(steps),
            "loss": self.loss() if self.loss is not None else None,
            "hint": self.hint(),
            "hint_weight": self.weight(train),
            "augment": self.augment.name if self.augment else None,
        }
        return {
            field.name: plain(made.get(field.name, getattr(self, field.name))) for field in dataclasses.fields(self)
        }

    @property
    def direction(self) -> str:
        """`"max"` or `"min"`."""
        return DIRECTIONS[self.metric]

    @property
    def in_fleets(self) -> bool:
        """Whether the booster's course does not depend on the light nets."""
        return self.gradient_block and not self.light_to_shared

    def better(self, values: Sequence[float]) -> float:
        """Return the best of the values; nan where there is no number."""
        numbers = [value for value in values if math.isfinite(value)]
        return (max if self.direction == "max" else min)(numbers) if numbers else math.nan

    def steps(self, train: Rows) -> int:
        """Training batches of one whole training."""
        return self.epochs * max(1, len(train) // min(self.batch_size, len(train)))

    def compiled(self, model: Any, train: Rows) -> Any:
        """Compile a Rocket or a fleet."""
        model.compile(optimizer=self.optimizer(self.steps(train)), loss=self.label_loss(model))
        return model

    def label_loss(self, model: Any) -> keras.losses.Loss:
        """Return a fresh label loss for logits."""
        if self.loss is not None:
            return self.loss()
        logits = keras.tree.flatten(model.joint.output["booster"])[0].shape[-1]
        losses = keras.losses
        return (losses.BinaryCrossentropy if logits == 1 else losses.SparseCategoricalCrossentropy)(from_logits=True)

    def rocket(self, pair: Pair, train: Rows) -> Rocket:
        """Return a compiled Rocket of one pair."""
        rocket = Rocket(pair, self.hint(), self.weight(train), self.gradient_block, self.light_to_shared)
        return self.compiled(rocket, train)

    def weight(self, train: Rows) -> Any:
        """Return the hint's weight."""
        return self.hint_weight(self.steps(train)) if callable(self.hint_weight) else self.hint_weight

    def rungs(self, count: int, epochs: int) -> dict[int, int]:
        """Return how many of `count` light nets go on, by the epoch after which it is decided.

        With 8 nets, 8 epochs and a halving by 2: 4 after epoch 2, 2 after epoch 4, and these to the end.
        """
        rungs: dict[int, int] = {}
        left, epoch = count, epochs
        stages = int(math.log(max(count // 2, 1), self.halving)) if self.halving > 1 else 0
        for stage in range(stages):
            left = max(1, left // self.halving)
            epoch = max(1, round(epochs * self.halving ** (stage - stages)))
            if epoch < epochs:
                rungs[epoch] = left
        return rungs


class Course:
    """The training of one group of pairs, epoch by epoch, resumable.

    Args:
        pairs: By name; boosters of one shape.
        training: How.
        train, validation: The rows.
        epochs: Epochs of this course.
        folder: Where each epoch's state is saved; None for nowhere.
        told: Is called after each epoch with the epoch, the scores by name, and the names that go on.
    """

    def __init__(
        self,
        pairs: Mapping[str, Pair],
        training: Training,
        train: Rows,
        validation: Rows,
        epochs: int,
        folder: Path | None = None,
        told: Callable[[int, dict[str, float], list[str]], None] = lambda epoch, scores, left: None,
    ):
        self.training, self.train, self.validation, self.epochs, self.told = training, train, validation, epochs, told
        self.checkpoint = Checkpoint(folder) if folder is not None else None
        self.alone = len(pairs) == 1 or not training.in_fleets
        if self.alone and len(pairs) != 1:
            raise ValueError(
                f"expected one pair, received {len(pairs)}; only a blocked booster can have many light nets"
            )
        saved = self.checkpoint.state["history"] if self.checkpoint else {}
        self.scores = {name: list(saved.get(name, [])) for name in pairs}
        self.rungs = training.rungs(len(pairs), epochs)
        self.left = list(pairs)
        for epoch in range(self.done):
            self.left = self._survivors(epoch)
        self.model: Any = self._model({name: pairs[name] for name in self.left}) if self.left else None
        if self.checkpoint and self.model is not None:
            self.checkpoint.set_model(self.model)
            self.checkpoint.restore(self.model)

    @property
    def done(self) -> int:
        """Finished epochs."""
        return self.checkpoint.state["epoch"] if self.checkpoint else 0

    def run(self) -> dict[str, list[float]]:
        """Train to the end; return the validation scores by name and epoch. Nets that were dropped have fewer."""
        for epoch in range(self.done, self.epochs):
            if not self.left:
                break
            found = self.epoch(epoch)
            for name, value in found.items():
                self.scores[name].append(value)
            left = self._survivors(epoch)
            if left != self.left and left and not self.alone:
                self.model = self.model.keep(left)
            self.left = left
            if self.checkpoint:
                self.checkpoint.set_model(self.model)
                self.checkpoint.on_epoch_end(epoch, found)
            self.told(epoch + 1, found, self.left)
        return self.scores

    def run_to_best(self) -> float:
        """Train one pair to the end and give it the weights of its best epoch; return that epoch's score.

        Raises:
            rocket_keras.callbacks.NonFiniteLoss: A loss became NaN.
        """
        (name,) = self.scores
        kept: list[Any] | None = None
        for epoch in range(self.done, self.epochs):
            value = self.epoch(epoch)[name]
            self.scores[name].append(value)
            if kept is None or value == self.training.better(self.scores[name]):
                kept = self.model.pair.joint.get_weights()
        if kept is not None:
            self.model.pair.joint.set_weights(kept)
        return self.training.better(self.scores[name])

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch and score on validation."""
        batches = Batches(self.model, self.train, self.training.batch_size, self.training.seed, self.training.augment)
        # Not shuffled by Keras: the order depends on seed and epoch alone, so that a resumed course sees the same.
        self.model.fit(
            batches,
            epochs=epoch + 1,
            initial_epoch=epoch,
            shuffle=False,
            verbose=0,
            callbacks=[EpochOrder(batches)],
        )
        logits = predict_logits(self.model, self.validation.x, min(PREDICT_BATCH, len(self.validation)))
        heads = {self.left[0]: logits["light"]} if self.alone else {name: logits[name] for name in self.left}
        return {name: self._score(np.asarray(values, "float64")) for name, values in heads.items()}

    def _score(self, logits: np.ndarray) -> float:
        if not np.all(np.isfinite(logits)):
            return math.nan
        values = score(logits, self.validation)
        if self.training.metric not in values:
            raise ValueError(
                f"expected `metric` as one of {', '.join(values)} for these validation rows, received "
                f"{self.training.metric!r}; gauc wants `groups`, accuracy more than one logit"
            )
        return values[self.training.metric]

    def _survivors(self, epoch: int) -> list[str]:
        """Return who goes on after an epoch: the best of a rung, and never one whose loss is not a number."""
        sound = [name for name in self.left if math.isfinite(self.scores[name][epoch])]
        sign = -1 if self.training.direction == "max" else 1
        keep = self.rungs.get(epoch + 1, len(sound))
        best = sorted(sound, key=lambda name: sign * self.scores[name][epoch])[:keep]
        return [name for name in self.left if name in best]

    def _model(self, pairs: dict[str, Pair]) -> Any:
        if self.alone:
            return self.training.rocket(next(iter(pairs.values())), self.train)
        fleet = Fleet(pairs, self.training.hint(), self.training.weight(self.train))
        return self.training.compiled(fleet, self.train)
