import json
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_log.py"))))
SCRIPT = Path(__file__).with_name("killed_training.py")


def run(log, folder, *kill_at):
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, SCRIPT, log, folder, *kill_at], capture_output=True, text=True, timeout=300, check=False
    )
    wanted = -signal.SIGKILL if kill_at else 0
    assert done.returncode == wanted, done.stderr[-3000:]


def test_a_training_killed_at_any_moment_ends_as_if_it_had_not_been(tmp_path):
    """Killed in the middle of an epoch, then in the middle of a save; a run of two epochs of 40 batches."""
    random = np.random.default_rng(0)
    for place, rows in enumerate((170, 30, 205)):
        columns = {
            "click": random.integers(0, 2, rows),
            "row": random.integers(0, 1000, rows),
            "price": random.normal(size=rows),
        }
        made.write(tmp_path / f"log/part-{place}.csv.gz", columns)
    run(tmp_path / "log", tmp_path / "whole")
    folder = tmp_path / "killed"
    run(tmp_path / "log", folder, "17")
    state = json.loads((folder / "state.json").read_text())["stream"]
    assert (state["epoch"], state["batch"]) == (0, 14)
    run(tmp_path / "log", folder, "saving")
    state = json.loads((folder / "state.json").read_text())["stream"]
    assert (state["epoch"], state["batch"]) == (0, 21)
    run(tmp_path / "log", folder)
    whole, killed = np.load(tmp_path / "whole/end.npz"), np.load(folder / "end.npz")
    assert len(whole.files) == len(killed.files) > 5
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], killed[name])
