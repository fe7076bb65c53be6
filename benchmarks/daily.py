"""Measures a daily rocket against the daily base and against KD that is distilled again every day, on logs that drift.

KERAS_BACKEND=jax python benchmarks/daily.py [--log drift|ml100k] [--days 30] [--rows 40000] [--seeds 3]
    [--data-dir DIR] [--folder DIR] [--out FILE] [--picture FILE]

Each method has the same days, batches, light net, learning rates and seeds, and goes through the log once; each day is
scored before it is trained on. Means are over days, the first quarter left out, in which all methods begin; spread is
over seeds. Seconds are wall-clock, the methods one after the other: `training_seconds` of the trainings alone,
`seconds` of evaluation, tables and publishing, too. A run that was interrupted goes on in --folder.
"""

import argparse
import dataclasses
import json
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from timing import machine

import zoo
from rocket_keras.daily import Daily, run_daily
from rocket_keras.daily.report import days_figure
from rocket_keras.encoding import Encoder
from rocket_keras.json_file import write_json
from rocket_keras.row_optimizers import Adagrad
from rocket_keras.streaming import read_log
from zoo.data import drift, movielens_weeks

METHODS = ("base", "distilled", "rocket")
NETS = {"light_units": (16, 8), "booster_units": (256, 128, 64)}


def main() -> None:
    options = parsed()
    folder = options.folder / options.log
    log, fields, plan = PREPARED[options.log](options, folder)
    runs: dict[str, list[list[dict[str, Any]]]] = {method: [] for method in METHODS}
    for seed in range(options.seeds):
        for method in METHODS:
            mine = dataclasses.replace(plan, method=method, seed=seed)
            records = run_daily(log, fields, make, folder / f"{method}-{seed}", mine, told=tell(method, seed))
            runs[method].append(records)
    record = {
        "name": f"daily {options.log}",
        "bars": bars(runs),
        **machine(),
        "setting": {**plan.told(), **NETS, "days": len(runs["base"][0]), "seeds": options.seeds},
        "rocket_above": {rival: gains(runs, rival) for rival in ("base", "distilled")},
        "methods": {method: summary(of_method) for method, of_method in runs.items()},
        "days": {method: [one["scores"] for one in of_method[0]] for method, of_method in runs.items()},
    }
    if options.out:
        write_json(options.out, record)
    if options.picture:
        days_figure({method: of_method[0] for method, of_method in runs.items()}).savefig(options.picture, dpi=160)
    for one in record["bars"]:
        print(f"{'holds ' if one['holds'] else 'MISSED'} {one['what']}: {one['value']} {one['limit']}", file=sys.stderr)
    print(json.dumps(record))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log", choices=sorted(PREPARED), default="drift")
    parser.add_argument("--days", type=int, default=drift.DAYS, help="of the drifting log")
    parser.add_argument("--rows", type=int, default=drift.ROWS, help="of each of them")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, default=None)
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmark-daily"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


def drifting(options: argparse.Namespace, folder: Path) -> tuple[Any, Encoder, Daily]:
    """The simulated log of 30 days."""
    written = folder / f"log-{options.days}-{options.rows}"
    if not written.exists():
        draft = drift.write(written.with_name(f".{written.name}"), options.days, options.rows)
        draft.rename(written)
    plan = Daily(batch_size=256, group="user_id", keep_days=10, optimizer=adam, row_optimizer=adagrad)
    return read_log(written), drift.FIELDS, plan


def weekly(options: argparse.Namespace, folder: Path) -> tuple[Any, Encoder, Daily]:
    """MovieLens-100k by weeks: a week has 1,000 to 9,000 rows, most of them of users whom no week before has seen."""
    written = folder / "log"
    if not written.exists():
        movielens_weeks.write(folder / ".log", options.data_dir).rename(written)
    plan = Daily(
        by="week", group="user id", batch_size=256, epochs=2, margin=0.01, held_out=0.1, optimizer=adam,
        row_optimizer=adagrad,
    )  # fmt: skip
    return read_log(written), movielens_weeks.FIELDS, plan


PREPARED = {"drift": drifting, "ml100k": weekly}


def adam() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(2e-3)


def adagrad() -> Adagrad:
    return Adagrad(0.05)


def make(encoder: Encoder, sizes: Mapping[str, int]) -> Any:
    return zoo.ctr_pair(zoo.features_of(encoder, 16, sizes), **NETS, embedding="sparse")


def tell(method: str, seed: int) -> Any:
    def told(record: dict[str, Any]) -> None:
        light = record["scores"].get("light", {})
        seconds = sum(record["seconds"].values())
        print(f"{method} seed {seed} day {record['day']}: {light.get('auc')} {seconds:.1f} s", file=sys.stderr)

    return told


def later(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The days that count."""
    return records[len(records) // 4 :]


def mean_of(records: list[dict[str, Any]], net: str, score: str) -> float:
    return statistics.fmean(one["scores"][net][score] for one in later(records))


def summary(runs: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Mean and standard deviation over seeds of each net's means over days, and of the seconds."""
    found: dict[str, Any] = {}
    for net in runs[0][-1]["scores"]:
        for score in runs[0][-1]["scores"][net]:
            found.setdefault(net, {})[score] = spread([mean_of(records, net, score) for records in runs])
    trained = [
        sum(took for one in records for name, took in one["seconds"].items() if name.startswith("training"))
        for records in runs
    ]
    found["training_seconds"] = spread(trained)
    found["seconds"] = spread([sum(sum(one["seconds"].values()) for one in records) for records in runs])
    found["published"] = [sum(one["publication"]["published"] for one in records) for records in runs]
    found["ids_added"] = sum(sum(one["ids"]["added"].values()) for one in runs[0])
    found["ids_reused"] = sum(sum(one["ids"]["reused"].values()) for one in runs[0])
    return found


def spread(values: list[float]) -> dict[str, float]:
    return {"mean": statistics.fmean(values), "sd": statistics.stdev(values) if len(values) > 1 else 0.0}


def gains(runs: Mapping[str, list[list[dict[str, Any]]]], rival: str) -> dict[str, Any]:
    """By how much the rocket's light net is above a rival's: by seed, and the share of days, both in AUC."""
    pairs = list(zip(runs["rocket"], runs[rival], strict=True))
    by_seed = [mean_of(ours, "light", "auc") - mean_of(theirs, "light", "auc") for ours, theirs in pairs]
    by_day = [
        statistics.fmean(one["scores"]["light"]["auc"] - other["scores"]["light"]["auc"] for one, other in days)
        for days in zip(*(zip(later(ours), later(theirs), strict=True) for ours, theirs in pairs), strict=True)
    ]
    return {"by_seed": by_seed, "days_above": sum(gain > 0 for gain in by_day) / len(by_day)}


def bars(runs: Mapping[str, list[list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The daily rocket stays above the daily base: in every seed, and on nearly every day."""
    found = gains(runs, "base")
    lowest, above = min(found["by_seed"]), found["days_above"]
    return [
        {"what": "AUC of the daily rocket - that of the daily base, mean over days, of the worst seed",
         "value": round(lowest, 5), "limit": "> 0", "holds": lowest > 0},
        {"what": "share of days on which the rocket is above the base, mean over seeds",
         "value": round(above, 3), "limit": ">= 0.9", "holds": above >= 0.9},
    ]  # fmt: skip


if __name__ == "__main__":
    main()
