"""Measures the scoring service against the scorer in a process: p99 at half of what it can do, and twice that load.

KERAS_BACKEND=jax python benchmarks/serving_http.py [--seconds 6] [--rounds 5]

200 candidates a request, one thread; the service and the load are processes of their own on loopback, each on a core of
its own where the system can do that. A round measures, in turn, the scorer, the service, and a server that waits busily
as long as the scorer takes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from serving import CANDIDATES, bar, scorer_net

from rocket_keras import Scorer, export_light

DEADLINE_MS = 50.0
LOAD, FLOOR = (Path(__file__).with_name(f"http_{name}.py") for name in ("load", "floor"))
WARM_UP = 0.2
"""Share of each measurement that does not count."""
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    light, encoder, once, catalogue, picked = scorer_net(50)
    requests = [(user, [catalogue[place] for place in places]) for user, places in picked]
    with tempfile.TemporaryDirectory() as folder:
        file = export_light(light, Path(folder) / "light.onnx", encoder=encoder, once=once)
        bodies = Path(folder) / "bodies.json"
        bodies.write_text(json.dumps([{"user": user, "candidates": rows} for user, rows in requests]))
        options = ["--port", "0", "--deadline-ms", str(DEADLINE_MS), "--no-watch"]
        service = started([sys.executable, "-m", "rocket_keras_start", "serve", str(file), *options])
        busy_ms = float(np.median(in_process(Scorer(file), requests, 1.0)))
        floor = started([sys.executable, str(FLOOR), "0", "--busy-ms", str(busy_ms)])
        try:
            port = int(service.stdout.readline().split()[0].rpartition(":")[2])
            idle = int(floor.stdout.readline())
            for one in (port, idle):
                send(one, bodies, None, 2.0, 8)  # warms up
            full = send(port, bodies, None, arguments.seconds, 8)
            most = full["statuses"]["200"] / full["seconds"]
            rounds = taken_in_turn(
                Scorer(file), requests, {"http": port, "http, busy waiting": idle}, bodies, most / 2, arguments
            )
            before = memory_mb(service.pid)
            twice = send(port, bodies, 2 * most, arguments.seconds, 256)
            again = send(port, bodies, 2 * most, arguments.seconds, 256)
            after = memory_mb(service.pid)
            alive = send(port, bodies, 10.0, 1.0, 1)["statuses"] == {"200": 10}
        finally:
            floor.terminate()
            service.terminate()
            status = service.wait(timeout=60)
            floor.wait(timeout=60)
    p50, p99 = ({k: float(np.median([np.quantile(t, q) for t in v])) for k, v in rounds.items()} for q in (0.5, 0.99))
    most_ms = DEADLINE_MS + p99["in process"]
    late = max(float(np.quantile(one["since_sent_ms"], 0.999)) for one in (twice, again))
    others = {s for one in (twice, again) for s in one["statuses"]} - {"200", "503"}
    bars = [
        bar("HTTP p99 at half of the saturation / p99 in the process", p99["http"] / p99["in process"], 3.0),
        bar("p99.9 ms of the answered at twice the saturation, deadline and one request", late, most_ms),
        bar("resident memory after / before twice the saturation", after / before, 1.1),
        {"what": "answers at twice the saturation that are neither 200 nor 503", "value": len(others),
         "limit": "<= 0", "holds": not others},
        {"what": "alive afterwards, and ends with status 0", "value": int(alive and status == 0), "limit": ">= 1",
         "holds": alive and status == 0},
    ]  # fmt: skip
    for one in bars:
        print(f"{'holds ' if one['holds'] else 'MISSED'} {one['what']}: {one['value']} {one['limit']}", file=sys.stderr)
    told = {
        "saturation_per_s": most,
        "p50_ms": p50,
        "p99_ms": p99,
        "p99_ms_of_rounds": {name: [float(np.quantile(times, 0.99)) for times in one] for name, one in rounds.items()},
        "statuses_at_twice": [one["statuses"] for one in (twice, again)],
        "memory_mb": [before, after],
        "candidates": CANDIDATES,
    }
    print(json.dumps({"name": "serving_http", "backend": keras.backend.backend(), "bars": bars, **told}))


def taken_in_turn(
    scorer: Scorer, requests: list[Any], ports: dict[str, int], bodies: Path, rate: float, arguments: Any
) -> dict[str, list[list[float]]]:
    """The milliseconds of requests in the process and to each server, by round."""
    rounds: dict[str, list[list[float]]] = {"in process": [], **{name: [] for name in ports}}
    for _ in range(arguments.rounds):
        rounds["in process"].append(in_process(scorer, requests, arguments.seconds))
        for name, port in ports.items():
            rounds[name].append(counted(send(port, bodies, rate, arguments.seconds, 16)["since_due_ms"]))
    return rounds


def started(command: list[str]) -> "subprocess.Popen[str]":
    """Start a server on the first core."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    on_core(process.pid, 0)
    return process


def on_core(process: int, place: int) -> None:
    if len(CORES) > 1:
        os.sched_setaffinity(process, {CORES[place]})


def counted(times: list[float]) -> list[float]:
    return times[int(WARM_UP * len(times)) :]


def in_process(scorer: Scorer, requests: list[Any], seconds: float) -> list[float]:
    """The milliseconds of `Scorer.score`."""
    on_core(0, 0)
    times, end, number = [], time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        begin = time.perf_counter()
        scorer.score(*requests[number % len(requests)])
        times.append(1e3 * (time.perf_counter() - begin))
        number += 1
    return counted(times)


def send(port: int, bodies: Path, rate: float | None, seconds: float, connections: int) -> dict[str, Any]:
    command = [sys.executable, str(LOAD), str(port), str(bodies), "--seconds", str(seconds)]
    command += ["--connections", str(connections), *(["--rate", str(rate)] if rate else [])]
    on_core(0, -1)  # this process, and so the one that it starts
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def memory_mb(process: int) -> float:
    line = next(one for one in Path(f"/proc/{process}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
