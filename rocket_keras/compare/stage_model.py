"""What one stage trains: the net or the Rocket, compiled, and the rows for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from rocket_keras.compare.job import Job
from rocket_keras.compare.taught import TEACHERS, taught_pair
from rocket_keras.graph import inputs_of
from rocket_keras.hints import Hint
from rocket_keras.launch.on_device import FedNet, FedRocket, TrainRows
from rocket_keras.launch.recipe import Plan, Tap
from rocket_keras.pair import Pair
from rocket_keras.rocket import Rocket
from rocket_keras.sparse_net import trained_alone


def stage_model(plan: Plan, job: Job, root: Path, pair: Pair) -> tuple[keras.Model, Any, float]:
    """Return the compiled model, the rows that it trains on, and the seconds that the teachers took for them."""
    stage = job.stage
    rows = plan.data.train if stage.rows is None else stage.rows(plan, job.seed)
    steps = job.epochs(plan) * plan.steps_per_epoch
    to_shared = plan.recipe.light_to_shared if stage.light_to_shared is None else stage.light_to_shared
    if stage.trains == "light" and stage.start is not None and not to_shared:
        for variable in pair.shared_variables:
            variable.trainable = False
    seconds = 0.0
    if stage.trains == "booster" or not (stage.hints or stage.trains == "both"):
        net = getattr(pair, stage.trains)
        model: keras.Model = trained_alone(net)
        if plan.on_device:
            model = FedNet(net, TrainRows(inputs_of(net, rows.x), plan.recipe.augment))
    else:
        named = plan.taps(pair) if plan.taps else ()
        taps = list(dict.fromkeys(tap for term in stage.hints if term.taps for tap in term.taps(named)))
        if stage.teachers:
            taught = taught_pair(plan, job, root, pair, rows, taps)
            trained, rows, seconds = taught.pair, taught.rows, taught.seconds
        else:
            trained = pair.with_taps([name for tap in taps for name in tap]) if taps else pair
        hints, weights = _hints(plan, job, trained, named, steps)
        labels = stage.labels(steps) if callable(stage.labels) else stage.labels
        switches = (trained, hints, weights, stage.block, to_shared or stage.trains == "light", labels)
        if plan.on_device:
            model = FedRocket(TrainRows(inputs_of(trained.joint, rows.x), plan.recipe.augment), *switches)
        else:
            model = Rocket(*switches)
    optimizer = (stage.optimizer or _recipe_optimizer)(plan, steps)
    model.compile(optimizer=optimizer, loss=_label_loss(plan, rows))
    return model, rows, seconds


def _recipe_optimizer(plan: Plan, steps: int) -> keras.optimizers.Optimizer:
    return plan.recipe.optimizer(steps)


def _hints(plan: Plan, job: Job, pair: Pair, named: tuple[Tap, ...], steps: int) -> tuple[list[Any], list[Any]]:
    """Make the hints, one a tap pair that a term chose among the named ones, and their weights."""
    hints, weights = [], []
    for term in job.stage.hints:
        make: Callable[..., Any] = term.hint or plan.recipe.hint
        made = [make(*tap) for tap in term.taps(named)] if term.taps else [make()]
        for hint in made:
            weight = job.weight(term, plan)
            if term.per_position:
                weight /= int(np.prod(pair.joint.output[hint.student_layer_name].shape[1:-1]))
            hints.append(TowardTeachers(hint) if term.toward == "teachers" and job.stage.trains == "both" else hint)
            weights.append(term.course(weight, steps) if term.course else weight)
    return hints, weights


@keras.saving.register_keras_serializable(package="rocket_keras")
class TowardTeachers(Hint):
    """A hint on logits whose target is the tap `"teachers"`, beside a booster that trains along."""

    teacher_layer_name = TEACHERS

    def __init__(self, hint: Hint):
        self.hint = hint

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return the inner hint's loss of each example, `(batch,)`."""
        return self.hint.per_example(booster_outputs, light_outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"hint": keras.saving.serialize_keras_object(self.hint)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TowardTeachers":
        """Rebuild the hint from `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["hint"]))


@keras.saving.register_keras_serializable(package="rocket_keras")
class LabelledRowsLoss(keras.losses.Loss):
    """Cross-entropy of logits with labels; a row of label -1 has no label and costs nothing."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row, `(batch,)`."""
        labels = ops.reshape(y_true, (-1,))
        known, safe = ops.cast(labels >= 0, y_pred.dtype), ops.maximum(labels, 0)
        if y_pred.shape[-1] == 1:
            losses = keras.losses.binary_crossentropy(safe[:, None], y_pred, from_logits=True)
        else:
            losses = keras.losses.sparse_categorical_crossentropy(safe, y_pred, from_logits=True)
        return known * losses


def _label_loss(plan: Plan, rows: Any) -> keras.losses.Loss:
    if rows.y.min() < 0:
        return LabelledRowsLoss()
    one_logit = plan.data.num_classes == 2
    loss = keras.losses.BinaryCrossentropy if one_logit else keras.losses.SparseCategoricalCrossentropy
    return loss(from_logits=True)
