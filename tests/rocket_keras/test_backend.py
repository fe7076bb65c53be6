"""Which backend is chosen where the user has set nothing, written a keras.json, or set a variable."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from rocket_keras._backend import BACKENDS, choose_backend

# Stands for Keras: the first import says which backend Keras would take, and ends the process.
STUB = "import os\nprint(os.environ.get('KERAS_BACKEND'), flush=True)\nos._exit(0)\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home folder of a user who has set nothing."""
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def installed(monkeypatch):
    """A function that lets these backends be found, and no other."""

    def let(*names):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in names else None)

    return let


def write(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "keras.json").write_text(text)


@pytest.mark.parametrize("name", BACKENDS)
def test_where_nothing_is_set_the_installed_backend_is_chosen(home, installed, name):
    installed(name)
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == name


def test_of_several_it_is_keras_s_own_default_which_keras_writes_down_as_well(home, installed):
    installed("torch", "jax", "tensorflow")
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    installed("torch", "jax")
    os.environ["KERAS_BACKEND"] = ""
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "jax"


@pytest.mark.parametrize(
    "written",
    ['{"backend": "tensorflow"}', '{"backend": "theano"}', '{"backend": null}', "{}", "[1]", "no json", "\ud7ff"],
)
def test_a_keras_json_that_names_no_installed_backend_is_passed_over(home, installed, written):
    installed("torch")
    write(home / ".keras", written)
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "torch"


@pytest.mark.parametrize("folder", [".keras", "elsewhere"])
def test_a_keras_json_of_an_installed_backend_is_left_to_keras(home, installed, monkeypatch, folder):
    installed(*BACKENDS)
    write(home / folder, json.dumps({"backend": "torch"}))
    if folder == "elsewhere":
        write(home / ".keras", json.dumps({"backend": "theano"}))
        monkeypatch.setenv("KERAS_HOME", "~/elsewhere")  # Keras expands it
    choose_backend()
    assert "KERAS_BACKEND" not in os.environ


def test_a_variable_goes_before_a_keras_json(home, installed, monkeypatch):
    installed(*BACKENDS)
    write(home / ".keras", json.dumps({"backend": "torch"}))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_what_cannot_be_chosen_is_one_line_that_says_what_to_do(home, installed, monkeypatch):
    installed()
    with pytest.raises(ImportError) as error:
        choose_backend()
    assert str(error.value) == (
        "expected tensorflow, jax or torch, received a Python with no backend installed; "
        "install one with: pip install 'rocket-keras[jax,launch]'"
    )
    installed("torch", "jax")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(ImportError) as error:
        choose_backend()
    assert str(error.value) == (
        "expected an installed backend in KERAS_BACKEND, received 'tensorflow'; set it to one of: jax, torch"
    )


def python(code, folder, **variables):
    """Run code in an empty home folder where nothing is set; return (status, output, errors)."""
    kept = {name: value for name, value in os.environ.items() if name not in ("KERAS_BACKEND", "KERAS_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**kept, "HOME": str(folder), **variables},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


@pytest.mark.parametrize("module", ["rocket_keras", "zoo", "tuning", "zoo.entries", "tuning.run", "rocket_keras_start"])
def test_every_way_into_the_package_chooses_before_keras_is_imported(tmp_path, module):
    (tmp_path / "keras.py").write_text(STUB)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    call = "\nrocket_keras_start.main()" if module == "rocket_keras_start" else ""
    status, out, errors = python(f"import {module}{call}", tmp_path, PYTHONPATH=path)
    assert (status, out) == (0, keras.backend.backend()), errors


def test_where_keras_is_imported_already_its_backend_stays(tmp_path):
    (tmp_path / "keras.py").write_text("backend = 'of the user'\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    code = (
        "import contextlib, os, keras\n"
        "with contextlib.suppress(ImportError, AttributeError):\n    import rocket_keras\n"  # needs all of Keras
        "print('KERAS_BACKEND' in os.environ)"
    )
    assert python(code, tmp_path, PYTHONPATH=path)[:2] == (0, "False")


def test_keras_itself_comes_up_in_an_empty_home_folder(tmp_path):
    code = "import zoo\nimport keras\nprint(keras.backend.backend())"
    assert python(code, tmp_path)[:2] == (0, keras.backend.backend())
    assert Path(tmp_path, ".keras", "keras.json").exists()


def test_the_command_line_says_it_in_one_line_without_a_traceback(tmp_path):
    hide = "import importlib.util as u\nu.find_spec = lambda name: None\n"
    status, out, errors = python(f"{hide}from rocket_keras_start import main\nmain()", tmp_path)
    assert (status, out) == (2, "")
    assert errors.startswith("rocket-keras: expected tensorflow, jax or torch, received")
    assert len(errors.splitlines()) == 1
