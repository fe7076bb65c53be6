import io
import runpy
from pathlib import Path

import keras
import pytest
from rich.console import Console

import tuning
from tuning import LatencyBudget, LightHyperModel, Meter, Training

SMALL = runpy.run_path(str(Path(__file__).with_name("small_space.py")))
build, rows = SMALL["build"], SMALL["rows"]


@pytest.fixture
def data():
    return {"train": rows(256, 1), "validation": rows(200, 2)}


@pytest.fixture
def training():
    def make(**changes):
        settings = {
            "epochs": 2,
            "batch_size": 64,
            "metric": "auc",
            "optimizer": lambda steps: keras.optimizers.Adam(0.01),
        }
        return Training(**{**settings, **changes})

    return make


@pytest.fixture
def hypermodel():
    return LightHyperModel(build)


@pytest.fixture
def meter():
    """A meter whose budget is one of multiply-adds: it needs no clock."""
    return lambda limit: Meter(LatencyBudget(multiply_adds=limit))


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def find(data, training, tmp_path, console):
    """A function that searches the small space within a limit of multiply-adds; Hyperband counts its trials itself."""

    def search(limit=300, builder=build, budget=None, **options):
        given = {"training": training(), "folder": tmp_path / "search", "console": console, **data}
        if options.get("oracle") != "hyperband":
            given["max_trials"] = 4
        return tuning.search(builder, budget or LatencyBudget(multiply_adds=limit), **{**given, **options})

    return search


@pytest.fixture
def untrained(monkeypatch):
    """Let every epoch score 0.5 and train nothing, for tests of what happens around the training."""
    monkeypatch.setattr(tuning.training.Course, "epoch", lambda self, epoch: dict.fromkeys(self.left, 0.5))
