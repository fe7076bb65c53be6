"""Measures the scoring service against the scorer in a process: p99 at half of what it can do, and twice that load.

KERAS_BACKEND=jax python benchmarks/serving_http.py [--seconds 8]

200 candidates a request, one thread; the service and the load are processes of their own on loopback.
"""

import argparse
import json
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
LOAD = Path(__file__).with_name("http_load.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    arguments = parser.parse_args()
    light, encoder, once, catalogue, picked = scorer_net(50)
    requests = [(user, [catalogue[place] for place in places]) for user, places in picked]
    with tempfile.TemporaryDirectory() as folder:
        file = export_light(light, Path(folder) / "light.onnx", encoder=encoder, once=once)
        bodies = Path(folder) / "bodies.json"
        bodies.write_text(json.dumps([{"user": user, "candidates": rows} for user, rows in requests]))
        inside = in_process(Scorer(file), requests, arguments.seconds)
        command = [sys.executable, "-m", "rocket_keras_start", "serve", str(file), "--port", "0"]
        command += ["--deadline-ms", str(DEADLINE_MS), "--no-watch"]
        service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            port = int(service.stdout.readline().split()[0].rpartition(":")[2])
            send(port, bodies, None, 2.0, 8)  # warms up
            full = send(port, bodies, None, arguments.seconds, 8)
            most = full["statuses"]["200"] / full["seconds"]
            half = send(port, bodies, most / 2, arguments.seconds, 64)
            before = memory_mb(service.pid)
            twice = send(port, bodies, 2 * most, arguments.seconds, 256)
            again = send(port, bodies, 2 * most, arguments.seconds, 256)
            after = memory_mb(service.pid)
            alive = send(port, bodies, 10.0, 1.0, 1)["statuses"] == {"200": 10}
        finally:
            service.terminate()
            status = service.wait(timeout=60)
    p99 = {"in process": inside, "http": float(np.quantile(half["since_due_ms"], 0.99))}
    late = max(float(np.quantile(one["since_sent_ms"], 0.999)) for one in (twice, again))
    others = {s for one in (twice, again) for s in one["statuses"]} - {"200", "503"}
    bars = [
        bar("HTTP p99 at half of the saturation / p99 in the process", p99["http"] / p99["in process"], 3.0),
        bar("p99.9 ms of the answered at twice the saturation, deadline and one request", late, DEADLINE_MS + inside),
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
        "p99_ms": p99,
        "http_p50_ms": float(np.median(half["since_due_ms"])),
        "statuses_at_twice": [one["statuses"] for one in (twice, again)],
        "memory_mb": [before, after],
        "candidates": CANDIDATES,
    }
    print(json.dumps({"name": "serving_http", "backend": keras.backend.backend(), "bars": bars, **told}))


def in_process(scorer: Scorer, requests: list[Any], seconds: float) -> float:
    """The p99 milliseconds of `Scorer.score`."""
    times, end, number = [], time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        begin = time.perf_counter()
        scorer.score(*requests[number % len(requests)])
        times.append(1e3 * (time.perf_counter() - begin))
        number += 1
    return float(np.quantile(times[len(times) // 10 :], 0.99))


def send(port: int, bodies: Path, rate: float | None, seconds: float, connections: int) -> dict[str, Any]:
    command = [sys.executable, str(LOAD), str(port), str(bodies), "--seconds", str(seconds)]
    command += ["--connections", str(connections), *(["--rate", str(rate)] if rate else [])]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def memory_mb(process: int) -> float:
    line = next(one for one in Path(f"/proc/{process}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
