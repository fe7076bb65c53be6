"""Measures `zoo.data.cifar.augment`, called and compiled, against a plain NumPy loop over images; images a second.

KERAS_BACKEND=jax python benchmarks/augment.py [--batch 128] [--rounds 20]
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from zoo.data import cifar


class Augment(keras.layers.Layer):
    """`augment` inside a graph, so that Keras compiles it as it compiles a model."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, images):
        return cifar.augment(images, self.seeds)


def plain_loop(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Pad, crop and flip one image after the other: what `augment` replaces."""
    out = np.empty_like(images)
    for place, image in enumerate(images):
        padded = np.pad(image, ((4, 4), (4, 4), (0, 0)), mode="reflect")
        row, column = random.integers(0, 9, 2)
        crop = padded[row : row + 32, column : column + 32]
        out[place] = crop[:, ::-1] if random.integers(2) else crop
    return out


def images_per_second(ways: dict[str, Callable[[], np.ndarray]], batch: int, rounds: int) -> dict[str, float]:
    """Of every way, from its median time; the ways take turns, so that a busy machine slows all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: batch / float(np.median(times)) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128, help="images a call")
    parser.add_argument("--rounds", type=int, default=20, help="timed calls of each way")
    arguments = parser.parse_args()
    images = np.random.default_rng(0).integers(0, 256, (arguments.batch, 32, 32, 3)).astype(np.uint8)
    random, seeds = np.random.default_rng(0), keras.random.SeedGenerator(0)
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    compiled = keras.Model(pixels, Augment()(pixels))
    ways = {
        "numpy_loop": lambda: plain_loop(images, random),
        "called": lambda: ops.convert_to_numpy(cifar.augment(images, seeds)),
        "compiled": lambda: compiled.predict_on_batch(images),
    }
    speed = images_per_second(ways, arguments.batch, arguments.rounds)
    for name, value in speed.items():
        print(f"{name:>10}: {value:9,.0f} images/s, {value / speed['numpy_loop']:5.2f} of the NumPy loop")
    ratio = speed["compiled"] / speed["numpy_loop"]
    bar = {"what": "compiled / NumPy loop, images/s", "value": round(ratio, 2), "limit": ">= 1.00", "holds": ratio >= 1}
    record = {
        "name": "augment",
        "bars": [bar],
        "images_per_second": {name: round(value) for name, value in speed.items()},
        "batch": arguments.batch,
        "rounds": arguments.rounds,
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "device": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
