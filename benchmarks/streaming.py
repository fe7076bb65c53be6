"""Measures whether a log read from disk keeps up with training, and whether memory stays flat as the log grows.

KERAS_BACKEND=jax python benchmarks/streaming.py [--case adsim criteo memory | all] [--rounds N] [--batches N]
    [--rows N ...] [--json-only] [--out FILE]

Feeding: a round trains a Rocket on batches in memory, reads a whole epoch from disk without training, and trains on
batches from disk, one after the other in one process; ratios are taken within a round and their median counts. The log
of adsim is Parquet with ids and numbers, that of Criteo the official text of 40 columns, the sample of
ROCKET_KERAS_DATA twenty times over. Memory: fresh processes read logs of more and more rows; what a process has at its
peak beyond what it had before it began to read is compared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet
from timing import Stopwatch, machine

import zoo
from rocket_keras import Rocket
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, KnownIdField, NumberField
from rocket_keras.graph import inputs_of
from rocket_keras.launch.provenance import versions
from rocket_keras.streaming import Log, Stream, learn_encoder, read_log
from zoo.data import adsim, criteo
from zoo.data.adsim_world import simulate

BATCH = 2048
FASTER = 3.0
GROWTH = 1.25
COPIES = 20


def adsim_log(folder: Path) -> tuple[Log, Any, str]:
    """The simulated log's 400,000 rows as eight Parquet files."""
    log = simulate()
    columns = {"click": log.clicks.astype(np.int8), **log.ids, **log.counters}
    for part, rows in enumerate(np.array_split(np.arange(len(log.clicks)), 8)):
        table = pa.table({name: column[rows] for name, column in columns.items()})
        pyarrow.parquet.write_table(table, folder / f"adsim-{part}.parquet", row_group_size=16_384)
    return read_log(folder), adsim.load(), "click"


def criteo_log(folder: Path) -> tuple[Log, Any, str]:
    """Criteo's official text, the sample many times over."""
    text = Path(criteo.as_log().files[0].path).read_bytes()
    text = text[: text.rfind(b"\n") + 1]
    with (folder / "criteo.txt").open("wb") as file:
        for _ in range(COPIES):
            file.write(text)
    return read_log(folder, columns=criteo.COLUMNS), criteo.load(), "label"


FEEDING = {"adsim": adsim_log, "criteo": criteo_log}


def compiled(data: Any) -> Rocket:
    keras.utils.set_random_seed(0)
    rocket = Rocket(zoo.ctr_pair(data.features), hint_weight=0.03)
    rocket.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    return rocket


