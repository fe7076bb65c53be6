"""Counts the bytes that a training step sends between two processes, and divides them by what the formula says.

KERAS_BACKEND=torch python benchmarks/wire_bytes.py [--rows N] [--batch-size N] [--json-only] [--out FILE]

Two processes on one machine train over a loopback interface of their own (a network namespace of Linux), whose counter
is read: all bytes of both, with the headers of TCP and IP. JAX and PyTorch; both use gloo on processors. Tables are
whole on each process: a Keras embedding, of which the whole table has a gradient, and a SparseEmbedding, whose rows
alone are moved. Formulas, for n processes together:

    dense: 2 (n - 1) P           P: bytes of the gradients, a ring all-reduce
    rows:  n (n - 1) r (4 d + 4) r: ids that a process looks up a step, d: floats of a row; an all-gather
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

import rocket_keras as rk
from rocket_keras.launch.provenance import device, git_commit, versions
from rocket_keras.layers import SparseEmbedding

FIELDS, DIM, PROCESSES = 8, 16, 2
FIRST, LAST = 10, 60  # batches between which bytes are counted
CASES = ("dense", "dense routed", "rows", "rows routed")


class Counter(keras.callbacks.Callback):
    """Reads what the loopback interface has sent, after the first and the last batch that count."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def on_train_batch_end(self, batch, logs=None):
        if batch in (FIRST, LAST):
            float(logs["loss"])
            loopback = Path("/proc/self/net/dev").read_text().split("lo:")[1].split()
            self.seen[batch] = int(loopback[8])

    def a_step(self):
        return (self.seen[LAST] - self.seen[FIRST]) / (LAST - FIRST)


def built(case: str, rows: int) -> rk.Rocket:
    """A rocket over one table of `rows` rows, small beside the towers' weights or large."""
    keras.utils.set_random_seed(0)
    ids = keras.Input((FIELDS,), dtype="int32", name="ids")
    if case.startswith("rows"):
        found = SparseEmbedding([rows], DIM, name="table")(ids, fields=[0])
    else:
        found = keras.layers.Embedding(rows, DIM, name="embedding")(ids)
    flat = keras.layers.Flatten()(found)
    light = keras.layers.Dense(1)(keras.layers.Dense(64, "relu")(flat))
    booster = keras.layers.Dense(1)(keras.layers.Dense(256, "relu")(flat))
    pair = rk.Pair(keras.Model(ids, light, name="light"), keras.Model(ids, booster, name="booster"))
    rocket = rk.Rocket(pair, light_to_shared="routed" not in case)
    rocket.compile(keras.optimizers.Adam(1e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    return rocket


def work(options: argparse.Namespace) -> None:
    """Train as one of the processes and write what was counted."""
    if keras.backend.backend() == "torch":
        from torch import distributed

        address = f"tcp://127.0.0.1:{options.port}"
        distributed.init_process_group("gloo", init_method=address, rank=options.rank, world_size=PROCESSES)
    else:
        keras.distribution.initialize(f"127.0.0.1:{options.port}", PROCESSES, options.rank)
        keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    draw, size = np.random.default_rng(options.rank), options.batch_size
    x = draw.integers(0, options.rows, (size * (LAST + 1), FIELDS)).astype("int32")
    y = draw.integers(0, 2, (len(x), 1)).astype("float32")
    found = {}
    for case in options.cases.split(","):
        rocket, counter = built(case, options.rows), Counter()
        rocket.fit(x, y, batch_size=size, shuffle=False, verbose=0, callbacks=[counter])
        dense = sum(4 * int(np.prod(v.shape)) for v in rocket.trainable_variables)
        formula = 2 * (PROCESSES - 1) * dense
        if case.startswith("rows"):
            formula += PROCESSES * (PROCESSES - 1) * size * FIELDS * (4 * DIM + 4)
        found[case] = {"measured": counter.a_step(), "formula": formula, "dense_bytes": dense}
    if options.rank == 0:
        options.out.write_text(json.dumps(found), encoding="utf-8")


def counted(options: argparse.Namespace) -> dict:
    """Run the processes in a network of their own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "counted.json")
        script = f"{sys.executable} {Path(__file__).resolve()} --rows {options.rows} --batch-size {options.batch_size}"
        lines = [
            f'{script} --port 29871 --out {out} --cases "{",".join(CASES)}" --rank {r} &' for r in range(PROCESSES)
        ]
        waits = "status=0; for job in $(jobs -p); do wait $job || status=1; done; exit $status"
        shell = "\n".join(["ip link set lo up", *lines, waits])
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "XLA_FLAGS": ""}
        subprocess.run(
            ["unshare", "--map-root-user", "--net", "bash", "-c", shell],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        return json.loads(out.read_text(encoding="utf-8"))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20000, help="rows of the table")
    parser.add_argument("--batch-size", type=int, default=512, help="examples of one process a step")
    parser.add_argument("--json-only", action="store_true", help="print the closing line alone")
    parser.add_argument("--out", type=Path, help="write the closing line to this file, too")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cases", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parsed()
    if options.rank is not None:
        work(options)
        return
    found = counted(options)
    bars = []
    for case, one in found.items():
        value = round(one["measured"] / one["formula"], 3)
        what = f"bytes of a step between {PROCESSES} processes / formula: {case}"
        bars.append({"what": what, "value": value, "limit": "0.95 to 1.1", "holds": 0.95 <= value <= 1.1})
    if not options.json_only:
        for item in bars:
            print(
                f"{item['value']:6.3f}  {item['limit']}  {'holds' if item['holds'] else 'FALLS SHORT'}  {item['what']}"
            )
    record = {
        "name": "wire_bytes",
        "bars": bars,
        "bytes_a_step": found,
        "rows": options.rows,
        "dim": DIM,
        "fields": FIELDS,
        "batch_size_a_process": options.batch_size,
        "processes": PROCESSES,
        "steps": LAST - FIRST,
        "backend": keras.backend.backend(),
        "device": device(),
        "versions": versions(),
        "commit": git_commit(),
    }
    line = json.dumps(record)
    if options.out:
        options.out.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
