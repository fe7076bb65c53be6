import importlib.metadata
import re
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_extra_names_what_keras_tuner_imports_undeclared():
    extra = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]["tuning"]
    declared = {re.split(r"[^\w-]", line)[0] for line in [*extra, *importlib.metadata.requires("keras-tuner")]}
    # `six` by its metrics, the other two by its Bayesian oracle.
    assert {"six", "scikit-learn", "scipy"} <= declared
