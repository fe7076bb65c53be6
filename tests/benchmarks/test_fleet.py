import json
import os
import subprocess
import sys
from pathlib import Path

import keras

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "fleet.py"


def test_it_prints_one_line_whose_bar_follows_from_its_ratio(tmp_path):
    # The script imports its neighbour timing.py, which Python's safe path would hide.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    size = ["--lights", "2", "--rounds", "1", "--batches", "1", "--batch-size", "8"]
    command = [sys.executable, str(SCRIPT), *size, "--json-only", "--out", str(tmp_path / "result.json")]
    environment = {**kept, "KERAS_BACKEND": keras.backend.backend()}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600)
    assert done.stdout == (tmp_path / "result.json").read_text(encoding="utf-8")
    record = json.loads(done.stdout)
    assert record["name"] == "fleet"
    assert record["lights"] == 2
    (bar,) = record["bars"]
    assert bar["value"] == record["ratios"]["fleet / launch"]["median"]
    assert bar["holds"] == (bar["value"] <= float(bar["limit"].removeprefix("<= ")))
    assert set(record["step_ms"]) == {"fleet", "launch", "paper"}
