"""The two figures of every comparison: all methods with their difference to the base, and quality against seconds.

Colours are those of Okabe and Ito, safe for colour-blind readers; a family has its own marker, too, for grey print.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rocket_keras.compare.labels import place_labels
from rocket_keras.compare.summary import FAMILIES, METRIC_NAMES, Row, quality_text, rows
from rocket_keras.plots import COLOURS, FAINT, HINT_COLOUR, INK, figure_with_panels, set_title

LOOKS = {
    "reference": (COLOURS["base"], "o"),
    "rocket": (COLOURS["light"], "o"),
    "ablation": ("#56B4E9", "s"),
    "two-stage": (COLOURS["booster"], "D"),
    "joint": ("#CC79A7", "^"),
    "privileged": (COLOURS["booster_in_rocket"], "v"),
    "ours": (HINT_COLOUR, "P"),
}
ROW_HEIGHT = 0.27
BELOW = 1.5


def comparison_figure(result: Mapping[str, Any]) -> Any:
    """Figure with a row for each method: its runs, mean and standard deviation; its difference to the base.

    A method far below the base is not drawn to scale: an arrow and its number stand at the left end.

    Raises:
        ImportError: matplotlib or SciPy is not installed.
    """
    found = [row for row in rows(result) if row.quality and math.isfinite(row.quality.mean)]
    height = 1.7 + ROW_HEIGHT * len(found)
    figure, (quality, difference) = figure_with_panels(height, 2, width=9.6, beside=True)
    quality.set_yticks(range(len(found)), [row.title for row in found])
    quality.set_ylim(len(found) - 0.4, -0.6)
    for panel in (quality, difference):
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", color=FAINT, linewidth=0.6)
        panel.xaxis.get_major_locator().set_params(nbins=6)
    metric = result["metric"]
    _draw_qualities(quality, found, metric)
    _draw_differences(difference, [row for row in found if row.difference], found, metric)
    _explain_families(figure, quality, found)
    return figure


def _explain_families(figure: Any, panel: Any, found: Sequence[Row]) -> None:
    for family in dict.fromkeys(row.family for row in found):
        colour, marker = LOOKS[family]
        panel.plot([], [], linestyle="none", marker=marker, color=colour, label=FAMILIES[family])
    figure.legend(
        *panel.get_legend_handles_labels(),
        loc="outside upper left",
        ncols=4,
        frameon=False,
        fontsize=9,
        labelcolor=INK,
        handletextpad=0.3,
        columnspacing=1.2,
    )


def _draw_qualities(panel: Any, found: Sequence[Row], metric: str) -> None:
    scale = scale_of(metric)
    means = {row.method: scale * row.quality.mean for row in found if row.quality}
    for name, colour in (("base", COLOURS["base"]), ("booster", COLOURS["booster"])):
        if name in means:
            panel.axvline(means[name], color=colour, linewidth=1.1, linestyle=(0, (3, 2)), zorder=1)
    ends = _limits([scale * value for row in found if row.quality for value in row.quality.values], means.get("base"))
    for place, row in enumerate(found):
        if row.quality is None:
            continue
        colour, marker = LOOKS[row.family]
        mean, sd = scale * row.quality.mean, scale * (row.quality.sd or 0)
        if mean < ends[0]:
            _say_below(panel, ends, place, f"{quality_text(row.quality.mean, metric)}", colour)
            continue
        panel.plot([mean - sd, mean + sd], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        values = [scale * value for value in row.quality.values]
        panel.plot(values, [place] * len(values), ".", color=INK, markersize=3, alpha=0.6, zorder=4)
        panel.plot([mean], [place], marker=marker, markersize=7, color=colour, markeredgecolor="white", zorder=3)
    panel.set_xlim(ends)
    set_title(panel, "Quality of the served net")
    panel.set_xlabel(f"{axis_name(metric)}: mean, bar ± sd, dots seeds\nlines: base (grey), booster (red)")


def _draw_differences(panel: Any, drawn: Sequence[Row], found: Sequence[Row], metric: str) -> None:
    scale = scale_of(metric)
    differences = [row.difference for row in drawn if row.difference]
    centres = [scale * difference.mean for difference in differences]
    # One seed has no interval: its bar has no length.
    lows = [scale * (d.mean if d.low is None else d.low) for d in differences]
    highs = [scale * (d.mean if d.high is None else d.high) for d in differences]
    ends = _limits([0.0, *lows, *highs], 0.0, centres)
    for row, mean, low, high in zip(drawn, centres, lows, highs, strict=True):
        colour, marker = LOOKS[row.family]
        place = found.index(row)
        if mean < ends[0]:
            _say_below(panel, ends, place, quality_text(mean / scale, metric, sign="+"), colour)
            continue
        panel.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
        panel.plot([mean], [place], marker=marker, markersize=7, color=colour, markeredgecolor="white", zorder=3)
    panel.axvline(0, color=INK, linewidth=1, zorder=1)
    panel.set_xlim(ends)
    set_title(panel, "Difference to the base")
    unit = "percentage points" if metric == "accuracy" else METRIC_NAMES[metric]
    panel.set_xlabel(f"{unit}, paired by seed: mean, 95 % bar\nright of 0: better than the base")


def _limits(values: Sequence[float], base: float | None, centres: Sequence[float] | None = None) -> tuple[float, float]:
    """Ends of an axis: all that lies above the base, and below it not more than `BELOW` times as much.

    Args:
        values: What is drawn, in the axis's unit.
        base: The base's mean.
        centres: The means alone, where `values` hold the ends of intervals; a wide interval may run out of the axis.
    """
    low, high = min(values), max(values)
    if centres:
        room = 2 * max((abs(c) for c in sorted(centres)[len(centres) // 10 :]), default=0.0) or high - low
        low, high = max(low, -room), min(high, max(room, *centres))
    if base is not None and high > base:
        floor = base - BELOW * (high - base)
        low = min(value for value in (*values, base) if value >= max(low, floor))
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin


def _say_below(panel: Any, ends: tuple[float, float], place: int, text: str, colour: str) -> None:
    at: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
    at["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    panel.annotate(f"◀ {text}", (ends[0], place), fontsize=8, color=colour, **at)


def cost_figure(result: Mapping[str, Any]) -> Any:
    """Figure of the mean test quality against the mean training seconds of all stages.

    Raises:
        ImportError: matplotlib or SciPy is not installed.
    """
    found = [row for row in rows(result) if row.quality and row.seconds and math.isfinite(row.quality.mean)]
    metric, scale = result["metric"], scale_of(result["metric"])
    figure, (panel,) = figure_with_panels(5.2 if len(found) < 12 else 7.0, 1, width=9.6)
    base = next((scale * row.quality.mean for row in found if row.quality and row.method == "base"), None)
    points = [(row.seconds or 0.0, scale * row.quality.mean) for row in found if row.quality]
    panel.set_xscale("log")
    _limit_seconds(panel, [seconds for seconds, _ in points])
    ends = _limits([quality for _, quality in points], base)
    panel.set_ylim(ends)
    panel.grid(color=FAINT, linewidth=0.6)
    shown = []
    for row, (seconds, quality) in zip(found, points, strict=True):
        colour, marker = LOOKS[row.family]
        below = quality < ends[0]
        shown.append((seconds, max(quality, ends[0])))
        panel.plot(*shown[-1], marker=7 if below else marker, markersize=8, color=colour, markeredgecolor="white")
    set_title(panel, "Quality of the served net against the seconds of its training")
    panel.set_xlabel("training seconds of all stages, median over the seeds (logarithmic)")
    panel.set_ylabel(axis_name(metric))
    _explain_families(figure, panel, found)
    low = [quality_text(quality / scale, metric) if quality < ends[0] else "" for _, quality in points]
    place_labels(figure, panel, shown, [f"{row.title} {text}".strip() for row, text in zip(found, low, strict=True)])
    return figure


def _limit_seconds(panel: Any, seconds: Sequence[float]) -> None:
    """Limits with room for labels, and a number at 1, 2 and 5 of each decade."""
    panel.set_xlim(min(seconds) / 1.25, max(seconds) * 1.25)
    panel.xaxis.get_major_locator().set_params(subs=(1, 1.5, 2, 3, 5, 7))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()


def scale_of(metric: str) -> int:
    """Return 100 for accuracy, which is drawn in percent, else 1."""
    return 100 if metric == "accuracy" else 1


def axis_name(metric: str) -> str:
    """Return the name of an axis of test quality, with its unit."""
    return f"test {METRIC_NAMES[metric]}{' (%)' if metric == 'accuracy' else ''}"
