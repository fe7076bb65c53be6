"""Measures the training step of a fleet of eight light nets against the step of one plain launch.

KERAS_BACKEND=jax python benchmarks/fleet.py [--lights 8] [--rounds N] [--batches N] [--batch-size N] [--json-only]
    [--out FILE]

The light nets are towers 200-80 under a booster 720-360-240-180-90, over shared embeddings of MovieLens-1M's fields;
data are random. All models are built in one process and timed in turn inside `fit`; a ratio is taken within each round,
and its median over the rounds counts. The launch is a `Rocket` with `light_to_shared=False`, which trains one of the
light nets to the same end; the paper's way is beside it. Compiling is left out of the ratios and reported beside them.
"""

import argparse
import json
import os
from pathlib import Path

import keras
import numpy as np
from timing import Batches, bar, machine, quotient, take_turns

import zoo
from rocket_keras import Fleet, Pair, Rocket

HINT_WEIGHT = 1.0
LIGHT, BOOSTER = (200, 80), (720, 360, 240, 180, 90)
DIM = 16
VOCABULARIES = {
    "user_id": 6041, "item_id": 3707, "gender": 3, "age": 8, "occupation": 22, "zip": 3440, "genres": 302, "year": 82,
}  # fmt: skip


def build() -> Pair:
    return zoo.ctr_pair(
        [zoo.Categorical(name, size, DIM) for name, size in VOCABULARIES.items()],
        light_units=LIGHT,
        booster_units=BOOSTER,
    )


def drawn(size: int, count: int) -> Batches:
    rng = np.random.default_rng(0)
    x = {name: rng.integers(0, ids, size * count).astype("int32") for name, ids in VOCABULARIES.items()}
    return Batches(x, rng.integers(0, 2, (size * count, 1)).astype("float32"), size)


def compiled_models(lights: int) -> dict[str, keras.Model]:
    """Build all models; none shares a variable with another."""
    keras.utils.set_random_seed(0)
    models = {
        "fleet": Fleet([build() for _ in range(lights)], hint_weight=HINT_WEIGHT),
        "launch": Rocket(build(), hint_weight=HINT_WEIGHT, light_to_shared=False),
        "paper": Rocket(build(), hint_weight=HINT_WEIGHT),
    }
    for model in models.values():
        model.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    return models


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lights", type=int, default=8, help="light nets; the bar holds for 8")
    parser.add_argument("--rounds", type=int, default=9, help="timed turns of every model")
    parser.add_argument("--batches", type=int, default=20, help="steps of a model a turn")
    parser.add_argument("--batch-size", type=int, default=2048, help="rows a step; the bar holds for 2048")
    parser.add_argument("--json-only", action="store_true", help="print the closing line alone")
    parser.add_argument("--out", type=Path, help="write the closing line to this file, too")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    say = (lambda text: None) if options.json_only else (lambda text: print(text, flush=True))
    data, load = drawn(options.batch_size, options.batches), os.getloadavg()[0]
    say(f"{options.lights} light nets: batches of {data.size}, {data.count} steps of each a round, load {load:.1f}")
    times = take_turns(compiled_models(options.lights), data, options.rounds, say)
    ratios = {
        "fleet / launch": quotient(times, "fleet", ["launch"]),
        "fleet / paper": quotient(times, "fleet", ["paper"]),
    }
    what = f"step of a fleet of {options.lights} / step of one launch (light_to_shared=False)"
    bars = [bar(what, ratios["fleet / launch"].median, 2.0)]
    for item in bars:
        say(f"{item['value']:6.3f}  {item['limit']:>8}  {'holds' if item['holds'] else 'FALLS SHORT'}  {item['what']}")
    record = {
        "name": "fleet",
        "bars": bars,
        "lights": options.lights,
        "batch_size": data.size,
        "steps_a_round": data.count,
        "rounds": options.rounds,
        "ratios": {key: ratio.as_json() for key, ratio in ratios.items()},
        "step_ms": {name: round(1e3 * float(np.median(t.steps)), 2) for name, t in times.items()},
        "first_step_s": {name: round(t.first, 2) for name, t in times.items()},
        "processor_ms": {name: round(1e3 * float(np.median(t.processor)), 2) for name, t in times.items()},
        "load_before": round(load, 2),
        **machine(),
    }
    line = json.dumps(record)
    if options.out:
        options.out.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
