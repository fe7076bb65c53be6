import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "streaming.py"


@pytest.mark.nightly
def test_it_prints_one_line_whose_bars_follow_from_its_figures(tmp_path):
    # The script imports its neighbour timing.py, which Python's safe path would hide.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    command = [sys.executable, str(SCRIPT), "--case", "memory", "--rows", "250000", "500000", "--json-only"]
    environment = {**kept, "KERAS_BACKEND": keras.backend.backend()}
    out = ["--out", str(tmp_path / "result.json")]
    done = subprocess.run([*command, *out], capture_output=True, text=True, env=environment, check=True, timeout=600)
    assert done.stdout == (tmp_path / "result.json").read_text(encoding="utf-8")
    record = json.loads(done.stdout)
    assert record["name"] == "streaming"
    for bar, work in zip(record["bars"], ("stream", "learn"), strict=True):
        small, large = record["cases"]["memory"][work]
        assert [small["log_rows"], large["log_rows"]] == [250_000, 500_000]
        assert large["rows"] > 490_000
        assert bar["value"] == round(large["beyond"] / small["beyond"], 3)
        assert bar["holds"] == (bar["value"] <= float(bar["limit"].removeprefix("<= ")))
