"""Measures serving the light net 576-200-80-2: ONNX against bare BLAS, Scorer against a bare session, and our clock.

KERAS_BACKEND=jax python benchmarks/serving.py [--rounds 400]

All times are of one thread and 200 candidates, taken in turn; a ratio is that of the medians. The request over HTTP is
measured by benchmarks/serving_http.py.
"""

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
from timing import bar

import zoo
from rocket_keras import Scorer, export_light, measure_latency
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField
from rocket_keras.latency import measure
from rocket_keras.latency.quantiles import interval
from rocket_keras.onnx_runtime import onnx_session

CANDIDATES = 200
UNITS = (576, 200, 80, 2)
FIELDS, IDS, DIM = 16, 1000, 36
RESULTS = Path(__file__).parents[1] / "zoo" / "results" / "compare_ml1m.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    arguments = parser.parse_args()
    bars, told = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for part in (net_bars, scorer_bars):
            mine, facts = part(Path(folder), arguments.rounds)
            bars, told = [*bars, *mine], {**told, **facts}
    for part in (clock_bars, quality_bars):
        mine, facts = part()
        bars, told = [*bars, *mine], {**told, **facts}
    for one in bars:
        print(f"{'holds ' if one['holds'] else 'MISSED'} {one['what']}: {one['value']} {one['limit']}", file=sys.stderr)
    print(json.dumps({"name": "serving", "backend": keras.backend.backend(), "bars": bars, **told}))


