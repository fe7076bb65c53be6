"""Which points of a space may be trained: each is built untrained, exported and measured before."""

import dataclasses
import os
import platform
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.errors import FailedTrialError

from rocket_keras.architecture import digest
from tuning.exploring import reason_of
from tuning.hypermodel import LightHyperModel, served
from tuning.latency_model import LatencyModel
from tuning.measure import Measurement, Meter
from tuning.space import Values, active
from tuning.unchanged import REFUSED, describe_candidate

UNLIKELY = 0.05
"""Probability of meeting the budget below which a point is put aside, as long as there are others."""


@dataclasses.dataclass
class Look:
    """A measured point.

    Attributes:
        values: Values of the active hyperparameters.
        measurement: What it takes and weighs.
        measured_by: The machine and process that measured.
        nets: Hash of what the builder made; None in the folders of older versions.
    """

    values: Values
    measurement: Measurement
    measured_by: str
    nets: str | None = None

    @property
    def feasible(self) -> bool:
        """Whether the budget is met beyond doubt."""
        return self.measurement.decision == "within"

    @property
    def doubtful(self) -> bool:
        """Whether it was rejected while something else ran on the machine."""
        return not self.feasible and bool((self.measurement.latency or {}).get("disturbed"))


class Gate:
    """Measures points and learns from them.

    Args:
        hypermodel: Builds a point's net.
        meter: Measures it.
        told: Is called with each new look.

    Attributes:
        looks: By the frozen values of a point.
        model: What was learned of the shares of the budget that the headroom leaves.
    """

    def __init__(self, hypermodel: LightHyperModel, meter: Meter, told: Callable[[Look], None] = lambda look: None):
        self.hypermodel, self.meter, self.told = hypermodel, meter, told
        self.looks: dict[Any, Look] = {}
        self.model: LatencyModel | None = None

    def look(self, values: Values, space: Any) -> Look:
        """Return the measurement of a point, taken now if it was not before.

        Args:
            values: Values of the active hyperparameters; those that begin with `tuner/` are Keras Tuner's own.
            space: The `keras_tuner.HyperParameters` of the search.
        """
        point = shape_of(values)
        key = frozen(point)
        if key not in self.looks:
            hp = space.copy()
            hp.values = dict(values)
            try:
                candidate = self.hypermodel.candidate(hp)
                nets, found = digest(describe_candidate(candidate)), self.meter.measure(served(candidate))
            except FailedTrialError as error:
                nets, found = REFUSED, Measurement(decision="failed", why=reason_of(error))
            self.looks[key] = Look(point, found, f"{platform.node()}, process {os.getpid()}", nets)
            self.learn(space)
            self.told(self.looks[key])
        return self.looks[key]

    def known(self, values: Values) -> Look | None:
        """Return the measurement of a point if it was taken."""
        return self.looks.get(frozen(shape_of(values)))

    def learn(self, space: Any) -> None:
        """Fit the model of the shares to all looks that tell of the net, not of its neighbours."""
        model = LatencyModel([p for p in space.space if not p.name.startswith("tuner/")])
        known = [look for look in self.looks.values() if look.measurement.share > 0 and not look.doubtful]
        model.fit([look.values for look in known], [self.meter.strain(look.measurement) for look in known])
        self.model = model

    def feasible(self, points: list[Values]) -> Any:
        """Return the probabilities that the points meet the budget, `(points,)`; a measured one's is 0 or 1."""
        found = self.model.feasible(points) if self.model else [1.0] * len(points)
        known = [self.known(point) for point in points]
        return [p if look is None else float(look.feasible) for p, look in zip(found, known, strict=True)]

    def state(self) -> list[dict[str, Any]]:
        """Return the looks as plain JSON values."""
        return [dataclasses.asdict(look) for look in self.looks.values()]

    def restore(self, state: list[dict[str, Any]], space: Any) -> None:
        """Take the looks of `state`, but those that were rejected while something else ran: they deserve another."""
        for item in state:
            look = Look(item["values"], Measurement(**item["measurement"]), item["measured_by"], item.get("nets"))
            if not look.doubtful:
                self.looks[frozen(look.values)] = look
        self.learn(space)


def shape_of(values: Values) -> Values:
    """Leave Keras Tuner's own entries out, such as Hyperband's epochs: they do not change the net."""
    return {name: value for name, value in values.items() if not name.startswith("tuner/")}


def frozen(values: Values) -> Any:
    """Return the values as a key."""
    return tuple(sorted(values.items()))


def hyperparameters(oracle: keras_tuner.Oracle, values: Values) -> keras_tuner.HyperParameters:
    """Return a point of the oracle's space as builders take it."""
    hp = oracle.get_space()
    hp.values = dict(values)
    return hp


def defaults(space: keras_tuner.HyperParameters) -> Values:
    """Return the default point of a space."""
    point: Values = {}
    for parameter in space.space:
        if parameter.name not in point and active(parameter, point):
            point[parameter.name] = parameter.default
    return point
