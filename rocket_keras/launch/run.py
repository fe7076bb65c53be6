"""Train base, booster and rocket under one budget; measure, export and report them."""

import dataclasses
import datetime
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

from rocket_keras.architecture import describe_net
from rocket_keras.callbacks import StopOnNonFinite
from rocket_keras.counting import multiply_adds
from rocket_keras.export import export_light
from rocket_keras.extras import require_launch
from rocket_keras.json_file import write_json
from rocket_keras.latency import measure_each
from rocket_keras.launch.batches import Batches, EpochOrder, predict_logits
from rocket_keras.launch.progress import LossBar
from rocket_keras.launch.provenance import git_commit, plan_facts
from rocket_keras.launch.recipe import Plan
from rocket_keras.launch.run_folder import Checkpoint, claim
from rocket_keras.launch.scoring import Validation, check_plan, score
from rocket_keras.pair import Pair
from rocket_keras.report import write_report
from rocket_keras.rocket import Rocket
from rocket_keras.sparse_net import trained_alone

PREDICT_BATCH = 2048


@dataclasses.dataclass(frozen=True)
class Trained:
    """One finished training: its nets, their scores by split, history and seconds."""

    nets: dict[str, keras.Model]
    scores: dict[str, dict[str, dict[str, float]]]
    history: dict[str, list[float]]
    seconds: float


