"""A Keras Tuner space as plain values and as vectors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np

Values = dict[str, Any]
"""Values of the active hyperparameters by name, as in `keras_tuner.HyperParameters.values`."""


def all_values(space: Iterable[Any], limit: int = 20_000) -> list[Values] | None:
    """List every point of a finite space, inactive hyperparameters left out.

    Args:
        space: `keras_tuner.HyperParameters.space`.
        limit: Points above which the space counts as infinite.

    Returns:
        The points, or None where there are more than `limit`, or a number has no step.
    """
    points: list[Values] = [{}]
    for parameter in space:
        choices = _choices(parameter)
        if choices is None:
            return None
        grown: list[Values] = []
        for point in points:
            if parameter.name not in point and active(parameter, point):
                grown.extend({**point, parameter.name: value} for value in choices)
            else:
                grown.append(point)
        if len(grown) > limit:
            return None
        points = grown
    return points


def active(parameter: Any, point: Mapping[str, Any]) -> bool:
    """Return whether the conditions of a hyperparameter hold at a point."""
    return all(c.name in point and point[c.name] in c.values for c in parameter.conditions)


def smallest_and_largest(space: Iterable[Any]) -> list[Values]:
    """Return the points where every number is at its least, and at its most; words and switches at their defaults."""
    ends: list[Values] = []
    for last in (False, True):
        point: Values = {}
        for parameter in space:
            if parameter.name not in point and active(parameter, point):
                scale = _scale(parameter)
                point[parameter.name] = scale[1 if last else 0] if scale else parameter.default
        ends.append(point)
    return ends if ends[0] != ends[1] else ends[:1]


def _choices(parameter: Any) -> list[Any] | None:
    if isinstance(parameter, keras_tuner.engine.hyperparameters.Fixed):
        return [parameter.value]
    if isinstance(parameter, keras_tuner.engine.hyperparameters.Boolean):
        return [False, True]
    if isinstance(parameter, keras_tuner.engine.hyperparameters.Choice):
        return list(parameter.values)
    if parameter.step is None or parameter.sampling not in (None, "linear"):
        return None
    return list(parameter.values)


def _scale(parameter: Any) -> tuple[Any, Any] | None:
    """Return the least and the most of a number; None for words, switches and what is fixed."""
    if isinstance(parameter, keras_tuner.engine.hyperparameters.Choice):
        values = list(parameter.values)
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        return (min(values), max(values)) if numbers else None
    if hasattr(parameter, "min_value"):
        return parameter.min_value, parameter.max_value
    return None


class Encoding:
    """Points of a space as vectors in which more is never faster: a column a number, from 0 to 1, and one a word.

    An inactive hyperparameter is 0, as if its layer had no width. A number that may not be negative keeps its zero, so
    that the product of two columns is proportional to that of two widths.

    Args:
        space: `keras_tuner.HyperParameters.space`.
    """

    def __init__(self, space: Sequence[Any]):
        self.columns: list[tuple[str, Any]] = []
        for parameter in space:
            if isinstance(parameter, keras_tuner.engine.hyperparameters.Fixed):
                continue
            scale = _scale(parameter)
            if scale is None:
                words = [True] if hasattr(parameter, "default") and isinstance(parameter.default, bool) else None
                self.columns += [(parameter.name, (word,)) for word in words or parameter.values]
            else:
                self.columns.append((parameter.name, scale))

    def vectors(self, points: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return `(points, columns)`."""
        return np.array([[self._entry(point, *column) for column in self.columns] for point in points], "float64")

    @staticmethod
    def _entry(point: Mapping[str, Any], name: str, column: Any) -> float:
        if name not in point:
            return 0.0
        if len(column) == 1:
            return float(point[name] == column[0])
        low, high = column
        zero = min(low, 0)
        return (point[name] - zero) / ((high - zero) or 1)
