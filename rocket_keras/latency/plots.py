"""Two figures of latency: quality against milliseconds, and how the times of the requests are spread."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rocket_keras.latency.measure import Latency
from rocket_keras.plots import COLOURS, INK, figure_with_panels, set_title
from rocket_keras.summary import NET_NAMES, format_number, latency_marks, marks_legend

_OVER = "#B91C1C"
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_QUALITIES = {"auc": "AUC", "accuracy": "accuracy"}


class Point(NamedTuple):
    """A net's place in the plane of latency and quality."""

    quality: float
    p50_ms: float
    p99_ms: float
    marks: str


def plane_figure(nets: Mapping[str, Mapping[str, Any]], budget_ms: float | None = None) -> Any:
    """Figure of the nets by latency (a dot at p50, a bar to p99) and quality, with the budget as a line.

    Args:
        nets: `base`, `light` and `booster`: scores on the `test` split, and `latency`, each; others are left out.
        budget_ms: Milliseconds that the p99 should not exceed.

    Returns:
        The figure; None where no net has both, or they were measured in different settings.

    Raises:
        ImportError: matplotlib is not installed.
    """
    points, settings, metric = dict[str, Point](), set[str](), ""
    for name in ("base", "light", "booster"):
        latency, scores = (nets.get(name, {}).get(key) or {} for key in ("latency", "test"))
        metric = next((key for key in _QUALITIES if math.isfinite(scores.get(key) or math.nan)), metric)
        if latency and metric in scores:
            points[name] = Point(scores[metric], latency["p50_ms"], latency["p99_ms"], latency_marks(latency))
            threads = "1 thread" if latency["threads"] == 1 else f"{latency['threads']} threads"
            settings.add(f"{latency['batch_size']} rows, {threads}, {latency['runtime']}")
    if len(settings) != 1:
        return None
    marks = marks_legend((net.get("latency") for net in nets.values()), short=True)
    return _plane(points, _QUALITIES[metric], f"{settings.pop()}: dot p50, bar p99{marks}", budget_ms)


def _plane(points: Mapping[str, Point], metric: str, setting: str, budget_ms: float | None) -> Any:
    figure, (panel,) = figure_with_panels(height=4.2, panels=1)
    fast, slow = min(p.p50_ms for p in points.values()), max(p.p99_ms for p in points.values())
    for name, point in points.items():
        panel.plot([point.p50_ms, point.p99_ms], [point.quality] * 2, color=COLOURS[name], linewidth=2)
        panel.plot([point.p99_ms], [point.quality], "|", markersize=11, markeredgewidth=2, color=COLOURS[name])
        panel.plot([point.p50_ms], [point.quality], "o", markersize=8, color=COLOURS[name])
        right = point.p50_ms**2 > fast * slow  # text goes to the side that has room
        beside = {"xytext": (0, 9), "textcoords": "offset points", "ha": "right" if right else "left", "va": "bottom"}
        text = (
            f"{NET_NAMES[name]}: {point.quality:.4f}, {format_number(point.p50_ms)} / {format_number(point.p99_ms)} ms"
            f"{point.marks}"
        )
        place = (point.p99_ms if right else point.p50_ms, point.quality)
        panel.annotate(text, place, fontsize=9, color=INK, bbox=_WHITE, **beside)
    qualities = [point.quality for point in points.values()]
    span = max(qualities) - min(qualities) or 0.01
    panel.set_ylim(min(qualities) - 0.15 * span, max(qualities) + 0.25 * span)
    panel.set_xscale("log")
    panel.set_xlim(min(fast, budget_ms or fast) / 1.5, max(slow, budget_ms or slow) * 1.5)
    panel.xaxis.get_major_locator().set_params(subs=(1, 2, 5))
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter("")
    if budget_ms is not None:
        _draw_budget(panel, budget_ms)
    set_title(panel, "Quality against latency", 16 if budget_ms else 8)
    panel.set_xlabel(f"ms for {setting}")
    panel.set_ylabel(f"test {metric}")
    return figure


def histogram_figure(times_ms: Sequence[float], latency: Latency) -> Any:
    """Figure of the requests' times, with p50, p95 and p99, and the budget where there is one.

    The axis ends a little above the p99's upper bound; slower requests are counted in the title.

    Args:
        times_ms: Milliseconds of each request.
        latency: What was measured with them.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure, (panel,) = figure_with_panels(height=3.6, panels=1)
    times = np.asarray(times_ms)
    end = 1.1 * max(latency.p99_interval[1] or latency.p99_ms, latency.budget_ms or 0.0)
    panel.hist(times[times <= end], bins=60, color=COLOURS["light"], alpha=0.75)
    shares = (("p50", latency.p50_ms), ("p95", latency.p95_ms), ("p99", latency.p99_ms))
    for row, (name, value) in enumerate(shares):
        panel.axvline(value, color=INK, linewidth=1, linestyle=(0, (3, 2)))
        below = {"xytext": (4, -10 - 16 * row), "textcoords": "offset points", "va": "top", "bbox": _WHITE}
        where = {"xycoords": ("data", "axes fraction"), "fontsize": 9, "color": INK}
        panel.annotate(f"{name} {format_number(value)}", (value, 1), **where, **below)
    if latency.budget_ms is not None:
        _draw_budget(panel, latency.budget_ms)
    slower = int((times > end).sum())
    more = f", {slower} slower than shown" if slower else ""
    set_title(panel, f"{len(times):,} requests of {latency.batch_size} candidates{more}", 16)
    panel.set_xlim(left=0.95 * float(times.min()), right=end)
    panel.set_xlabel(f"ms a request, {latency.runtime}, {latency.threads} thread{'s' * (latency.threads > 1)}")
    panel.set_ylabel("requests")
    return figure


def _draw_budget(panel: Any, budget_ms: float) -> None:
    panel.axvline(budget_ms, color=_OVER, linewidth=1.6)
    above = {"xycoords": ("data", "axes fraction"), "xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
    panel.annotate(f"budget {budget_ms:g} ms", (budget_ms, 1), fontsize=9, color=_OVER, **above)
