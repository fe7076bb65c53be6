"""Measures writing a zoo net as ONNX from its graph against Keras's exporter, in turn: seconds, and the files' p50.

KERAS_BACKEND=jax python benchmarks/onnx_export.py [--names ml1m,digits] [--rounds 5]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import zoo
from rocket_keras.export import made_up_rows
from rocket_keras.onnx_graph import write_onnx
from rocket_keras.onnx_runtime import onnx_feed, onnx_session

WARM_UP, REQUESTS = 30, 200


def traced(model: keras.Model, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(str(path), format="onnx", verbose=False)


WRITERS: dict[str, Callable[[keras.Model, Path], None]] = {"direct": write_onnx, "traced": traced}


def p50_ms(session: Any, feed: dict[str, np.ndarray], requests: int) -> float:
    times = []
    for _ in range(requests):
        begin = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def measure(name: str, rounds: int, folder: Path) -> dict[str, Any]:
    """The median ratios over the rounds, direct to traced, and the medians themselves."""
    model, batch = zoo.load_light(name), zoo.get_entry(name).recipe.serving_batch
    rows = made_up_rows(model, batch)
    model(keras.tree.map_structure(keras.ops.convert_to_tensor, rows))
    seconds: dict[str, list[float]] = {kind: [] for kind in WRITERS}
    p50: dict[str, list[float]] = {kind: [] for kind in WRITERS}
    for number in range(rounds + 1):  # the first round imports the exporter, and counts for nothing
        for kind, write in WRITERS.items():
            begin = time.perf_counter()
            write(model, folder / f"{kind}.onnx")
            if number:
                seconds[kind].append(time.perf_counter() - begin)
    sessions = {kind: onnx_session(folder / f"{kind}.onnx") for kind in WRITERS}
    feeds = {kind: onnx_feed(session, rows) for kind, session in sessions.items()}
    for number in range(rounds + 1):
        for kind, session in sessions.items():
            p50[kind].append(p50_ms(session, feeds[kind], REQUESTS if number else WARM_UP))
    p50 = {kind: times[1:] for kind, times in p50.items()}
    return {
        "seconds": {kind: statistics.median(times) for kind, times in seconds.items()},
        "p50_ms": {kind: statistics.median(times) for kind, times in p50.items()},
        "seconds_ratio": statistics.median(a / b for a, b in zip(seconds["direct"], seconds["traced"], strict=True)),
        "p50_ratio": statistics.median(a / b for a, b in zip(p50["direct"], p50["traced"], strict=True)),
        "batch_size": batch,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", default=",".join(zoo.list_entries(pretrained=True)), help="entries, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    measured, bars = {}, []
    for name in arguments.names.split(","):
        with tempfile.TemporaryDirectory() as folder:
            measured[name] = measure(name, arguments.rounds, Path(folder))
        print(name, json.dumps(measured[name]), file=sys.stderr)
        for what, limit in (("seconds_ratio", 0.1), ("p50_ratio", 1.05)):
            value = round(measured[name][what], 3)
            bars.append({"what": f"{name}: {what}", "value": value, "limit": f"<= {limit}", "holds": value <= limit})
    print(json.dumps({"name": "onnx_export", "backend": keras.backend.backend(), "bars": bars, "measured": measured}))


if __name__ == "__main__":
    main()
