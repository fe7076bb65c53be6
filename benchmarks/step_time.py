"""Measures a Rocket's training step against its nets alone, the same loss by hand, and distillation in two stages.

KERAS_BACKEND=jax python benchmarks/step_time.py [--case wrn8 wrn32 ctr | all | jit] [--rounds N] [--batches N]
    [--batch-size N] [--json-only] [--out FILE]

All models of a case are built in one process and timed in turn inside `fit`; a ratio is taken within each round, and
its median over the rounds counts. Compiling is left out of the ratios and reported beside them. Data are random: a
step's time does not depend on what the numbers are. Each stage of a two-stage pipeline has as many epochs as the
rocket, so one launch / two stages = Rocket step / (booster-alone step + Distiller step). `--case jit` times a Rocket
with and without `jit_compile` instead.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from timing import Batches, Times, bar, machine, quotient, take_turns

import zoo
from rocket_keras import Pair, Rocket

HINT_WEIGHT = 0.03
FIELDS, IDS, DIM = 20, 100_000, 16


@dataclass(frozen=True)
class Case:
    """A pair, its data and its bars.

    Args:
        build: Returns a new pair.
        draw: `(rows, random) -> (x, y)`.
        loss: Label loss on logits.
        optimizer: Returns a new optimizer.
        batch_size: Rows a step.
        batches: Steps of each model a round.
        rounds: Rounds unless the command says otherwise.
        alone: Limit of Rocket step / (light-alone + booster-alone).
    """

    build: Callable[[], Pair]
    draw: Callable[[int, np.random.Generator], tuple[Any, np.ndarray]]
    loss: keras.losses.Loss
    optimizer: Callable[[], keras.optimizers.Optimizer]
    batch_size: int
    batches: int
    rounds: int
    alone: float


def wrn(side: int, batches: int, rounds: int) -> Case:
    """WRN 16-1 under 40-1, interval sharing."""

    def draw(rows: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        images = random.normal(size=(rows, side, side, 3)).astype("float32")
        return images, random.integers(0, 10, rows).astype("int32")

    return Case(
        build=lambda: zoo.wide_resnet_pair(16, 40, 1, 10, (side, side, 3), "interval"),
        draw=draw,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=lambda: keras.optimizers.SGD(0.01, momentum=0.9),
        batch_size=128,
        batches=batches,
        rounds=rounds,
        alone=0.98,
    )


def ctr(batches: int, rounds: int) -> Case:
    """Towers 200-80 and 720-360-240-180-90 over 20 fields with 100,000 ids in all, each drawn alike."""
    names = [f"field{i}" for i in range(FIELDS)]

    def draw(rows: int, random: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
        x = {name: random.integers(0, IDS // FIELDS, rows).astype("int32") for name in names}
        return x, random.integers(0, 2, (rows, 1)).astype("float32")

    return Case(
        build=lambda: zoo.ctr_pair([zoo.Categorical(name, IDS // FIELDS, DIM) for name in names]),
        draw=draw,
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        optimizer=lambda: keras.optimizers.Adam(1e-3),
        batch_size=2048,
        batches=batches,
        rounds=rounds,
        alone=0.95,
    )


CASES = {"wrn8": wrn(8, 20, 7), "wrn32": wrn(32, 2, 5), "ctr": ctr(20, 9)}


class ByHand(keras.Model):
    """The three terms as one would write them in an afternoon: the graph and the sum, nothing watched or logged."""

    def __init__(self, pair: Pair, loss: keras.losses.Loss):
        super().__init__(pair.joint.input, pair.joint.output)
        self.label_loss = loss

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        light, booster = y_pred["light"], y_pred["booster"]
        distance = ops.sum(ops.square(light - ops.stop_gradient(booster)), axis=-1)
        labels = self.label_loss(y, light) + self.label_loss(y, booster)
        return labels + HINT_WEIGHT * ops.mean(distance)


def distiller(case: Case) -> keras.distillation.Distiller:
    """The second stage: a frozen booster teaches a light net that has nothing in common with it."""
    hint = keras.distillation.LogitsDistillation(temperature=4.0, loss=keras.losses.KLDivergence())
    teacher, student = case.build().booster, case.build().light
    return keras.distillation.Distiller(teacher, student, hint, student_loss_weight=0.1)


def compiled_models(case: Case) -> dict[str, keras.Model]:
    """Build all models of a case; none shares a variable with another."""
    keras.utils.set_random_seed(0)
    models = {
        "light": case.build().light,
        "booster": case.build().booster,
        "rocket": Rocket(case.build(), hint_weight=HINT_WEIGHT),
        "rocket_apart": Rocket(case.build(), hint_weight=HINT_WEIGHT, light_to_shared=False),
        "by_hand": ByHand(case.build(), case.loss),
        "distiller": distiller(case),
    }
    for name, model in models.items():
        model.compile(case.optimizer(), loss=None if name == "by_hand" else case.loss)
    return models


def drawn(case: Case, batch_size: int | None, batches: int | None) -> Batches:
    size = batch_size or case.batch_size
    return Batches(*case.draw(size * (batches or case.batches), np.random.default_rng(0)), size)


def compare(name: str, case: Case, options: argparse.Namespace, say: Callable[[str], None]) -> tuple[list, dict]:
    """Time the models of a case; return its bars and its figures."""
    data, rounds = drawn(case, options.batch_size, options.batches), options.rounds or case.rounds
    load = os.getloadavg()[0]
    say(f"{name}: batches of {data.size}, {data.count} steps of each model a round, load {load:.1f}")
    times = take_turns(compiled_models(case), data, rounds, say)
    ratios = {
        "rocket / (light + booster)": quotient(times, "rocket", ["light", "booster"]),
        "rocket_apart / (light + booster)": quotient(times, "rocket_apart", ["light", "booster"]),
        "rocket / by_hand": quotient(times, "rocket", ["by_hand"]),
        "rocket / (booster + distiller)": quotient(times, "rocket", ["booster", "distiller"]),
    }
    together, apart, by_hand, stages = (ratio.median for ratio in ratios.values())
    bars = [
        bar(f"{name}: Rocket step / (light alone + booster alone)", together, case.alone),
        bar(f"{name}: the same with light_to_shared=False", apart, together, "<"),
        bar(f"{name}: Rocket step / the same loss by hand", by_hand, 1.05),
        bar(f"{name}: one launch / teacher, then Distiller", stages, 0.90),
    ]
    shown = {key: ratio.as_json() for key, ratio in ratios.items()}
    return bars, {**figures(times, data, rounds, load), "ratios": shown}


def compare_jit(options: argparse.Namespace, say: Callable[[str], None]) -> tuple[list, dict]:
    """Time a Rocket of two cases with and without compiling, against Keras's own choice, `jit_compile="auto"`."""
    bars, found = [], {}
    for name in ("wrn8", "ctr"):
        case = CASES[name]
        data, rounds = drawn(case, options.batch_size, options.batches or 3), options.rounds or 5
        load = os.getloadavg()[0]
        say(f"{name}, jit_compile: batches of {data.size}, {data.count} steps of each a round, load {load:.1f}")
        models = {}
        for choice in ("auto", False, True):
            models[str(choice)] = Rocket(case.build(), hint_weight=HINT_WEIGHT)
            models[str(choice)].compile(case.optimizer(), case.loss, jit_compile=choice)
        auto = str(models.pop("auto").jit_compile)
        times = take_turns(models, data, rounds, say)
        fastest = min(times, key=lambda choice: np.median(times[choice].steps))
        ratio = quotient(times, auto, [fastest]).median
        bars.append(bar(f"{name}: step of jit_compile='auto', here {auto} / of the fastest, {fastest}", ratio, 1.05))
        found[name] = {**figures(times, data, rounds, load), "auto": auto, "fastest": fastest}
    return bars, found