def launch(
    plan: Plan,
    folder: Path,
    seed: int = 0,
    command: str = "",
    console: Console | None = None,
    budget_ms: float | None = None,
) -> dict[str, Any]:
    """Run a plan, or go on with it where the folder holds its beginning.

    Args:
        plan: What to train.
        folder: Run folder: `metrics.json`, three PNG, `report.html`, `light.keras`, `light.onnx`, `checkpoints/`, and
            `encoder.json` where the data set has an encoder of raw values.
        seed: Seed of the initial weights and of the batches' order, the same for the three trainings.
        command: The command line, for the report.
        console: Where progress is shown; standard error by default.
        budget_ms: Milliseconds that a request's p99 should not exceed, for the latencies and the report.

    Returns:
        What `metrics.json` holds.

    Raises:
        ValueError: The folder holds a run with other settings or nets, or a split cannot be scored.
        ImportError: A package of the `launch` extra is not installed; nothing was trained.
        rocket_keras.callbacks.NonFiniteLoss: A loss term became NaN; the last good checkpoint stays.
    """
    require_launch()
    console = console or Console(stderr=True)
    check_plan(plan)
    facts = _facts(plan, seed)
    claim(folder, facts, {"the pair": describe_net(plan.pair().joint)})
    trained = {}
    for name, make in _TRAININGS.items():
        trained[name] = _train(plan, name, make, folder / "checkpoints" / name, seed, console)
    metrics = {**facts, "command": command, "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
    metrics["git_commit"] = git_commit()
    metrics["nets"] = _nets(plan, trained, folder, budget_ms)
    metrics["history"] = {name: result.history for name, result in trained.items()}
    write_report(metrics, folder)
    write_json(folder / "metrics.json", metrics)
    return metrics


def _base(plan: Plan, pair: Pair) -> keras.Model:
    return _compiled(plan, trained_alone(pair.light))


def _booster(plan: Plan, pair: Pair) -> keras.Model:
    return _compiled(plan, trained_alone(pair.booster))


def _rocket(plan: Plan, pair: Pair) -> keras.Model:
    recipe = plan.recipe
    weight = recipe.hint_weight(plan.steps) if callable(recipe.hint_weight) else recipe.hint_weight
    rocket = Rocket(pair, recipe.hint(), weight, recipe.gradient_block, recipe.light_to_shared)
    return _compiled(plan, rocket)


_TRAININGS: dict[str, Callable[[Plan, Pair], keras.Model]] = {"base": _base, "booster": _booster, "rocket": _rocket}


def _compiled(plan: Plan, model: keras.Model) -> keras.Model:
    one_logit = plan.data.num_classes == 2
    loss = keras.losses.BinaryCrossentropy if one_logit else keras.losses.SparseCategoricalCrossentropy
    model.compile(optimizer=plan.recipe.optimizer(plan.steps), loss=loss(from_logits=True))
    return model


def _train(
    plan: Plan, name: str, make: Callable[..., keras.Model], folder: Path, seed: int, console: Console
) -> Trained:
    """Train one of the three, or load what was trained before, and score its nets on validation and test."""
    keras.utils.set_random_seed(seed)
    recipe, data = plan.recipe, plan.data
    pair = plan.pair()
    model = make(plan, pair)
    checkpoint = Checkpoint(folder)
    done = checkpoint.restore(model)
    predict_batch = min(PREDICT_BATCH, max(len(data.validation), len(data.test)))
    if done < recipe.epochs:
        batches = Batches(model, data.train, recipe.batch_size, seed, recipe.augment)
        bar = LossBar(console, name, recipe.epochs, len(batches))
        validation = Validation(data.validation, predict_batch)
        callbacks = [EpochOrder(batches), StopOnNonFinite(), validation, bar, _Seconds(bar, checkpoint), checkpoint]
        try:
            epochs = {"epochs": recipe.epochs, "initial_epoch": done}
            model.fit(batches, **epochs, shuffle=False, verbose=0, callbacks=callbacks)
        finally:
            bar.close()
    alone = {name: pair.light if name == "base" else pair.booster}
    nets = {"light": pair.light, "booster_in_rocket": pair.booster} if name == "rocket" else alone
    scores: dict[str, dict[str, dict[str, float]]] = {net: {} for net in nets}
    for part in ("validation", "test"):
        split = getattr(data, part)
        logits = predict_logits(model, split.x, predict_batch)
        by_net = (
            {"light": logits["light"], "booster_in_rocket": logits["booster"]} if name == "rocket" else {name: logits}
        )
        for net, values in by_net.items():
            scores[net][part] = score(np.asarray(values, "float64"), split)
    return Trained(nets, scores, checkpoint.state["history"], checkpoint.state["seconds"])


class _Seconds(keras.callbacks.Callback):
    """Hands the epoch's training time, without validation, to the checkpoint."""

    def __init__(self, bar: LossBar, checkpoint: Checkpoint):
        super().__init__()
        self.bar, self.checkpoint = bar, checkpoint

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.checkpoint.seconds = self.bar.seconds


def _facts(plan: Plan, seed: int) -> dict[str, Any]:
    """What makes two runs the same run."""
    return {**plan_facts(plan), "seed": seed}


def _nets(plan: Plan, trained: dict[str, Trained], folder: Path, budget_ms: float | None) -> dict[str, dict[str, Any]]:
    """Count and time each net, and export the light one."""
    test, batch = plan.data.test, plan.recipe.serving_batch
    sample = test.rows(slice(min(len(test), 64))).x
    light = trained["rocket"].nets["light"]
    encoder = getattr(plan.data, "encoder", None)
    if encoder is not None:
        (folder / "encoder.json").write_text(encoder.to_json() + "\n", encoding="utf-8")
    export_light(light, folder / "light.keras", sample)
    export_light(light, folder / "light.onnx", sample, encoder)
    files = {"light": folder / "light.onnx"}
    for name in ("base", "booster"):
        # With the encoder, too: the graph depends on whose columns the inputs are.
        file = folder / "checkpoints" / f"{name}.onnx"
        files[name] = export_light(trained[name].nets[name], file, sample, encoder)
    found = measure_each(files, batch_size=batch, budget_ms=budget_ms, rows=test.x)
    latency = {name: dataclasses.asdict(one) for name, one in found.items()}
    rows = {}
    for result in trained.values():
        for name, net in result.nets.items():
            rows[name] = {
                **result.scores[name],
                "parameters": sum(math.prod(variable.shape) for variable in net.trainable_variables),
                "multiply_adds": multiply_adds(net),
                "latency": latency.get(name),
                "training_seconds": round(result.seconds, 2),
            }
    return {name: rows[name] for name in ("base", "light", "booster", "booster_in_rocket")}
