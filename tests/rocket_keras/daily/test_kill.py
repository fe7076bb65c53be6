"""A daily training that is killed again and again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
    h5py = pytest.importorskip("h5py")
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

    def weights(folder: Path) -> dict:
        found: dict = {}
        for path in sorted(folder.glob("state/after-*/*.weights.h5")):
            with h5py.File(path) as file:
                file.visititems(
                    lambda name, item, path=path: (
                        found.update({f"{path.name}/{name}": item[()]}) if isinstance(item, h5py.Dataset) else None
                    )
                )
        return found

    one, two = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert one.keys() == two.keys()
    assert one
    for name, value in one.items():
        assert (value == two[name]).all(), name
    for path in (tmp_path / "whole" / "published").iterdir():
        assert path.read_bytes() == (tmp_path / "killed" / "published" / path.name).read_bytes()
