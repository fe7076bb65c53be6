"""Runs the scripts of examples/ as they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))

pytestmark = pytest.mark.docs


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(script, tmp_path, nothing_set):
    if "ROCKET_KERAS_DATA" in script.read_text(encoding="utf-8") and not os.environ.get("ROCKET_KERAS_DATA"):
        pytest.skip("ROCKET_KERAS_DATA is not set: there is no data to read")
    done = subprocess.run([sys.executable, str(script)], cwd=tmp_path, env=nothing_set, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "light_accuracy" in done.stdout
