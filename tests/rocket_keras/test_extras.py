"""Where a package of an extra is missing, and where something unexpected happens, there is one line that says so."""

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras
import zoo
from rocket_keras import cli, extras
from rocket_keras.compare import Comparison, compare
from rocket_keras.launch import launch

ROOT = Path(rocket_keras.__file__).parents[1]
# No package of any extra but a backend's own is found; Keras brings rich.
WITHOUT = """
import importlib.machinery as m
missing = set({missing})
find = m.PathFinder.find_spec
m.PathFinder.find_spec = classmethod(
    lambda cls, name, path=None, target=None: None if name.split(".")[0] in missing else find(name, path, target)
)
"""
EXTRAS = ["typer", "sklearn", "matplotlib", "onnx", "onnxruntime", "keras_rs", "fastapi", "uvicorn"]
EXTRAS += ["prometheus_client", "keras_tuner", "pyarrow", "fsspec"]  # not SciPy: JAX brings it
WALK = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error, sep=": ")
import zoo
try:
    zoo.load("ml1m-dcnv2")
except Exception as error:
    print("zoo.load", type(error).__name__, error, sep=": ")
"""


def modules():
    """Every module of the three packages, but the files of other backends."""
    files = [file for name in ("rocket_keras", "zoo", "tuning") for file in (ROOT / name).rglob("*.py")]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return sorted(name for name in names if "train_step" not in name)


def test_without_any_extra_each_module_and_a_cross_net_end_well_or_in_one_line_that_names_the_extra(tmp_path):
    code = WITHOUT.format(missing=EXTRAS) + WALK
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", code, *modules()], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    install = "Install it with: pip install 'rocket-keras[{}]'"
    assert {name.split(".")[0] for name in lines} <= {"rocket_keras", "tuning", "zoo"}
    for name, line in lines.items():
        assert "Install it with: pip install 'rocket-keras[" in line, f"{name}: {line}"
    assert lines["rocket_keras.cli"] == f"This needs typer. {install.format('launch')}"
    assert lines["rocket_keras.cli.bench"] == lines["rocket_keras.cli"]
    assert lines["tuning.run"] == f"This needs keras_tuner. {install.format('tuning')}"
    assert lines["rocket_keras.service.app"] == f"This needs fastapi. {install.format('serve')}"
    assert lines["rocket_keras.streaming"] == f"This needs pyarrow. {install.format('data')}"
    assert lines["zoo.load"] == f"ImportError: This needs keras_rs. {install.format('launch')}"
    assert not {"rocket_keras", "rocket_keras.compare", "rocket_keras.launch", "zoo", "zoo.entries"} & lines.keys()


@pytest.fixture
def without(monkeypatch):
    """A function that lets these packages be missing."""

    def hide(*missing):
        real = extras.importlib.import_module

        def load(name, package=None):
            if name.split(".")[0] in missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return real(name, package)

        monkeypatch.setattr(extras.importlib, "import_module", load)

    return hide


def test_a_saved_cross_net_needs_keras_rs_and_says_so(without, tmp_path):
    pytest.importorskip("keras_rs")
    pair = zoo.ctr_pair(
        [zoo.Categorical("a", 9), zoo.Numeric("n")], booster="dcnv2", booster_units=(4,), light_units=(4,)
    )
    rows = {"a": np.array([1, 2]), "n": np.array([0.5, 1.0], "float32")}
    before = pair.booster.predict(rows, verbose=0)
    pair.booster.save(tmp_path / "booster.keras")
    again = keras.models.load_model(tmp_path / "booster.keras")
    np.testing.assert_array_equal(again.predict(rows, verbose=0), before)
    without("keras_rs")
    with pytest.raises(
        ImportError, match=r"^This needs keras_rs\. Install it with: pip install 'rocket-keras\[launch\]'$"
    ):
        keras.models.load_model(tmp_path / "booster.keras")


@pytest.mark.parametrize("package", ["matplotlib", "onnxruntime", "onnx", "scipy"])
def test_what_a_launch_and_a_comparison_need_at_their_end_is_said_before_they_train(without, tmp_path, package):
    without(package)
    comparison = Comparison(make_plan=None, root=tmp_path / "compare", methods=(), seeds=(0,))
    for call in (lambda: launch(None, tmp_path / "launch"), lambda: compare(comparison, None)):
        with pytest.raises(ImportError, match=rf"^This needs {package}\b.* pip install 'rocket-keras\[launch\]'$"):
            call()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def failing(monkeypatch, command_line):
    """A function that runs a command which raises the error, and returns the status and the line."""

    def run(error):
        def fail(pretrained=None):
            raise error

        monkeypatch.setattr(zoo, "list_entries", fail)
        status, out, err = command_line("zoo", "list")
        assert out == ""
        assert len(err.splitlines()) == 1
        return status, err.strip()

    return run


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("results"), "unexpected KeyError: results at rocket_keras/cli/zoo.py, line "),
        (KeyError(), "unexpected KeyError:"),
        (
            IndexError("list index out of range"),
            "unexpected IndexError: list index out of range at rocket_keras/cli/zoo.py",
        ),
        (csv.Error("line contains NUL"), "unexpected Error: line contains NUL at "),
        (TypeError("ufunc 'isnan'\nnot supported"), "unexpected TypeError: ufunc 'isnan' not supported at "),
        (NotImplementedError("extension"), "unexpected NotImplementedError: extension at "),
        (
            KeyError("expected one of ['day'], received 'hour'"),
            "rocket-keras: expected one of ['day'], received 'hour'",
        ),
        (ValueError("expected rows,\nreceived none"), "rocket-keras: expected rows, received none"),
    ],
)
def test_whatever_goes_wrong_at_the_command_line_is_one_line(failing, monkeypatch, error, line):
    monkeypatch.delenv("ROCKET_KERAS_TRACEBACK", raising=False)
    status, text = failing(error)
    assert status == 2
    assert text.startswith("rocket-keras: ")
    assert line in text
    assert ("ROCKET_KERAS_TRACEBACK=1" in text) == ("unexpected" in line)


def test_a_long_foreign_message_is_shortened(failing, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_TRACEBACK", raising=False)
    assert len(failing(TypeError("config " * 1000))[1]) < cli.LONGEST + 200


def test_the_traceback_is_there_for_whoever_asks(monkeypatch):
    def fail(pretrained=None):
        raise IndexError("list index out of range")

    monkeypatch.setattr(zoo, "list_entries", fail)
    monkeypatch.setenv("ROCKET_KERAS_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["rocket-keras", "zoo", "list"])
    with pytest.raises(IndexError, match="out of range"):
        cli.main()


def test_an_import_does_not_move_the_random_stream(tmp_path, monkeypatch):
    (tmp_path / "draws_at_import.py").write_text("import random\nDRAWN = random.random()\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = random.getstate()
    assert 0 <= extras.require("draws_at_import", "launch").DRAWN < 1
    assert random.getstate() == before
    del sys.modules["draws_at_import"]


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"needs no_such_package\..*'rocket-keras\[data\]'"):
        extras.require("no_such_package", "data")
