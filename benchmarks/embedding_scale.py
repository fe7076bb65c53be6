"""Measures how the step of a launch, and its memory, grow with the rows of its embedding table; beside plain Keras.

KERAS_BACKEND=jax python benchmarks/embedding_scale.py [--rows N ...] [--plain N ...] [--rounds N] [--batches N]
    [--batch-size N] [--json-only] [--out FILE]

A light net 64-32 and a booster 200-80 over 20 fields of dimension 16, in one table: small nets, so that the step is
mostly the table's. Ids are drawn uniformly from all rows, the worst case for memory caches. `sparse` is
`rk.layers.SparseEmbedding` with row-wise Adagrad, `plain` the same pair over `keras.layers.Embedding` with Keras's
Adagrad. All are built in one process and timed in turn inside `fit`; a ratio is taken within each round, and its median
over the rounds counts. Memory is the peak of resident memory of fresh processes, above that of one with 10^4 rows:
while a net trains, and with the building of it.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from timing import Batches, bar, machine, quotient, take_turns

import rocket_keras as rk

FIELDS, DIM = 20, 16
LIGHT, BOOSTER = (64, 32), (200, 80)
SMALL, LARGE = 10**5, 10**7
LEAST = 10**4


def build(kind: str, rows: int) -> rk.Rocket:
    """Return a compiled Rocket over a table of that many rows."""
    columns = {f"f{i}": keras.Input((), dtype="int32", name=f"f{i}") for i in range(FIELDS)}
    if kind == "sparse":
        features = rk.layers.SparseEmbedding([rows // FIELDS] * FIELDS, DIM)(list(columns.values()))
    else:
        places = keras.ops.stack(list(columns.values()), axis=1) + np.arange(FIELDS, dtype="int32") * (rows // FIELDS)
        features = keras.layers.Flatten()(keras.layers.Embedding(rows, DIM)(places))
    nets = []
    for widths in (LIGHT, BOOSTER):
        x = features
        for width in widths:
            x = keras.layers.Dense(width, activation="relu")(x)
        nets.append(keras.Model(columns, keras.layers.Dense(1)(x)))
    rocket = rk.Rocket(rk.Pair(*nets))
    row_optimizer = rk.row_optimizers.Adagrad(0.05) if kind == "sparse" else None
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    rocket.compile(keras.optimizers.Adagrad(0.05), loss, row_optimizer=row_optimizer)
    return rocket


def drawn(rows: int, size: int, count: int) -> Batches:
    """Draw ids from all rows."""
    rng = np.random.default_rng(0)
    x = {f"f{i}": rng.integers(0, rows // FIELDS, size * count).astype("int32") for i in range(FIELDS)}
    return Batches(x, rng.integers(0, 2, (size * count, 1)).astype("float32"), size)


def peak() -> int:
    """Bytes of resident memory at most since it was last forgotten."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def own_peaks(kind: str, rows: int, size: int) -> dict[str, int]:
    """Build and train in this process; return its peaks, in bytes."""
    keras.utils.set_random_seed(0)
    rocket, data = build(kind, rows), drawn(rows, size, 3)
    gc.collect()
    building = peak()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    data.fit(rocket, 3)
    return {"training": peak(), "whole": max(building, peak())}


def peaks(kind: str, rows: int, size: int) -> dict[str, int]:
    """Return the peaks of a fresh process."""
    command = [sys.executable, __file__, "--memory", kind, str(rows), "--batch-size", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def memory(kinds: dict[str, list[int]], size: int, say) -> dict[str, dict[str, float]]:
    """Return, for the largest table of each kind, bytes above a small table's, in tables of that size."""
    found = {}
    for kind, sizes in kinds.items():
        if sizes and max(sizes) > LEAST:
            rows = max(sizes)
            base, mine = peaks(kind, LEAST, size), peaks(kind, rows, size)
            table = 4 * DIM * rows
            found[f"{kind} {rows}"] = {key: round((mine[key] - base[key]) / table, 3) for key in mine}
            say(f"  memory of {kind}, {rows} rows: {found[f'{kind} {rows}']} tables")
    return found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10**4, 10**5, 10**6, 10**7], help="rows, sparse")
    parser.add_argument("--plain", type=int, nargs="*", default=[10**4, 10**5, 10**6, 10**7], help="rows, plain")
    parser.add_argument("--rounds", type=int, default=5, help="timed turns of every model")
    parser.add_argument("--batches", type=int, default=8, help="steps of a model a turn")
    parser.add_argument("--batch-size", type=int, default=2048, help="rows of data a step")
    parser.add_argument("--memory", nargs=2, metavar=("KIND", "ROWS"), help="measure the memory of this process")
    parser.add_argument("--json-only", action="store_true", help="print the closing line alone")
    parser.add_argument("--out", type=Path, help="write the closing line to this file, too")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    if options.memory:
        print(json.dumps(own_peaks(options.memory[0], int(options.memory[1]), options.batch_size)))
        return
    say = (lambda text: None) if options.json_only else (lambda text: print(text, flush=True))
    load, kinds = os.getloadavg()[0], {"sparse": options.rows, "plain": options.plain}
    say(f"batches of {options.batch_size}, {options.batches} steps of each a round, load {load:.1f}")
    in_tables = memory(kinds, options.batch_size, say)
    keras.utils.set_random_seed(0)
    names = {f"{kind} {rows}": (kind, rows) for kind, sizes in kinds.items() for rows in sizes}
    models = {name: build(*made) for name, made in names.items()}
    data = {name: drawn(rows, options.batch_size, options.batches) for name, (_, rows) in names.items()}
    times = take_turns(models, data, options.rounds, say)
    ratios = {
        f"{kind} {rows} / {kind} {SMALL}": quotient(times, f"{kind} {rows}", [f"{kind} {SMALL}"])
        for kind, rows in names.values()
        if rows != SMALL and f"{kind} {SMALL}" in names
    }
    ratios |= {
        f"sparse {rows} / plain {rows}": quotient(times, f"sparse {rows}", [f"plain {rows}"])
        for rows in options.rows
        if f"plain {rows}" in names
    }
    bars = []
    growth, copies = f"sparse {LARGE} / sparse {SMALL}", f"sparse {LARGE}"
    if growth in ratios:
        bars.append(bar("step at 10^7 rows / step at 10^5 rows, sparse", ratios[growth].median, 1.3))
    if copies in in_tables:
        what = "memory in training at 10^7 rows, in tables; table and accumulators are 1.06"
        bars.append(bar(what, in_tables[copies]["training"], 1.3))
    for item in bars:
        say(f"{item['value']:6.3f}  {item['limit']:>8}  {'holds' if item['holds'] else 'FALLS SHORT'}  {item['what']}")
    record = {
        "name": "embedding_scale",
        "bars": bars,
        "fields": FIELDS,
        "dim": DIM,
        "batch_size": options.batch_size,
        "steps_a_round": options.batches,
        "rounds": options.rounds,
        "ratios": {key: ratio.as_json() for key, ratio in ratios.items()},
        "step_ms": {name: round(1e3 * float(np.median(t.steps)), 2) for name, t in times.items()},
        "processor_ms": {name: round(1e3 * float(np.median(t.processor)), 2) for name, t in times.items()},
        "memory_in_tables": in_tables,
        "load_before": round(load, 2),
        **machine(),
    }
    line = json.dumps(record)
    if options.out:
        options.out.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
