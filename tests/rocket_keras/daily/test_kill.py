"""A daily training that is killed again and again."""

import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from rocket_keras.daily import run_daily
from rocket_keras.streaming import read_log

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_days.py"))))
TRAINING = """
import sys
from pathlib import Path
import zoo
from rocket_keras.daily import Daily, run_daily
from rocket_keras.streaming import read_log
from zoo.data import drift

def make(encoder, sizes):
    features = zoo.features_of(encoder, 4, sizes)
    return zoo.ctr_pair(features, light_units=(8,), booster_units=(16, 8), embedding="sparse")

plan = Daily(method=sys.argv[3], batch_size=64, min_count=1, keep_days=2, margin=1.0, shuffle_rows=500)
run_daily(read_log(sys.argv[1]), drift.FIELDS, make, sys.argv[2], plan, told=lambda day: print(day["day"], flush=True))
"""


@pytest.mark.nightly
@pytest.mark.parametrize("method", ["rocket", "distilled"])
def test_kills_change_nothing(tmp_path, method):
    pytest.importorskip("pyarrow")
    from zoo.data import drift

    log = drift.write(tmp_path / "log", days=6, rows=1500)
    command = [sys.executable, "-c", TRAINING, str(log)]
    begun = time.monotonic()
    subprocess.run([*command, str(tmp_path / "whole"), method], check=True)
    whole, kills, draw = time.monotonic() - begun, 0, random.Random(method)
    for _ in range(60):
        process = subprocess.Popen([*command, str(tmp_path / "killed"), method])
        try:
            # A start takes a good part of it; what the kills interrupt is what comes after.
            assert process.wait(timeout=draw.uniform(0.2, 0.7) * whole) == 0
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    else:
        pytest.fail("it never came to its end")
    assert kills > 0

    made.assert_same(tmp_path / "whole", tmp_path / "killed")


GROWTH = """
import os, runpy, signal, sys
from pathlib import Path
from rocket_keras.layers import SparseEmbedding
from rocket_keras.streaming import read_log
from rocket_keras.daily import run_daily

made = runpy.run_path(sys.argv[3])
resize = SparseEmbedding.resize

def killed(layer, sizes, table):
    resize(layer, sizes, table)
    print(layer.rows, layer.table.shape[0], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

SparseEmbedding.resize = killed
run_daily(read_log(sys.argv[1]), made["FIELDS"], made["make"], sys.argv[2], made["GROWING"])
"""


def test_a_kill_in_the_middle_of_a_growth_changes_nothing(tmp_path):
    """Behind the exchange of the table, before that of the slots of its rows."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("onnxruntime")
    log, whole, folder = (tmp_path / name for name in ("log", "whole", "killed"))
    for day in (1, 2):
        made.write_day(log, day)

    def run(into, **options):
        return run_daily(read_log(log), made.FIELDS, made.make, into, made.GROWING, **options)

    def copy(record):
        if record["day"] == "1":
            shutil.copytree(whole, folder)

    uninterrupted = run(whole, told=copy)
    arguments = (str(log), str(folder), str(Path(__file__).with_name("made_up_days.py")))
    done = subprocess.run([sys.executable, "-c", GROWTH, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (folder / "days" / "2.json").exists()
    rows, grown = map(int, done.stdout.split())
    assert rows == grown > sum(uninterrupted[0]["table_rows"].values())
    resumed = run(folder)
    assert made.told(resumed) == made.told(uninterrupted)
    assert sum(resumed[1]["table_rows"].values()) == grown
    slots = [name for name, value in made.weights(folder).items() if value.shape == (grown, 1)]
    assert slots
    made.assert_same(whole, folder)
