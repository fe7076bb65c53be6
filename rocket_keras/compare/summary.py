"""A comparison in numbers, from the content of compare.json: means, paired differences to the base, gaps closed.

All statistics are over seeds. Seeds are paired: two methods at one seed have the same split and the same initial draws,
so their difference varies less than each of them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median, stdev
from typing import Any

from rocket_keras.compare.differences import Difference, holm, paired_difference
from rocket_keras.summary import MISSING

FAMILIES = {
    "reference": "references",
    "rocket": "rocket launching",
    "ablation": "variants of rocket",
    "two-stage": "a booster first, then the light net",
    "joint": "both nets at once",
    "privileged": "a booster that sees more",
    "ours": "our own recipe",
}
METRIC_NAMES = {"accuracy": "accuracy", "auc": "AUC", "gauc": "GAUC"}
EQUAL_SECONDS = 1.1
"""A method with at most this many times rocket's seconds counts as equal to it: timings vary by as much."""


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over runs; `sd` is None of a single run."""

    values: tuple[float, ...]
    mean: float
    sd: float | None


@dataclass(frozen=True)
class Row:
    """One method of the comparison.

    Attributes:
        method: Name, as it is typed.
        title: Name, as it is printed.
        family: A key of `FAMILIES`.
        net: Which net is scored, `"light"` or `"booster"`.
        runs: Finished runs.
        planned: Seeds of the comparison.
        quality: Test accuracy (a share) or test AUC.
        gauc: Test GAUC, None where there are no groups.
        difference: Of the quality, to the base; corrected over all rows of the table.
        gap_closed: Share of the way from base to booster, in percent, over the seeds that all three have; None where
            the booster is not better than the base beyond noise.
        gauc_gap_closed: The same of GAUC.
        seconds: Training seconds of all stages, the median over the runs: one that was slowed down does not count.
        same_seconds: Quality of the runs whose epochs were changed so that they took as long as rocket.
        p50_ms, p99_ms: Latency.
        factor: Factor of the hint weights; None of a reference, which has no hint.
        at_edge: Whether the factor was chosen, and is the smallest or largest that was tried.
    """

    method: str
    title: str
    family: str
    net: str
    runs: int
    planned: int
    quality: Spread | None
    gauc: Spread | None
    difference: Difference | None
    gap_closed: float | None
    gauc_gap_closed: float | None
    seconds: float | None
    same_seconds: Spread | None
    p50_ms: float | None
    p99_ms: float | None
    factor: float | None
    at_edge: bool


def rows(result: Mapping[str, Any]) -> list[Row]:
    """The methods by family, the best mean first; the base is on top.

    Args:
        result: The content of compare.json.

    Raises:
        ImportError: SciPy is not installed.
    """
    differences = differences_to_base(result)
    found = [_row(result, name, differences[name]) for name in result["methods"]]
    return sorted(found, key=lambda row: (list(FAMILIES).index(row.family), row.method != "base", -_mean(row)))


def differences_to_base(result: Mapping[str, Any]) -> dict[str, Difference | None]:
    """Return each method's difference to the base, with Holm's correction over all of them.

    The family of the correction is the table: every method with two seeds or more, the booster and the variants of
    rocket included. None for the base itself and for a method without a seed of the base.

    Raises:
        ImportError: SciPy is not installed.
    """
    base = scores_of(result, "base")
    others = [name for name in result["methods"] if name != "base"]
    differences = {name: paired_difference(scores_of(result, name), base) for name in others}
    tested = {name: difference for name, difference in differences.items() if difference and difference.p is not None}
    corrected = holm([difference.p or 0.0 for difference in tested.values()])
    for (name, difference), p_holm in zip(tested.items(), corrected, strict=True):
        differences[name] = replace(difference, p_holm=p_holm)
    return {name: differences.get(name) for name in result["methods"]}


def with_differences(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result with what its table shows of each method's runs: `to_base` and `factor_at_edge`.

    Args:
        result: The content of compare.json.

    Raises:
        ImportError: SciPy is not installed.
    """
    shown = {
        name: {"to_base": asdict(difference) if difference else None, "factor_at_edge": at_edge(result, name)}
        for name, difference in differences_to_base(result).items()
    }
    return {**result, "methods": {name: {**method, **shown[name]} for name, method in result["methods"].items()}}


def at_edge(result: Mapping[str, Any], name: str) -> bool:
    """Whether a method's factor was chosen on the grid and is its smallest or largest: a better one may lie outside.

    A variant of rocket has the factor that was chosen for rocket.
    """
    method, grid = result["methods"][name], result["grid"]
    chosen = len(method["tuning"]) > 1 or (method["family"] == "ablation" and not method["tuning"])
    return chosen and len(grid) > 1 and method["factor"] in (min(grid), max(grid))


