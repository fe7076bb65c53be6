"""Training one stage, and scoring what came out of it."""

import contextlib
import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from rocket_keras.callbacks import StopOnNonFinite
from rocket_keras.compare.job import Job
from rocket_keras.compare.stage_model import stage_model
from rocket_keras.json_file import write_json
from rocket_keras.launch.batches import Batches, EpochOrder, predict_logits
from rocket_keras.launch.on_device import Places
from rocket_keras.launch.progress import LossBar
from rocket_keras.launch.recipe import Plan
from rocket_keras.launch.run_folder import Checkpoint
from rocket_keras.launch.scoring import score
from rocket_keras.pair import HEADS, Pair

PREDICT_BATCH = 2048


class WindowOver(Exception):
    """The time for training is over before the training is; what is done is saved."""


def train_stage(
    plan: Plan, job: Job, root: Path, console: Console, tested: str | None = None, until: float | None = None
) -> dict[str, Any]:
    """Train a stage, or go on with it, or read what it gave.

    Args:
        plan: The entry at the job's seed.
        job: The stage; those before it are finished.
        root: The comparison's folder.
        console: Where progress is shown.
        tested: Which net is scored on the test split, too; None for none: a try is never scored there.
        until: Moment (`time.time`) that the training stops before, at the end of an epoch; None for no end.

    Raises:
        WindowOver: The training is not finished at `until`.

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
    epochs = job.epochs(plan)
    with _precision(plan.recipe.precision):
        pair = job.plan(plan).pair(job.stage.variant)
        if job.stage.start is not None:
            _begin_with(pair, job.of(job.stage.start).folder(root, plan))
        model, rows, teachers_seconds = stage_model(plan, job, root, pair)
        checkpoint = Checkpoint(folder / ("checkpoint-on-device" if plan.on_device else "checkpoint"))
        done = checkpoint.restore(model)
        if done < epochs:
            _fit(plan, job, model, rows, checkpoint, done, console, until)
    nets = {head: getattr(pair, head) for head in HEADS if job.stage.trains in (head, "both")}
    for head, net in nets.items():
        net.save_weights(folder / f"{head}.weights.h5", overwrite=True)
    if plan.recipe.precision is not None:
        nets = {head: finished_net(plan, job, root, head) for head in nets}
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


def _begin_with(pair: Pair, folder: Path) -> None:
    """Load the nets that the finished stage trained."""
    for head in HEADS:
        file = folder / f"{head}.weights.h5"
        if file.exists():
            getattr(pair, head).load_weights(file)


@contextlib.contextmanager
def _precision(policy: str | None) -> Iterator[None]:
    """Build and train under a dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _fit(
    plan: Plan,
    job: Job,
    model: keras.Model,
    rows: Any,
    checkpoint: Checkpoint,
    done: int,
    console: Console,
    until: float | None,
) -> None:
    recipe, epochs = plan.recipe, job.epochs(plan)
    make = Places if plan.on_device else Batches
    # As many batches an epoch as there are of labelled rows, also where a method has more rows: one budget for all.
    batches = make(model, rows, recipe.batch_size, job.seed, recipe.augment, plan.steps_per_epoch)
    bar = LossBar(console, f"{job.stage.trains} {job.seed}", epochs, len(batches))
    window = _Window(bar, until)
    callbacks = [EpochOrder(batches), StopOnNonFinite(), bar, _EpochSeconds(bar), checkpoint, window]
    try:
        model.fit(batches, epochs=epochs, initial_epoch=done, shuffle=False, verbose=0, callbacks=callbacks)
    finally:
        bar.close()
    if checkpoint.state["epoch"] < epochs:
        raise WindowOver(f"stopped after epoch {checkpoint.state['epoch']} of {epochs}")


class _Window(keras.callbacks.Callback):
    """Stops the training where another epoch would not be over in time."""

    def __init__(self, bar: LossBar, until: float | None):
        super().__init__()
        self.bar, self.until = bar, until

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.until is not None and time.time() + self.bar.seconds > self.until:
            self.model.stop_training = True


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
