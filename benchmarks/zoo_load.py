"""Measures how long a pretrained light net takes to load beyond importing Keras, in new processes taken in turn.

KERAS_BACKEND=jax python benchmarks/zoo_load.py [--names bank,digits] [--rounds 5]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import zoo

IMPORT = "import keras"
LOAD = "import keras, zoo; zoo.load_light({name!r})"
LIMIT_S = 1.0


def seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - began


def measure(name: str, rounds: int) -> dict[str, float]:
    """The medians over the rounds: importing Keras alone, loading besides, and the difference."""
    pairs = [(seconds(IMPORT), seconds(LOAD.format(name=name))) for _ in range(rounds)]
    return {
        "import_s": statistics.median(first for first, _ in pairs),
        "load_s": statistics.median(second for _, second in pairs),
        "beyond_s": statistics.median(second - first for first, second in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--names", default=",".join(zoo.list_entries(pretrained=True)), help="entries, with commas")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    measured = {}
    for name in arguments.names.split(","):
        seconds(LOAD.format(name=name))  # fills the caches of the file system
        measured[name] = measure(name, arguments.rounds)
        print(f"{name:32} {measured[name]['beyond_s']:.2f} s beyond importing Keras", file=sys.stderr)
    bars = [
        {
            "what": f"load_light({name!r}) beyond importing Keras, s",
            "value": round(times["beyond_s"], 3),
            "limit": f"<= {LIMIT_S}",
            "holds": times["beyond_s"] <= LIMIT_S,
        }
        for name, times in measured.items()
    ]
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    print(json.dumps({"name": "zoo_load", "backend": backend, "bars": bars, "seconds": measured}))


if __name__ == "__main__":
    main()
