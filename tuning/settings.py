"""What makes two calls the same search: a folder is gone on with by the same one alone."""

import dataclasses
from typing import Any

import keras_tuner

from tuning.budget import LatencyBudget
from tuning.exploring import explore
from tuning.hypermodel import LightHyperModel
from tuning.plain import fingerprint, plain
from tuning.rows import Rows
from tuning.training import Training
from tuning.unchanged import nets_of

DATA = ("entry", "dataset")
"""Further facts of a user that tell which data it is."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The arguments of a search that decide what a trial is, and which trials there are.

    How many there may be, and when the search gives up, is left out: a search may be gone on with for longer.

    Attributes:
        oracle, objective: Who proposes, and what is chosen by where the builder compiles its models.
        budget, headroom: What is asked of a measurement.
        training: How pairs are trained.
        train, validation: The rows.
        fit_options: For the `fit` of a user's HyperModel.
        told: Further facts of the user.
    """

    oracle: str
    objective: keras_tuner.Objective | None
    budget: LatencyBudget
    headroom: float
    training: Training
    train: Rows
    validation: Rows
    fit_options: dict[str, Any]
    told: dict[str, Any]

    def claimed(self, hypermodel: LightHyperModel) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return all as JSON values, flat, so that a difference is named precisely; and what the builder makes."""
        oracle = keras_tuner.oracles.RandomSearchOracle(keras_tuner.Objective("none", "max"), seed=1)
        explore(oracle, hypermodel)
        parts = {"train": self.train, "validation": self.validation}
        settings = {
            "oracle": self.oracle,
            "objective": str(self.objective) if self.objective else None,
            "budget": dataclasses.asdict(self.budget),
            "headroom": self.headroom,
            **self.training.describe(self.train),
            **{f"{name}_rows": len(rows) for name, rows in parts.items()},
            **{f"{name}_values": fingerprint(rows) for name, rows in parts.items()},
            **{f"fit {name}": plain(value) for name, value in self.fit_options.items()},
            **{name: self.told[name] for name in DATA if name in self.told},
            **_space(oracle),
        }
        return settings, nets_of(hypermodel, oracle.get_space(), self.training.seed)


def _space(oracle: Any) -> dict[str, Any]:
    """Return a space as Keras Tuner explores it, whatever an earlier search has added to it."""
    found: dict[str, Any] = {}
    for parameter in oracle.hyperparameters.space:
        config = {"kind": type(parameter).__name__, **parameter.get_config()}
        found.setdefault(f"space {parameter.name}", []).append(config)
    return found