def seconds(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def steps(rocket: Rocket, x: Any, y: Any, batches: int) -> float:
    """Seconds of the steps of a `fit`."""
    watch = Stopwatch(batches - 1)
    rocket.fit(x, y, batch_size=None if y is None else BATCH, shuffle=False, verbose=0, callbacks=[watch])
    return watch.steps


def feed(name: str, rounds: int, batches: int, say: Callable[[str], None]) -> tuple[list, dict]:
    """Time training from memory, reading alone and training from disk."""
    with tempfile.TemporaryDirectory() as folder:
        log, data, label = FEEDING[name](Path(folder))
        rocket, rows = compiled(data), batches * BATCH
        split = data.train.rows(np.arange(rows) % len(data.train))
        x = inputs_of(rocket.pair.joint, split.x)
        reading = Stream(log, data.encoder, label, BATCH, columns=tuple(x))
        feeding = Stream(log, data.encoder, label, BATCH, columns=tuple(x), batches=batches)
        found: dict[str, list[float]] = {"memory": [], "reading": [], "disk": []}
        steps(rocket, x, split.y, batches)
        steps(rocket, feeding, None, batches)
        for one in range(rounds):
            found["memory"].append(rows / steps(rocket, x, split.y, batches))
            reading.close()  # what was read ahead while training would come for nothing
            found["reading"].append(len(reading) * BATCH / seconds(lambda: sum(len(batch[1]) for batch in reading)))
            found["disk"].append(rows / steps(rocket, feeding, None, batches))
            told = ", ".join(f"{key} {values[-1]:,.0f}" for key, values in found.items())
            say(f"  {name}, round {one + 1}/{rounds}, rows a second: {told}")
        reading.close()
        feeding.close()
        size = log.bytes
    rate = {key: np.array(values) for key, values in found.items()}
    ratio, loss = np.median(rate["reading"] / rate["memory"]), np.median(rate["memory"] / rate["disk"])
    bars = [bar(f"{name}: rows a second read and encoded / trained on from memory", ratio, FASTER, ">=")]
    told = {key: round(float(np.median(values))) for key, values in rate.items()}
    spread = [round(float(value), 2) for value in rate["reading"] / rate["memory"]]
    figures = {
        "rows_a_second": told,
        "ratio_by_round": spread,
        "step_from_disk / step_from_memory": round(float(loss), 3),
        "columns": len(x),
        "log_rows": len(reading) * BATCH,
        "log_bytes": size,
        "rounds": rounds,
        "batches_a_round": batches,
    }
    return bars, figures


FIELDS = (
    IdField("user", "user", ()),
    IdField("ad", "ad", ()),
    KnownIdField("slot", "slot", 8),
    NumberField("price", "price", 0.0, 1.0),
)


def write_log(path: Path, rows: int) -> None:
    """A log of clicks of 100,000 users on 10,000 ads."""
    random, part = np.random.default_rng(0), 250_000
    schema = pa.schema([("click", pa.int8()), ("user", pa.string()), ("ad", pa.int32()), ("slot", pa.int8())])
    schema = schema.append(pa.field("price", pa.float32()))
    users = pa.array([f"user-{number:06d}" for number in range(100_000)])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for _ in range(rows // part):
            columns = [
                pa.array(random.integers(0, 2, part, np.int8)),
                users.take(pa.array(random.integers(0, 100_000, part))),
                pa.array(random.integers(0, 10_000, part, np.int32)),
                pa.array(random.integers(0, 8, part, np.int8)),
                pa.array(random.normal(0, 9, part).astype(np.float32)),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def resident(which: str) -> int:
    """Bytes of memory of this process: VmRSS, now, or VmHWM, at its peak. (A child's ru_maxrss has its parent's.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:"))


def measure(path: str, work: str) -> None:
    """In a fresh process: read a log once, by `work`; print rows, seconds and bytes."""
    log = read_log(path)
    encoder = Encoder((*[IdField(f.name, f.column, tuple(map(str, range(10)))) for f in FIELDS[:2]], *FIELDS[2:]))
    before, begin = resident("VmRSS"), time.perf_counter()
    if work == "learn":
        learn_encoder(log, FIELDS, min_count=2, label="click")
        rows = pyarrow.parquet.read_metadata(path).num_rows
    else:
        rows = sum(len(y) for _, y in Stream(log, encoder, "click", BATCH))
    took, beyond = time.perf_counter() - begin, resident("VmHWM") - before
    print(json.dumps({"rows": rows, "seconds": round(took, 2), "before": before, "beyond": beyond}))


def memory(sizes: list[int], say: Callable[[str], None]) -> tuple[list, dict]:
    """Measure what reading and learning take, for each size of the log."""
    figures: dict[str, Any] = {"stream": [], "learn": []}
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.parquet"
            write_log(path, rows)
            for work, told in figures.items():
                command = [sys.executable, __file__, "--measure", str(path), work]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                told.append({"log_rows": rows, **json.loads(done.stdout.splitlines()[-1])})
                mib, took = told[-1]["beyond"] / 2**20, told[-1]["seconds"]
                say(f"  memory, {work}, {rows:,} rows: {mib:.0f} MiB beyond the start, {took:.0f} s")
            path.unlink()
    bars = []
    for work, told in figures.items():
        growth = told[-1]["beyond"] / told[0]["beyond"]
        what = f"memory to {work} {sizes[-1]:,} rows / {sizes[0]:,} rows, each beyond the start"
        bars.append(bar(what, growth, GROWTH, "<="))
    return bars, figures


def bar(what: str, value: float, limit: float, sign: str) -> dict[str, Any]:
    value = round(float(value), 3)
    return {
        "what": what,
        "value": value,
        "limit": f"{sign} {limit:g}",
        "holds": (value - limit) * (1 if sign == ">=" else -1) >= 0,
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cases = [*FEEDING, "memory", "all"]
    parser.add_argument("--case", nargs="+", choices=cases, default=["all"])
    parser.add_argument("--rounds", type=int, default=5, help="turns of training and reading")
    parser.add_argument("--batches", type=int, default=20, help="steps of a training a round")
    parser.add_argument("--rows", type=int, nargs="+", default=[10**6, 10**7], help="sizes of the logs for memory")
    parser.add_argument("--json-only", action="store_true", help="print the closing line alone")
    parser.add_argument("--out", type=Path, help="write the closing line to this file, too")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parsed()
    if options.measure:
        measure(*options.measure)
        return
    say = (lambda text: None) if options.json_only else (lambda text: print(text, flush=True))
    chosen = [*FEEDING, "memory"] if "all" in options.case else options.case
    load, bars, found = os.getloadavg()[0], [], {}
    for name in chosen:
        if name == "memory":
            more, found[name] = memory(options.rows, say)
        else:
            more, found[name] = feed(name, options.rounds, options.batches, say)
        bars += more
    for item in bars:
        say(f"{item['value']:8.3f}  {item['limit']:>8}  {'holds' if item['holds'] else 'FALLS SHORT'}  {item['what']}")
    about = {
        "load_before": round(load, 2),
        **machine(),
        "versions": {**versions(), "pyarrow": pa.__version__},
    }
    line = json.dumps({"name": "streaming", "bars": bars, **about, "cases": found})
    if options.out:
        options.out.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
