"""Times Keras models in turn and compares them round by round; used by the step benchmarks."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


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
class Times:
    """What was measured of one model.

    Args:
        steps: Seconds a training step, one value a round.
        processor: Processor seconds a step, all threads, one value a round.
        first: Seconds of the first `fit`, over one batch: tracing, compiling and a step.
        single: Fewest seconds of a later `fit` over one batch: what a `fit` costs beside its steps is in it.
    """

    steps: list[float]
    processor: list[float]
    first: float
    single: float

    @property
    def median(self) -> float:
        """Seconds a step."""
        return float(np.median(self.steps))

    @property
    def overhead(self) -> float:
        """Seconds that a `fit` costs beside its steps, about; below the noise of a step it means nothing."""
        return self.single - min(self.steps)


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

    def fit(self, model: keras.Model, count: int) -> float:
        """Train on the first `count` batches the way users do; return the seconds of the whole `fit`."""
        rows = count * self.size
        x = {name: column[:rows] for name, column in self.x.items()} if isinstance(self.x, dict) else self.x[:rows]
        start = time.perf_counter()
        model.fit(x, self.y[:rows], batch_size=self.size, shuffle=False, verbose=0)
        return time.perf_counter() - start


def take_turns(
    models: Mapping[str, keras.Model], data: Batches, rounds: int, say: Callable[[str], None]
) -> dict[str, Times]:
    """Warm every model up, then time all of them once a round, in an order drawn anew: a busy machine slows all alike.

    `fit` ends with its metrics on the host, so the last step is over when the clock stops.
    """
    first, single = {}, {}
    for name, model in models.items():
        first[name] = data.fit(model, 1)
        say(f"  {name}: first step {first[name]:.1f} s")
        # The first of these is warm-up, too: a state that came out of a step may be compiled once more.
        single[name] = min(data.fit(model, 1) for _ in range(3))
    steps: dict[str, list[float]] = {name: [] for name in models}
    processor: dict[str, list[float]] = {name: [] for name in models}
    order = np.random.default_rng(0)
    for done in range(rounds):
        for name in map(str, order.permutation(list(models))):
            before = time.process_time()
            steps[name].append(data.fit(models[name], data.count) / data.count)
            processor[name].append((time.process_time() - before) / data.count)
        say(f"  round {done + 1}/{rounds}: " + ", ".join(f"{n} {1e3 * s[-1]:.1f} ms" for n, s in steps.items()))
    return {name: Times(steps[name], processor[name], first[name], single[name]) for name in models}


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
