import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "step_time.py"


def run(*options):
    # The script imports its neighbour timing.py, which Python's safe path would hide.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    environment = {**kept, "KERAS_BACKEND": keras.backend.backend()}
    command = [sys.executable, str(SCRIPT), "--rounds", "1", "--batches", "1", "--batch-size", "8", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600).stdout


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    out = tmp_path_factory.mktemp("step_time") / "result.json"
    return run("--case", "ctr", "--json-only", "--out", str(out)), out.read_text(encoding="utf-8")


def test_it_prints_one_line_and_out_holds_the_same(outputs):
    printed, written = outputs
    assert printed == written
    assert json.loads(printed)["name"] == "step_time"


def test_each_bar_follows_from_the_ratio_beside_it(outputs):
    record = json.loads(outputs[1])
    ratios = [ratio["median"] for ratio in record["cases"]["ctr"]["ratios"].values()]
    assert [bar["value"] for bar in record["bars"]] == ratios
    for bar in record["bars"]:
        sign, limit = bar["limit"].split()
        assert bar["holds"] == (bar["value"] < float(limit) if sign == "<" else bar["value"] <= float(limit))


def test_every_model_was_timed(outputs):
    case = json.loads(outputs[1])["cases"]["ctr"]
    assert all(value > 0 for value in case["step_ms"].values())
    assert set(case["step_ms"]) == {"light", "booster", "rocket", "rocket_apart", "by_hand", "distiller"}
