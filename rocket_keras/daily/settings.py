"""What a daily training needs to know."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import keras

from rocket_keras.row_optimizers import Adagrad, RowOptimizer
from rocket_keras.streaming import Tolerance

METHODS = ("rocket", "base", "distilled")
METRICS = {"auc": 1, "gauc": 1, "log_loss": -1}
"""What a light net may be judged by; 1 where more is better."""
CHANGEABLE = ("tolerance", "keep_files")
"""Settings that two calls with one folder may differ in."""


def _adam() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(1e-3)


@dataclass(frozen=True)
class Daily:
    """Settings of a daily training.

    Args:
        method: "rocket": light net and booster in one training. "base": the light net alone. "distilled": first the
            booster alone, then the light net from the booster's soft targets, day by day (Hinton et al. 2015).
        label: Raw column of the clicks, 0 or 1.
        group: Raw column of the users, for GAUC; None: no GAUC.
        by: The part of the files' paths that names the day, as in `day=07/part-0.parquet`.
        batch_size: Rows a batch.
        epochs: How often each day is read.
        min_count: Rows of one day that a new value needs to get an id of its own.
        keep_days: Days after which an id that was not seen gives its row to a new one; None: never.
        headroom: Share of rows that tables get beyond what is needed, so that they do not grow every day.
        held_out: Share of a day's rows that is never trained on: the light nets are judged on these.
        metric: What they are judged by: "auc", "gauc" or "log_loss".
        margin: By how much the new light net may be worse than the published one.
        tolerance: How many rows of a day need not parse; all passes leave the same ones out. Those of a day are written
            to `bad/DAY.jsonl` in the training's folder, if it names no quarantine. It may change between two calls.
        keep_files: Last days whose exported nets are kept, beside the one that serves; None: all. It may change, too.
        shuffle_rows: As in `rocket_keras.streaming.Stream`.
        hint_weight, light_to_shared: As in `Rocket`, for "rocket".
        temperature: Of the soft targets, for "distilled".
        optimizer: Makes the optimizer of the dense layers.
        row_optimizer: Makes the optimizer of the tables.
        seed: Seed of initial weights and of the order of rows.

    Raises:
        ValueError: A setting that is none of these. One line.
    """

    method: str = "rocket"
    label: str = "click"
    group: str | None = None
    by: str = "day"
    batch_size: int = 1024
    epochs: int = 1
    min_count: int = 2
    keep_days: int | None = None
    headroom: float = 0.25
    held_out: float = 0.05
    metric: str = "auc"
    margin: float = 0.002
    tolerance: Tolerance = field(default_factory=Tolerance)
    keep_files: int | None = None
    shuffle_rows: int = 131_072
    hint_weight: float = 1.0
    light_to_shared: bool = False
    temperature: float = 2.0
    optimizer: Callable[[], keras.optimizers.Optimizer] = _adam
    row_optimizer: Callable[[], RowOptimizer] = Adagrad
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("method", METHODS), ("metric", tuple(METRICS))):
            if getattr(self, name) not in choices:
                raise ValueError(f"expected `{name}` to be one of {choices}, received {getattr(self, name)!r}")
        if self.metric == "gauc" and self.group is None:
            raise ValueError("expected `group` beside metric 'gauc', received None; name the column of users")
        least = {"batch_size": 1, "epochs": 1, "min_count": 1, "headroom": 0, "margin": 0}
        for name, value in least.items():
            if not getattr(self, name) >= value:
                raise ValueError(f"expected `{name}` of at least {value}, received {getattr(self, name)!r}")
        if not 0 < self.held_out < 1:
            raise ValueError(f"expected `held_out` between 0 and 1, received {self.held_out}; give a share of the rows")
        for name in ("keep_days", "keep_files"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"expected `{name}` of at least 1 or None, received {value}")

    def told(self) -> dict[str, Any]:
        """The settings that the nets depend on as JSON values: a folder belongs to runs of the same."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in CHANGEABLE}
        for name in ("optimizer", "row_optimizer"):
            made = keras.saving.serialize_keras_object(values[name]())
            # Keras counts the optimizers of a process in their names.
            values[name] = {"class": made["class_name"], **made["config"], "name": None}
        return values
