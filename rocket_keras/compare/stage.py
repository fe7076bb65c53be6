"""Training one stage, and scoring what came out of it."""

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from rich.console import Console

from rocket_keras.callbacks import StopOnNonFinite
from rocket_keras.compare.job import Job
from rocket_keras.compare.taught import TEACHERS, taught_pair
from rocket_keras.hints import Hint
from rocket_keras.launch.batches import Batches, EpochOrder, predict_logits
from rocket_keras.launch.progress import LossBar
from rocket_keras.launch.recipe import Plan, Tap
from rocket_keras.launch.run_folder import Checkpoint, write_json
from rocket_keras.launch.scoring import score
from rocket_keras.pair import HEADS, Pair
from rocket_keras.rocket import Rocket

PREDICT_BATCH = 2048


def train_stage(plan: Plan, job: Job, root: Path, console: Console, tested: str | None = None) -> dict[str, Any]:
    """Train a stage, or go on with it, or read what it gave.

    Args:
        plan: The entry at the job's seed.
        job: The stage; those before it are finished.
        root: The comparison's folder.
        console: Where progress is shown.
        tested: Which net is scored on the test split, too; None for none: a try is never scored there.

    Returns:
        `seconds` (epochs times the fastest epoch, so without compilation and without what other processes took, and the
        teachers' passes), `wall_seconds`, `epochs`, `validation` scores by net, `history`.
    """
    folder = job.folder(root, plan)
    if (folder / "result.json").exists():
        if tested is not None:
            test_scores(plan, job, root, tested)
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))
    keras.utils.set_random_seed(job.seed + job.stage.seed)
    pair = job.plan(plan).pair(job.stage.variant)
    if job.stage.start is not None:
        _begin_with(pair, job.of(job.stage.start).folder(root, plan))
    epochs = job.epochs(plan)
    model, rows, teachers_seconds = _model(plan, job, root, pair)
    checkpoint = Checkpoint(folder / "checkpoint")
    done = checkpoint.restore(model)
    if done < epochs:
        _fit(plan, job, model, rows, checkpoint, done, console)
    nets = {head: getattr(pair, head) for head in HEADS if job.stage.trains in (head, "both")}
    for head, net in nets.items():
        net.save_weights(folder / f"{head}.weights.h5", overwrite=True)
    history = checkpoint.state["history"]
    result = {
        "job": job.describe(plan),
        "epochs": epochs,
        "seconds": round(epochs * min(history["seconds"]) + teachers_seconds, 3),
        "wall_seconds": round(sum(history["seconds"]) + teachers_seconds, 3),
        "validation": {head: _score(net, plan.data.validation) for head, net in nets.items()},
        "history": history,
    }
    if tested is not None:
        write_json(folder / f"test_{tested}.json", _score(nets[tested], plan.data.test))
    write_json(folder / "result.json", result)
    checkpoint.remove()
    _free()
    return result


def test_scores(plan: Plan, job: Job, root: Path, head: str) -> dict[str, float]:
    """Return a finished net's scores on the test split, which are computed once and kept."""
    file = job.folder(root, plan) / f"test_{head}.json"
    if not file.exists():
        write_json(file, _score(finished_net(plan, job, root, head), plan.data.test))
        _free()
    return json.loads(file.read_text(encoding="utf-8"))


def finished_net(plan: Plan, job: Job, root: Path, head: str) -> keras.Model:
    """Return the light net or the booster that a finished stage trained."""
    net = getattr(job.plan(plan).pair(job.stage.variant), head)
    net.load_weights(job.folder(root, plan) / f"{head}.weights.h5")
    return net


def predicted(net: keras.Model, x: Any) -> Any:
    """Return what a net says of all rows: logits `(rows, classes)` in float64, or a dict of outputs as they are."""
    rows = len(next(iter(x.values())) if isinstance(x, dict) else x)
    outputs = predict_logits(net, x, min(PREDICT_BATCH, rows))
    return outputs if isinstance(outputs, dict) else np.asarray(outputs, "float64")


def _score(net: keras.Model, split: Any) -> dict[str, float]:
    return score(predicted(net, split.x), split)


def _model(plan: Plan, job: Job, root: Path, pair: Pair) -> tuple[keras.Model, Any, float]:
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
        model: keras.Model = getattr(pair, stage.trains)
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
        model = Rocket(trained, hints, weights, stage.block, to_shared or stage.trains == "light", labels)
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


def _begin_with(pair: Pair, folder: Path) -> None:
    """Load the nets that the finished stage trained."""
    for head in HEADS:
        file = folder / f"{head}.weights.h5"
        if file.exists():
            getattr(pair, head).load_weights(file)


def _fit(
    plan: Plan, job: Job, model: keras.Model, rows: Any, checkpoint: Checkpoint, done: int, console: Console
) -> None:
    recipe, epochs = plan.recipe, job.epochs(plan)
    # As many batches an epoch as there are of labelled rows, also where a method has more rows: one budget for all.
    batches = Batches(model, rows, recipe.batch_size, job.seed, recipe.augment, plan.steps_per_epoch)
    bar = LossBar(console, f"{job.stage.trains} {job.seed}", epochs, len(batches))
    callbacks = [EpochOrder(batches), StopOnNonFinite(), bar, _EpochSeconds(bar), checkpoint]
    try:
        model.fit(batches, epochs=epochs, initial_epoch=done, shuffle=False, verbose=0, callbacks=callbacks)
    finally:
        bar.close()


class _EpochSeconds(keras.callbacks.Callback):
    """Puts the epoch's training seconds into the logs, and so into the checkpoint's history."""

    def __init__(self, bar: LossBar):
        super().__init__()
        self.bar = bar

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["seconds"] = self.bar.seconds


def _free() -> None:
    """Let go of compiled functions: hundreds of stages run in one process."""
    keras.backend.clear_session(free_memory=False)
    gc.collect()
