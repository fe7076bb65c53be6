"""What is installed, and what an import drags in."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("rocket_keras", "zoo", "tuning")
BACKENDS = ("jax", "tensorflow", "torch")
EXTRAS = ("keras_tuner", "matplotlib", "onnxruntime", "pandas", "sklearn", "typer")

under_tox = pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="the built wheel is installed under tox only")


def fresh_python(code: str, folder: Path) -> str:
    """What a new interpreter prints, away from the checkout."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(statement: str, folder: Path) -> set[str]:
    """Top-level modules that a new interpreter holds after the statement."""
    return set(
        fresh_python(f"{statement}; import sys; print(*{{n.partition('.')[0] for n in sys.modules}})", folder).split()
    )


def test_import_loads_one_backend_and_no_extra(tmp_path):
    ours, keras_alone = (loaded_by(f"import {name}", tmp_path) for name in ("rocket_keras", "keras"))
    assert ours.intersection(BACKENDS) == {keras.config.backend()}
    # Keras itself loads some of them where they are installed.
    assert ours.intersection(EXTRAS) <= keras_alone.intersection(EXTRAS)


def test_import_needs_no_extra(tmp_path):
    missing = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS}))"
    assert fresh_python(f"{missing}; import rocket_keras; print(rocket_keras.__name__)", tmp_path) == "rocket_keras\n"


def test_version_is_that_of_the_project():
    import rocket_keras

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert rocket_keras.__version__ == project["version"]


@under_tox
def test_metadata_has_the_version():
    import rocket_keras

    assert rocket_keras.__version__ == importlib.metadata.version("rocket-keras")


@under_tox
@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_is_under_test(package):
    origin = Path(importlib.util.find_spec(package).origin)
    assert origin.is_relative_to(sys.prefix)
    assert not origin.is_relative_to(ROOT / package)


@under_tox
@pytest.mark.parametrize("package", PACKAGES)
def test_types_are_published(package):
    assert f"{package}/py.typed" in {str(file) for file in importlib.metadata.files("rocket-keras")}


@under_tox
def test_every_module_is_in_the_wheel():
    checkout = {str(file.relative_to(ROOT)) for package in PACKAGES for file in (ROOT / package).rglob("*.py")}
    installed = {str(file) for file in importlib.metadata.files("rocket-keras") if file.suffix == ".py"}
    assert installed == checkout | {"rocket_keras_start.py"}


@under_tox
def test_one_backend_is_installed():
    installed = {name for name in BACKENDS if importlib.util.find_spec(name)}
    assert installed == {keras.config.backend()}
