"""The last word on a winner: its ONNX file measured by a process that did nothing else before."""

import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras import Latency, measure_latency
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from tuning.measure import TRIES, Meter, write_untrained


def confirm(model: keras.Model, meter: Meter, seconds: float = 20.0) -> Latency | None:
    """Measure a net in a fresh process, at the whole budget, without headroom.

    While something else runs on the machine and the budget is not met, it is measured again, three times at most.

    Args:
        model: The net.
        meter: Has the budget and the rows.
        seconds: When to give up on a limit that is undecided.

    Returns:
        The latency, with its decision; None for a budget without a limit of time.

    Raises:
        ArithmeticError: The process failed.
    """
    budget = meter.budget
    if not budget.limits():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "light.onnx"
        write_untrained(model, path)
        feed: dict[str, Any] = onnx_feed(onnx_session(path, budget.threads), meter.requests_of(model))
        np.savez(Path(folder) / "rows.npz", **feed)
        settings = {"batch_size": budget.batch_size, "budget_ms": budget.limits(), "threads": budget.threads}
        for last in (False,) * (TRIES - 1) + (True,):
            latency = _measured(folder, json.dumps({**settings, "seconds": seconds}))
            if latency.decision == "within" or not latency.disturbed or last:
                break
        return latency


def _measured(folder: str, settings: str) -> Latency:
    command = [sys.executable, "-m", "tuning.confirm", folder, settings]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ArithmeticError(f"the winner could not be measured again: {' '.join(done.stderr.split())[-300:]}")
    return Latency(**json.loads(done.stdout.splitlines()[-1]))


def _main(folder: str, settings: str) -> None:
    rows: Any = dict(np.load(Path(folder) / "rows.npz"))
    latency = measure_latency(Path(folder) / "light.onnx", rows=rows, **json.loads(settings))
    print(json.dumps(dataclasses.asdict(latency)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
