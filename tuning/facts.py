"""What makes a search repeatable, for search.json."""

import dataclasses
from typing import Any

import keras

from rocket_keras.launch.provenance import device, git_commit, versions
from tuning.cache import machine
from tuning.gate import defaults
from tuning.oracles import WithinBudget
from tuning.settings import Settings

TRAINING = ("epochs", "batch_size", "metric", "light_to_shared", "fleet_size", "halving", "seed")


def facts_of(settings: Settings, guide: WithinBudget, seconds: dict[str, float]) -> dict[str, Any]:
    """Return budget, space, seeds, versions, device and seconds by part as JSON values, and the user's own facts."""
    training, looks = settings.training, guide.gate.looks.values()
    return {
        "oracle": settings.oracle,
        "budget": dataclasses.asdict(settings.budget),
        "headroom": settings.headroom,
        "seed": training.seed,
        "space": [parameter.get_config() for parameter in guide.hyperparameters.space],
        "defaults": defaults(guide.hyperparameters),
        "trials": len(guide.trials),
        "rejected": sum(look.measurement.decision in ("over", "undecided") for look in looks),
        "refused": sum(look.measurement.decision == "failed" for look in looks),
        "stopped": stopped(guide),
        "training": {name: getattr(training, name) for name in TRAINING},
        "rows": {"train": len(settings.train), "validation": len(settings.validation)},
        "foreign_measurements": len(guide.gate.meter.cache.foreign),
        "machine": machine(),
        "backend": keras.backend.backend(),
        "device": device(),
        "versions": versions(),
        "git_commit": git_commit(),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        **settings.told,
    }


def stopped(guide: WithinBudget) -> str:
    """Return why the search proposed no more."""
    return guide.gave_up or "all trials were made"
