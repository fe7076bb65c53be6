"""Times Keras models in turn and compares them round by round; used by the step benchmarks."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from rocket_keras.launch.provenance import device, git_commit, versions


@dataclass(frozen=True)
class Ratio:
    """One quotient of step times: taken within each round, then summarised over the rounds.

    Args:
        median: Over the rounds.
        quartiles: 25 % and 75 % over the rounds.
        of_minima: Quotient of each model's fastest round.
        of_processor: Median quotient of processor seconds, which other programs on the machine disturb least.
    """

    median: float
    quartiles: tuple[float, float]
    of_minima: float
    of_processor: float

    def as_json(self) -> dict[str, Any]:
        return {
            "median": round(self.median, 3),
            "quartiles": [round(value, 3) for value in self.quartiles],
            "of_minima": round(self.of_minima, 3),
            "of_processor": round(self.of_processor, 3),
        }


@dataclass(frozen=True)
class Fit:
    """Seconds of one `fit`.

    Args:
        steps: From the begin of the first step to the end of the last, with all that happens between two steps.
        processor: The processor's seconds, of all threads, in that time.
        beside: The rest: opening and closing the data pipeline, building what is not built yet.
    """

    steps: float
    processor: float
    beside: float


@dataclass(frozen=True)
class Times:
    """What was measured of one model.

    Args:
        steps: Seconds a training step, one value a round.
        processor: The processor's seconds a step, one value a round.
        beside: Seconds of each `fit` beside its steps, one value a round.
        first: Seconds of the first `fit`, over one batch: tracing, compiling and a step.
    """

    steps: list[float]
    processor: list[float]
    beside: list[float]
    first: float


class Stopwatch(keras.callbacks.Callback):
    """Takes the time from the first step's begin to the last one's end, when its loss has come to the host.

    The whole `fit` would not do: TensorFlow closes its data pipeline as late as seconds after the last step.
    """

    def __init__(self, last: int):
        super().__init__()
        self.last = last
        self.steps = self.processor = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.steps, self.processor = -time.perf_counter(), -time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.last:
            float(logs["loss"])
            self.steps += time.perf_counter()
            self.processor += time.process_time()


@dataclass(frozen=True)
class Batches:
    """Data in memory for `fit`: the same batches, in one order, for every model."""

    x: Any
    y: np.ndarray
    size: int

    @property
    def count(self) -> int:
        """Batches in all; the last one is full."""
        return len(self.y) // self.size

    def fit(self, model: keras.Model, count: int) -> Fit:
        """Train on the first `count` batches the way users do."""
        rows, watch = count * self.size, Stopwatch(count - 1)
        x = {name: column[:rows] for name, column in self.x.items()} if isinstance(self.x, dict) else self.x[:rows]
        start = time.perf_counter()
        model.fit(x, self.y[:rows], batch_size=self.size, shuffle=False, verbose=0, callbacks=[watch])
        return Fit(watch.steps, watch.processor, time.perf_counter() - start - watch.steps)


def take_turns(
    models: Mapping[str, keras.Model],
    data: Batches | Mapping[str, Batches],
    rounds: int,
    say: Callable[[str], None],
) -> dict[str, Times]:
    """Warm every model up, then time all once a round, in an order drawn anew: a busy machine slows all alike.

    Args:
        models: By name.
        data: What all train on, or each one's by name, of one number of batches.
        rounds: Turns of each model.
        say: Is told how it goes.
    """
    own = data if isinstance(data, Mapping) else dict.fromkeys(models, data)
    first, count = {}, next(iter(own.values())).count
    for name, model in models.items():
        warm = own[name].fit(model, 1)
        first[name] = warm.steps + warm.beside
        say(f"  {name}: first step {first[name]:.1f} s")
        own[name].fit(model, min(2, count))  # a state that came out of a step may be compiled once more
    fits: dict[str, list[Fit]] = {name: [] for name in models}
    order = np.random.default_rng(0)
    for done in range(rounds):
        for name in map(str, order.permutation(list(models))):
            fits[name].append(own[name].fit(models[name], count))
        said = (f"{name} {1e3 * taken[-1].steps / count:.1f} ms" for name, taken in fits.items())
        say(f"  round {done + 1}/{rounds}: {', '.join(said)}")
    return {name: _times(taken, count, first[name]) for name, taken in fits.items()}


def _times(fits: Sequence[Fit], count: int, first: float) -> Times:
    steps, processor = ([getattr(fit, name) / count for fit in fits] for name in ("steps", "processor"))
    return Times(steps, processor, [fit.beside for fit in fits], first)


def quotient(times: Mapping[str, Times], above: str, below: Sequence[str]) -> Ratio:
    """Divide one model's step by the sum of others' steps."""
    by_round = np.array(times[above].steps) / np.sum([times[name].steps for name in below], axis=0)
    processor = np.array(times[above].processor) / np.sum([times[name].processor for name in below], axis=0)
    low, middle, high = (float(value) for value in np.percentile(by_round, [25, 50, 75]))
    minima = min(times[above].steps) / sum(min(times[name].steps) for name in below)
    return Ratio(middle, (low, high), minima, float(np.median(processor)))


def bar(what: str, value: float, limit: float, sign: str = "<=") -> dict[str, Any]:
    """Return one entry of the list `bars`."""
    value, limit = round(value, 3), round(limit, 3)
    holds = value < limit if sign == "<" else value <= limit
    return {"what": what, "value": value, "limit": f"{sign} {limit:g}", "holds": holds}


def machine() -> dict[str, Any]:
    """What a result was measured with."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "backend": keras.backend.backend(),
        "device": device(),
        "cores_allowed": cores,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "versions": versions(),
        "commit": git_commit(),
    }