def _row(result: Mapping[str, Any], name: str, difference: Difference | None) -> Row:
    method, metric = result["methods"][name], result["metric"]
    runs, again, latency = method["runs"], method["same_seconds"], method.get("latency") or {}
    return Row(
        method=name,
        title=method["title"],
        family=method["family"],
        net=method["net"],
        runs=len(runs),
        planned=len(result["seeds"]),
        quality=spread(by_seed(runs, metric).values()),
        gauc=spread(by_seed(runs, "gauc").values()),
        difference=difference,
        gap_closed=gap_closed(result, name, metric),
        gauc_gap_closed=gap_closed(result, name, "gauc"),
        seconds=median_seconds(result, name),
        same_seconds=spread(by_seed(again["runs"], metric).values()) if again else None,
        p50_ms=latency.get("p50_ms"),
        p99_ms=latency.get("p99_ms"),
        factor=None if method["family"] == "reference" else method["factor"],
        at_edge=at_edge(result, name),
    )


def _mean(row: Row) -> float:
    return row.quality.mean if row.quality and math.isfinite(row.quality.mean) else -math.inf


def by_seed(runs: Sequence[Mapping[str, Any]], key: str) -> dict[int, float]:
    """Return a test score of each run by its seed; runs that were not scored so are left out."""
    return {run["seed"]: run["test"][key] for run in runs if run["test"].get(key) is not None}


def scores_of(
    result: Mapping[str, Any], name: str, key: str | None = None, equal: str = "epochs", rival: bool = False
) -> dict[int, float]:
    """Return a method's test scores by seed, empty where it has no run.

    Args:
        result: The content of compare.json.
        name: Name of a method; one that was not compared has no run.
        key: The score; the comparison's metric otherwise.
        equal: `"epochs"` for the runs with the recipe's epochs. `"seconds"` for runs no longer than rocket's: those
            with changed epochs, else the plain ones if they took at most `EQUAL_SECONDS` times rocket's seconds.
        rival: Of two kinds of runs that are short enough, take the better ones by test mean: more epochs can be worse,
            and a rival is to be beaten at its best.
    """
    method = result["methods"].get(name)
    if method is None:
        return {}
    key, plain = key or result["metric"], by_seed(method["runs"], key or result["metric"])
    if equal == "epochs":
        return plain
    own, target = median_seconds(result, name), median_seconds(result, "rocket")
    fits = own is not None and target is not None and own <= EQUAL_SECONDS * target
    changed = by_seed(method["same_seconds"]["runs"], key) if method["same_seconds"] else {}
    if rival and fits and changed and plain:
        return max(plain, changed, key=lambda scores: fmean(scores.values()))
    return changed or (plain if fits else {})


def median_seconds(result: Mapping[str, Any], name: str) -> float | None:
    """Return the median training seconds of a method's runs, all stages together."""
    runs = result["methods"].get(name, {"runs": ()})["runs"]
    return median(run["seconds"] for run in runs) if runs else None


def spread(values: Any) -> Spread | None:
    """Return mean and sample standard deviation of some numbers, None of none."""
    values = tuple(values)
    if not values:
        return None
    # `stdev` of a NaN raises; a mean of NaN is what tells the reader that a run has no such score.
    known = len(values) > 1 and all(map(math.isfinite, values))
    return Spread(values, fmean(values), stdev(values) if known else None)


def gap_closed(result: Mapping[str, Any], name: str, key: str, equal: str = "epochs") -> float | None:
    """Return the percentage of the way from the base to the booster alone that a method goes, as in `Row`.

    None where the booster is not better than the base beyond noise (the 95 % interval of their paired difference
    reaches 0): a share of nothing tells nothing.
    """
    if name in ("base", "booster"):
        return None
    own = scores_of(result, name, key, equal)
    base, booster = scores_of(result, "base", key), scores_of(result, "booster", key)
    seeds = own.keys() & base.keys() & booster.keys()
    if not seeds:
        return None
    gap = paired_difference({seed: booster[seed] for seed in seeds}, {seed: base[seed] for seed in seeds})
    gain = fmean(own[seed] - base[seed] for seed in seeds)
    if gap is None or gap.mean <= 0 or (gap.low is not None and gap.low <= 0) or not math.isfinite(gain):
        return None
    return 100 * gain / gap.mean


def p_text(p: float | None) -> str:
    """A p-value with three decimals."""
    if p is None:
        return MISSING
    return f"{p:.3f}" if p >= 0.0005 else "<0.001"


def quality_text(value: float | None, metric: str, sign: str = "") -> str:
    """A score in the metric's unit: percent with two decimals for accuracy, four decimals for AUC and GAUC."""
    if value is None or not math.isfinite(value):
        return MISSING
    scale, decimals = (100, 2) if metric == "accuracy" else (1, 4)
    # Adding 0 after rounding turns -0.00 into 0.00.
    return f"{round(scale * value, decimals) + 0.0:{sign}.{decimals}f}"