def figures(times: dict[str, Times], data: Batches, rounds: int, load: float) -> dict[str, Any]:
    return {
        "batch_size": data.size,
        "steps_a_round": data.count,
        "rounds": rounds,
        "load_before": round(load, 2),
        "step_ms": {name: round(1e3 * float(np.median(t.steps)), 2) for name, t in times.items()},
        "first_step_s": {name: round(t.first, 2) for name, t in times.items()},
        "processor_ms": {name: round(1e3 * float(np.median(t.processor)), 2) for name, t in times.items()},
        "fit_beside_steps_ms": {name: round(1e3 * float(np.median(t.beside)), 1) for name, t in times.items()},
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=[*CASES, "all", "jit"], default=["all"], help="all: all but jit")
    parser.add_argument("--rounds", type=int, help="timed turns of every model")
    parser.add_argument("--batches", type=int, help="steps of a model a turn")
    parser.add_argument("--batch-size", type=int, help="rows a step, for a trial; the bars hold for the default")
    parser.add_argument("--json-only", action="store_true", help="print the closing line alone")
    parser.add_argument("--out", type=Path, help="write the closing line to this file, too")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    say = (lambda text: None) if options.json_only else (lambda text: print(text, flush=True))
    names = list(CASES) if "all" in options.case else [name for name in CASES if name in options.case]
    bars, found = [], {}
    for name in names:
        more, found[name] = compare(name, CASES[name], options, say)
        bars += more
    if "jit" in options.case:
        more, found["jit"] = compare_jit(options, say)
        bars += more
    for item in bars:
        say(f"{item['value']:6.3f}  {item['limit']:>8}  {'holds' if item['holds'] else 'FALLS SHORT'}  {item['what']}")
    line = json.dumps({"name": "step_time", "bars": bars, **machine(), "cases": found})
    if options.out:
        options.out.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
