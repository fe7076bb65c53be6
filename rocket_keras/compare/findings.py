"""What a comparison shows, in sentences made from its numbers, whichever way they point."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from rocket_keras.compare.differences import Difference, paired_difference
from rocket_keras.compare.summary import (
    METRIC_NAMES,
    differences_to_base,
    gap_closed,
    median_seconds,
    p_text,
    quality_text,
    scores_of,
)
from rocket_keras.summary import format_number

Equal = Literal["epochs", "seconds"]
Choice = Callable[[Mapping[str, Any], Equal], str | None]
CAUTION = (
    "Each interval is for its one comparison: of twenty that hold no effect, one leaves out 0 by chance. The column "
    "p (Holm) of the table corrects the differences to the base for their number. A row that is called the best was "
    "picked by its test mean, which flatters it."
)


@dataclass(frozen=True)
class Claim:
    """That one method is better than another.

    Attributes:
        text: The claim in words.
        first: The method that should be better: its name, or what picks it from the result.
        second: The method that it should beat.
        equal: Whether both have equal epochs or equal seconds.
        costs: Whether the sentence gives both methods' training seconds.
    """

    text: str
    first: str | Choice
    second: str | Choice
    equal: Equal = "epochs"
    costs: bool = False


def best_light(result: Mapping[str, Any], equal: Equal = "epochs") -> str | None:
    """Return the method with the best mean of all whose light net is scored, the base left out."""
    return _best(result, equal, lambda name, method: name != "base")


def best_rival(result: Mapping[str, Any], equal: Equal) -> str | None:
    """Return the best light net of all methods that are not our own recipe."""
    return _best(result, equal, lambda name, method: method["family"] != "ours")


CLAIMS = (
    Claim("The best method beats the base", best_light, "base"),
    Claim("Rocket beats the base", "rocket", "base"),
    Claim("Rocket beats the base at equal seconds", "rocket", "base", equal="seconds"),
    Claim("The gradient block helps", "rocket", "rocket-no-block"),
    Claim("Sharing helps", "rocket", "rocket-unshared"),
    Claim("Joint training helps", "rocket", "rocket-no-joint"),
    Claim("Squared logits beat squared probabilities", "rocket", "rocket-squared-probability"),
    Claim("Squared logits beat the KD hint", "rocket", "rocket-kd-hint"),
    Claim("Rocket beats KD", "rocket", "kd", costs=True),
    Claim("Rocket beats KD at equal seconds", "rocket", "kd", equal="seconds"),
    Claim("Rocket with KD beats rocket", "rocket+kd", "rocket", costs=True),
    Claim("PFD beats MD", "pfd", "md"),
    Claim("Keeping the student's gradient out of the shared layers helps PFD", "pfd-routed", "pfd"),
    Claim("Keeping the light net's gradient out of the shared layers helps", "rocket-routed", "rocket-through-shared"),
    Claim(
        "Our own recipe, whose light net has twice the epochs, beats its best rival", "relay", best_rival, costs=True
    ),
    Claim("Our own recipe beats its best rival at equal seconds", "relay", best_rival, equal="seconds"),
)


def findings(result: Mapping[str, Any]) -> list[str]:
    """One sentence for each claim whose methods were compared, and how far our own recipe closes the gap.

    A claim holds, or does not hold, where the 95 % interval of the paired difference leaves out 0; else it is not
    decided. A difference to the base that stands in the table beside others has the p-value of the table behind it.

    Args:
        result: The content of compare.json.

    Raises:
        ImportError: SciPy is not installed.
    """
    sentences = (_sentence(result, claim) for claim in CLAIMS)
    closed = [_closed(result, equal) for equal in ("epochs", "seconds")]
    return [text for text in (*sentences, *closed) if text]


def _best(result: Mapping[str, Any], equal: Equal, allowed: Callable[[str, Mapping[str, Any]], bool]) -> str | None:
    scores = {
        name: scores_of(result, name, equal=equal, rival=True)
        for name, method in result["methods"].items()
        if method["net"] == "light" and allowed(name, method)
    }
    # Only methods with the most seeds: a mean over fewer is not comparable.
    most = max(map(len, scores.values()), default=0)
    means = {name: fmean(found.values()) for name, found in scores.items() if most and len(found) == most}
    return max(means, key=lambda name: means[name], default=None)


def _sentence(result: Mapping[str, Any], claim: Claim) -> str | None:
    names = [side if isinstance(side, str) else side(result, claim.equal) for side in (claim.first, claim.second)]
    if None in names:
        return None
    first, second = (
        scores_of(result, str(name), equal=claim.equal, rival=place == 1) for place, name in enumerate(names)
    )
    difference = paired_difference(first, second)
    if difference is None:
        return None
    metric = result["metric"]
    unit = " %" if metric == "accuracy" else ""
    common = [seed for seed in first if seed in second]
    means = [quality_text(fmean(scores[seed] for seed in common), metric) + unit for scores in (first, second)]
    titles = [result["methods"][name]["title"] for name in names]
    seconds = [format_number(median_seconds(result, str(name))) for name in names]
    cost = f"; training took {seconds[0]} s against {seconds[1]} s" if claim.costs else ""
    return (
        f"{claim.text}: {_verdict(difference)}. Test {METRIC_NAMES[metric]} {means[0]} ({titles[0]}) against "
        f"{means[1]} ({titles[1]}), paired difference {_difference_words(difference, metric)}"
        f"{_corrected_words(result, claim, names[0])}{cost}."
    )


def _verdict(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return "not decided by one seed"
    if difference.low <= 0 <= difference.high:
        return "not decided"
    return "holds" if difference.mean > 0 else "does not hold, the opposite does"


def _difference_words(difference: Difference, metric: str) -> str:
    unit = " points" if metric == "accuracy" else ""
    mean = quality_text(difference.mean, metric, sign="+") + unit
    if difference.low is None:
        return f"{mean} (no interval, 1 seed)"
    low, high = (quality_text(bound, metric, sign="+") for bound in (difference.low, difference.high))
    return f"{mean} (95 % interval {low} to {high}, {difference.seeds} seeds)"


def _corrected_words(result: Mapping[str, Any], claim: Claim, name: str | None) -> str:
    """The p-value of a difference that the table shows, corrected over the table, where it shows several."""
    if claim.second != "base" or claim.equal != "epochs":
        return ""
    differences = differences_to_base(result)
    corrected = {key: d.p_holm for key, d in differences.items() if d and d.p_holm is not None}
    if len(corrected) < 2 or name not in corrected:
        return ""
    return f"; p {p_text(corrected[name])} by Holm over the table's {len(corrected)} differences to base"


def _closed(result: Mapping[str, Any], equal: Equal) -> str | None:
    """How much of the gap between base and booster our own recipe closes, by each score."""
    keys = [result["metric"], "gauc"]
    shares = {METRIC_NAMES[key]: gap_closed(result, "relay", key, equal) for key in keys}
    words = [f"{share:.0f} % in {name}" for name, share in shares.items() if share is not None]
    if not words:
        return None
    title = result["methods"]["relay"]["title"]
    when = "In rocket's seconds" if equal == "seconds" else "With the recipe's epochs in each of its two stages"
    return f"{when}, {title} closes {' and '.join(words)} of the gap from base to booster."