def net_bars(folder: Path, rounds: int) -> tuple[list[Any], dict[str, Any]]:
    """ONNX Runtime on the dense net, as rows and shaped for requests, against NumPy's products of the same shapes."""
    half = UNITS[0] // 2
    inputs = {name: keras.Input((half,), name=name) for name in ("user", "item")}
    hidden = keras.layers.Concatenate()(list(inputs.values()))
    for width in UNITS[1:-1]:
        hidden = keras.layers.Dense(width, "relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(UNITS[-1])(hidden))
    rng = np.random.default_rng(0)
    item = rng.normal(size=(CANDIDATES, half)).astype("float32")
    user = np.repeat(rng.normal(size=(1, half)).astype("float32"), CANDIDATES, axis=0)
    sessions = {
        name: onnx_session(export_light(model, folder / f"{name}.onnx", once=once))
        for name, once in (("rows", ()), ("request", ("user",)))
    }
    feeds = {"rows": {"user": user, "item": item}, "request": {"user": user[:1], "item": item}}
    layers = [rng.normal(size=shape).astype("float32") for shape in pairwise(UNITS)]
    outs = [np.empty((CANDIDATES, width), "float32") for width in UNITS[1:]]
    whole = np.concatenate([user, item], axis=1)

    def blas(_: int) -> None:
        x = whole
        for kernel, out in zip(layers, outs, strict=True):
            x = np.matmul(x, kernel, out=out)

    takes: dict[str, Callable[[int], Any]] = {"blas": blas}
    for name, session in sessions.items():
        takes[name] = lambda _, session=session, feed=feeds[name]: session.run(None, feed)
    p50 = in_turn(takes, rounds)
    return [
        bar("ONNX p50 / bare BLAS products of the same shapes", p50["rows"] / p50["blas"], 1.0),
        bar("ONNX p50 shaped for requests, half of the input the user's / BLAS", p50["request"] / p50["blas"], 0.6),
    ], {"net_p50_ms": p50}


def scorer_bars(folder: Path, rounds: int) -> tuple[list[Any], dict[str, Any]]:
    """`Scorer.score` from raw values against the bare session on ready arrays: 16 columns of texts, half the user's.

    The session runs the whole net. The Scorer has met the candidates, but for those of "new"; these, and requests
    in JSON, are timed apart, because they leave little of the others' data in the processor's cache.
    """
    light, encoder, user_inputs, catalogue, requests = scorer_net(50)
    users = [user for user, _ in requests]
    p50, bars = {}, []
    for kind, once in (("rows", ()), ("request", user_inputs)):
        file = export_light(light, folder / f"scorer_{kind}.onnx", encoder=encoder, once=once)
        scorer, other, session = Scorer(file), Scorer(file), onnx_session(file)
        ready = [ready_arrays(encoder, user, [catalogue[i] for i in picked], once) for user, picked in requests]
        mappings = [[catalogue[place] for place in picked] for _, picked in requests]
        columns = [{name: [row[name] for row in rows] for name in rows[0]} for rows in mappings]
        bodies = [json.dumps({"user": u, "candidates": c}).encode() for u, c in zip(users, mappings, strict=True)]
        ads = scorer.read(catalogue)
        turns = range(rounds + rounds // 10)
        never = iter([[{**row, "item_15": f"new {turn}"} for row in mappings[turn % len(mappings)]] for turn in turns])
        takes = {
            "mappings": lambda i, scorer=scorer, mappings=mappings: scorer.score(users[i], mappings[i]),
            "columns": lambda i, scorer=scorer, columns=columns: scorer.score(users[i], columns[i]),
            "catalogue": lambda i, scorer=scorer, ads=ads: scorer.score(users[i], ads.take(requests[i][1])),
            "session": lambda i, session=session, ready=ready: session.run(None, ready[i]),
        }
        apart = {
            "json": lambda i, scorer=scorer, bodies=bodies: scorer.score_json(bodies[i]),
            "new": lambda i, scorer=other, never=never: scorer.score(users[i], next(never)),
        }
        p50[kind] = in_turn(takes, rounds, len(requests))
        for form, take in apart.items():
            p50[f"{kind} {form}"] = in_turn({form: take, "session": takes["session"]}, rounds, len(requests))
        words = {"rows": "", "request": ", shaped for requests"}[kind]
        for form, told in (("mappings", "raw values"), ("catalogue", "candidates read before")):
            ratio = p50[kind][form] / p50[kind]["session"]
            bars.append(bar(f"Scorer.score of {told} / bare session on ready arrays{words}", ratio, 1.25))
    return bars, {"scorer_p50_ms": p50}


def ready_arrays(encoder: Encoder, user: dict[str, str], picked: list[Any], once: Sequence[str]) -> dict[str, Any]:
    """The net's inputs of one request."""
    raw = {n: [value] * CANDIDATES for n, value in user.items()} | {n: [c[n] for c in picked] for n in picked[0]}
    return {k: v[:1] if k in once else v for k, v in encoder.encode(raw).items()}


def scorer_net(count: int) -> tuple[keras.Model, Encoder, tuple[str, ...], list[Any], list[Any]]:
    """A net of 576 columns looked up for 16 texts, half the user's: net, encoder, the user's inputs, 800 ads, requests.

    A request is a user and the places of 200 ads.
    """
    sides = ["user"] * (FIELDS // 2) + ["item"] * (FIELDS // 2)
    names = [f"{side}_{i}" for i, side in enumerate(sides)]
    values = tuple(f"value {i}" for i in range(IDS - 1))
    features = [zoo.Categorical(name, IDS, DIM, side) for name, side in zip(names, sides, strict=True)]
    light = zoo.ctr_pair(features, light_units=UNITS[1:3], booster_units=(8,)).light
    encoder = Encoder(tuple(IdField(n, n, values, side=side) for n, side in zip(names, sides, strict=True)))
    rng = np.random.default_rng(0)
    users, items = names[: FIELDS // 2], names[FIELDS // 2 :]
    catalogue = [{name: str(rng.choice(values)) for name in items} for _ in range(4 * CANDIDATES)]
    requests = [
        (
            {name: str(rng.choice(values)) for name in users},
            rng.choice(len(catalogue), CANDIDATES, False),
        )
        for _ in range(count)
    ]
    return light, encoder, tuple(users), catalogue, requests


def in_turn(takes: Mapping[str, Callable[[int], Any]], rounds: int, requests: int = 1) -> dict[str, float]:
    """The median milliseconds of each, one after the other in each round; the first tenth counts for nothing.

    Each is given another place among the requests, so that none finds in the cache what the one before has read.
    """
    times = np.empty((rounds + rounds // 10, len(takes)))
    for turn, row in enumerate(times):
        for place, take in enumerate(takes.values()):
            request = (turn + place * requests // len(takes)) % requests
            begin = time.perf_counter()
            take(request)
            row[place] = 1e3 * (time.perf_counter() - begin)
    return dict(zip(takes, map(float, np.median(times[rounds // 10 :], axis=0)), strict=True))


def clock_bars() -> tuple[list[Any], dict[str, Any]]:
    """Intervals on draws from a known distribution, the budget's decisions on them, and two measurements of a net."""
    rng, true_p99 = np.random.default_rng(0), float(np.exp(0.5 * 2.3263478740408408))
    covered, wrong = 0, 0
    for _ in range(100):
        times = np.exp(0.5 * rng.normal(size=1000))
        low, high = interval(times, 0.99)
        covered += low <= true_p99 and (high is None or true_p99 <= high)
        budget = true_p99 * float(rng.choice([0.8, 1.25]))
        draws = iter(lambda: float(np.exp(0.5 * rng.normal())), None)
        _, decision, _ = measure._enough(draws, 500, {0.99: budget}, 2.0)
        wrong += decision == ("over" if budget > true_p99 else "within")
    light = zoo.load_light("ml1m")
    p50 = [measure_latency(light, CANDIDATES, requests=2000).p50_ms for _ in range(2)]
    apart = abs(p50[1] / p50[0] - 1)
    return [
        {"what": "runs of 100 whose 95 % interval covers the true p99", "value": covered, "limit": ">= 93",
         "holds": covered >= 93},
        bar("runs of 100 that decide a budget 20 % away wrongly", wrong, 5),
        bar("share by which the p50 of two measurements of one net differ", apart, 0.1, "<"),
    ], {"two_p50_ms": p50}  # fmt: skip


def quality_bars() -> tuple[list[Any], dict[str, Any]]:
    """The committed comparison on MovieLens-1M: what the light net saves, and what it costs in GAUC."""
    methods = json.loads(RESULTS.read_text(encoding="utf-8"))["methods"]
    booster = methods["booster"]
    gauc = {name: float(np.mean([run["test"]["gauc"] for run in methods[name]["runs"]])) for name in methods}
    best = "relay"
    saved = booster["multiply_adds"] / methods[best]["multiply_adds"]
    behind = gauc["booster"] - gauc[best]
    return [
        {"what": "multiply-adds of the booster / of the light net, ml1m", "value": round(saved, 1), "limit": ">= 8",
         "holds": saved >= 8},
        bar(f"GAUC of the booster alone - of the light net ({best}), ml1m, mean of 3 seeds", behind, 0.002),
    ], {"gauc": {name: gauc[name] for name in ("base", "rocket", best, "booster")}}  # fmt: skip


if __name__ == "__main__":
    main()
