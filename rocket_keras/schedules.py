"""A hint weight over training steps.

A schedule is called with the number of training batches seen so far (a scalar integer tensor) and returns the weight
(a scalar float tensor). It runs inside the compiled step, so it speaks `keras.ops`.
"""

from typing import Any

import keras
from keras import ops


class Schedule:
    """Base class: subclasses write `__call__(step)` and `get_config`."""

    def __call__(self, step: Any) -> Any:
        """Return the weight at `step`, the number of training batches seen before this one."""
        raise TypeError(f"{type(self).__name__} must define __call__(step).")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        raise TypeError(f"{type(self).__name__} must define get_config().")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Schedule":
        """Rebuild the schedule from `get_config`."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="rocket_keras")
class Constant(Schedule):
    """The same weight at every step. A plain number given to `Rocket` means this."""

    def __init__(self, weight: float):
        self.weight = _weight("weight", weight)

    def __call__(self, step: Any) -> Any:
        """Return the weight."""
        return ops.convert_to_tensor(self.weight, "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"weight": self.weight}


@keras.saving.register_keras_serializable(package="rocket_keras")
class WarmUp(Schedule):
    """0 before the swap step, then the weight: the hint waits until the booster is worth following.

    Args:
        weight: Weight from `swap_step` on.
        swap_step: First step, counted in batches from 0, that has the weight.

    References:
        Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020, algorithm 1.
    """

    def __init__(self, weight: float, swap_step: int):
        self.weight, self.swap_step = _weight("weight", weight), _steps("swap_step", swap_step, 0)

    def __call__(self, step: Any) -> Any:
        """Return 0 or the weight."""
        return self.weight * ops.cast(step >= self.swap_step, "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"weight": self.weight, "swap_step": self.swap_step}


@keras.saving.register_keras_serializable(package="rocket_keras")
class Linear(Schedule):
    """A straight line from `start` to `end` over `steps` batches, then `end`."""

    def __init__(self, start: float, end: float, steps: int):
        self.start, self.end, self.steps = _weight("start", start), _weight("end", end), _steps("steps", steps, 1)

    def __call__(self, step: Any) -> Any:
        """Return the weight on the line."""
        done = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        return self.start + (self.end - self.start) * done

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"start": self.start, "end": self.end, "steps": self.steps}


@keras.saving.register_keras_serializable(package="rocket_keras")
class Switch(Schedule):
    """The weight `before` the swap step, `after` from it on.

    With privileged features distillation the label weight goes from 1 to 1 - λ as the hint's goes from 0 to λ.

    Args:
        before, after: Weights.
        swap_step: First step, counted in batches from 0, that has `after`.
    """

    def __init__(self, before: float, after: float, swap_step: int):
        self.before, self.after = _weight("before", before), _weight("after", after)
        self.swap_step = _steps("swap_step", swap_step, 0)

    def __call__(self, step: Any) -> Any:
        """Return one of the two weights."""
        return self.before + (self.after - self.before) * ops.cast(step >= self.swap_step, "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"before": self.before, "after": self.after, "swap_step": self.swap_step}


@keras.saving.register_keras_serializable(package="rocket_keras")
class Scaled(Schedule):
    """Another schedule times a factor."""

    def __init__(self, schedule: Schedule, factor: float):
        self.schedule, self.factor = schedule, _weight("factor", factor)

    def __call__(self, step: Any) -> Any:
        """Return the factor times the other schedule's weight."""
        return self.factor * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Scaled":
        """Rebuild the schedule from `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["factor"])


def as_schedule(weight: "float | Schedule") -> Schedule:
    """Return a schedule as it is, a number as `Constant`."""
    return weight if isinstance(weight, Schedule) else Constant(weight)


def _weight(name: str, value: float) -> float:
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number of at least 0. Received: {name}={value}.")
    return float(value)


def _steps(name: str, value: int, least: int) -> int:
    if value != int(value) or value < least:
        raise ValueError(f"{name} must be a whole number of batches, at least {least}. Received: {name}={value}.")
    return int(value)
