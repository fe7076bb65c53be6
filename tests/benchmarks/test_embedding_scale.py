import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "embedding_scale.py"


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read from Linux's /proc")
def test_it_prints_one_line_of_ratios(tmp_path):
    # The script imports its neighbour timing.py, which Python's safe path would hide.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    size = ["--rows", "100000", "20000", "--plain", "--rounds", "1", "--batches", "2", "--batch-size", "8"]
    command = [sys.executable, str(SCRIPT), *size, "--json-only", "--out", str(tmp_path / "result.json")]
    environment = {**kept, "KERAS_BACKEND": keras.backend.backend()}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600)
    assert done.stdout == (tmp_path / "result.json").read_text(encoding="utf-8")
    record = json.loads(done.stdout)
    assert record["name"] == "embedding_scale"
    assert set(record["step_ms"]) == {"sparse 100000", "sparse 20000"}
    assert set(record["ratios"]) == {"sparse 20000 / sparse 100000"}
    assert set(record["memory_in_tables"]) == {"sparse 100000"}
