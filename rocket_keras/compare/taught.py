"""Pairs whose booster, or a third net beside it, was trained before and is frozen.

Where the images are not augmented, what the frozen nets say of each row never changes: it is computed once and becomes
an input of the graph. Where they are, the frozen nets run in the graph.
"""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from rocket_keras.compare.job import Job
from rocket_keras.launch.batches import predict_logits
from rocket_keras.launch.recipe import Plan, Tap
from rocket_keras.layers import Frozen
from rocket_keras.pair import Pair

TEACHERS = "teachers"
PREDICT_BATCH = 2048


@dataclasses.dataclass(frozen=True)
class Taught:
    """A pair to train, the rows with whatever columns it needs more, and the seconds that these columns took."""

    pair: Pair
    rows: Any
    seconds: float


def taught_pair(plan: Plan, job: Job, root: Path, pair: Pair, rows: Any, taps: Sequence[Tap]) -> Taught:
    """Put the finished booster of the job's teachers into the pair.

    Args:
        plan, job, root: The comparison; the teachers' stages are finished.
        pair: The fresh pair. Where the light net trains alone, its booster is replaced by the teachers; where both
            train, the teachers' logits become the tap `"teachers"`.
        rows: The rows that will be trained on.
        taps: Names of layers of the light net and of the teacher, as taps of the new pair.
    """
    nets = [_tapped(_finished(plan, job.of(stage), root), [tap for _, tap in taps]) for stage in job.stage.teachers]
    teacher = nets[0] if len(nets) == 1 else _mean(nets)
    light_taps = {tap: pair.light.get_layer(tap).output for tap, _ in taps}
    alone = job.stage.trains == "light"
    if plan.recipe.augment is not None:
        inputs = pair.light.input
        said = Frozen([teacher], name=TEACHERS)(inputs)
        return Taught(_with_teacher(pair, {}, said, light_taps, alone), rows, 0.0)
    begun = time.perf_counter()
    columns = predict_logits(teacher, rows.x, min(PREDICT_BATCH, len(rows)))
    seconds = time.perf_counter() - begun
    inputs = {f"{TEACHERS}_{name}": keras.Input(a.shape[1:], name=f"{TEACHERS}_{name}") for name, a in columns.items()}
    said = {name: keras.layers.Identity(name=f"said_{name}")(inputs[f"{TEACHERS}_{name}"]) for name in columns}
    x = rows.x if isinstance(rows.x, dict) else {pair.light.inputs[0].name: rows.x}
    x = {**x, **{f"{TEACHERS}_{name}": array for name, array in columns.items()}}
    return Taught(_with_teacher(pair, inputs, said, light_taps, alone), type(rows)(x, rows.y, rows.groups), seconds)


def _with_teacher(pair: Pair, more_inputs: dict[str, Any], said: dict[str, Any], light_taps: Any, alone: bool) -> Pair:
    """Return the pair with the teacher's tensors: `"logits"` and its taps."""
    taps = {**light_taps, **{name: tensor for name, tensor in said.items() if name != "logits"}}
    net = pair.light if alone else pair.booster
    inputs = {**{tensor.name: tensor for tensor in net.inputs}, **more_inputs} if more_inputs else net.input
    if alone:
        return Pair(pair.light, keras.Model(inputs, said["logits"], name="booster"), taps)
    booster = keras.Model(inputs, pair.booster.outputs[0], name="booster")
    return Pair(pair.light, booster, {**taps, TEACHERS: said["logits"]}, pair.privileged)


def _finished(plan: Plan, job: Job, root: Path) -> keras.Model:
    booster = job.plan(plan).pair(job.stage.variant).booster
    booster.load_weights(job.folder(root, plan) / "booster.weights.h5")
    return booster


def _tapped(booster: keras.Model, taps: Sequence[str]) -> keras.Model:
    outputs = {"logits": booster.outputs[0], **{tap: booster.get_layer(tap).output for tap in taps}}
    return keras.Model(booster.input, outputs, name="teacher")


def _mean(nets: Sequence[keras.Model]) -> keras.Model:
    """One model of the nets' mean outputs."""
    inputs = nets[0].input
    return keras.Model(inputs, Frozen(nets, name="mean_of_nets")(inputs), name="teacher")
