"""The two figures of a launch: learning curves, and the comparison of the nets in quality and latency.

A net has the same colour in every figure (from the palette of Okabe and Ito, safe for colour-blind readers), and the
line style or the label tells it apart in grey print, too. No pyplot: nothing global is touched, no display is needed.
"""

import math
from typing import Any

from rocket_keras.extras import require
from rocket_keras.summary import (
    CTR_QUALITIES,
    NET_NAMES,
    format_number,
    is_accuracy,
    latency_marks,
    marks_legend,
    nets_in_order,
    wilson_interval,
)

COLOURS = {"base": "#6B7280", "light": "#0072B2", "booster": "#D55E00", "booster_in_rocket": "#E69F00"}
HINT_COLOUR = "#009E73"
INK, FAINT = "#1F2937", "#D1D5DB"
LEGEND_ROOM = 24
STYLES: dict[str, dict[str, Any]] = {
    "base": {"linestyle": "-"},
    "light": {"linestyle": "-", "linewidth": 2.4},
    "booster": {"linestyle": "-"},
    "booster_in_rocket": {"linestyle": (0, (4, 1.5))},
}


def learning_curves_figure(metrics: dict[str, Any]) -> Any:
    """Figure of the validation quality of each net by epoch, above the rocket's three training losses.

    Raises:
        ImportError: matplotlib is not installed.
    """
    figure, (quality, losses) = figure_with_panels(height=6.4, panels=2)
    curves = _validation_curves(metrics)
    for name, values in curves.items():
        _draw(quality, values, label=NET_NAMES[name], color=COLOURS[name], **STYLES[name])
    _limit_to_later_epochs(quality, list(curves.values()), from_zero=is_accuracy(metrics))
    set_title(quality, "Validation quality", LEGEND_ROOM)
    quality.set_ylabel("validation error (%)" if is_accuracy(metrics) else "validation AUC")
    rocket = metrics["history"]["rocket"]
    terms: dict[str, tuple[str, str, dict[str, Any]]] = {
        "light_loss": ("label loss of light", COLOURS["light"], STYLES["light"]),
        "booster_loss": ("label loss of booster", COLOURS["booster_in_rocket"], STYLES["booster_in_rocket"]),
        "hint_loss": ("hint loss", HINT_COLOUR, {"linestyle": (0, (1, 1))}),
    }
    for term, (label, colour, style) in terms.items():
        _draw(losses, rocket[term], label=label, color=colour, **style)
    set_title(losses, "Loss terms of the rocket", LEGEND_ROOM)
    # The terms differ by orders of magnitude; a loss that is exactly 0 has no place on a logarithmic axis.
    if all(value > 0 for term in terms for value in rocket[term]):
        losses.set_yscale("log", subs=[])
        losses.yaxis.get_major_locator().set_params(subs=(1, 2, 5))
        losses.yaxis.set_major_formatter("{x:g}")
    losses.set_ylabel("training loss")
    for panel in (quality, losses):
        _epochs_below(panel)
        panel.legend(
            frameon=False,
            fontsize=9,
            labelcolor=INK,
            ncols=4,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            borderpad=0,
            handlelength=2.2,
            columnspacing=1.4,
            borderaxespad=0.4,
        )
    return figure


def comparison_figure(metrics: dict[str, Any]) -> Any:
    """Figure of the nets' test quality and of their latency (p50 and p99), one panel each, a row for each net.

    Accuracy is shown as test error with its 95 % Wilson interval; AUC and GAUC with the Bayes optimum where known.

    Raises:
        ImportError: matplotlib is not installed.
    """
    nets = nets_in_order(metrics)
    timed = any(net["latency"] for net in nets.values())
    keys = [key for key in ("accuracy", "auc", "gauc") if key in metrics["nets"]["base"]["test"]]
    figure, panels = figure_with_panels(height=2.05 * (len(keys) + timed) + 0.2, panels=len(keys) + timed)
    for key, panel in zip(keys, panels, strict=False):
        _net_rows(panel, nets)
        if key == "accuracy":
            _draw_errors(panel, nets, metrics["dataset"]["rows"]["test"])
        else:
            _draw_quality(panel, nets, key, (metrics["dataset"].get("bayes") or {}).get(key))
    if timed:
        _net_rows(panels[-1], nets)
        _draw_latency(panels[-1], nets)
    return figure


def figure_with_panels(height: float, panels: int, width: float = 6.4, beside: bool = False) -> tuple[Any, list[Any]]:
    """Empty figure in the style of all figures, and its panels.

    Args:
        height, width: Inches. 6.4 inches across is what a phone still shows at a readable size.
        panels: Number of panels.
        beside: Put them side by side, with one common vertical axis; else one above the other.

    Raises:
        ImportError: matplotlib is not installed.
    """
    matplotlib_figure = require("matplotlib.figure", extra="launch")
    figure = matplotlib_figure.Figure(figsize=(width, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(hspace=0.08, h_pad=0.1, w_pad=0.1)
    shape = (1, panels) if beside else (panels, 1)
    axes = list(figure.subplots(*shape, squeeze=False, sharey=beside).flat)
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(FAINT)
        panel.tick_params(color=FAINT, labelcolor=INK, labelsize=9)
        panel.set_axisbelow(True)
        for label in (panel.xaxis.label, panel.yaxis.label):
            label.set(fontsize=10, color=INK)
    return figure, axes


def set_title(panel: Any, text: str, room_below: float = 8) -> None:
    """Title above the left end of a panel, `room_below` points above it."""
    panel.set_title(text, loc="left", pad=room_below, fontsize=11, fontweight="bold", color=INK)


def _validation_curves(metrics: dict[str, Any]) -> dict[str, list[float]]:
    """Validation error in percent, or validation AUC, of each net by epoch."""
    history, key = metrics["history"], "accuracy" if is_accuracy(metrics) else "auc"
    curves = {
        "base": history["base"][f"val_{key}"],
        "light": history["rocket"][f"val_light_{key}"],
        "booster": history["booster"][f"val_{key}"],
        "booster_in_rocket": history["rocket"][f"val_booster_{key}"],
    }
    return {
        net: [100 * (1 - value) for value in curve] if key == "accuracy" else curve for net, curve in curves.items()
    }


def _draw(panel: Any, values: list[float], **style: Any) -> None:
    """One curve over the epochs 1, 2, ...; a run of few epochs also gets its points marked."""
    marks = {"marker": "o", "markersize": 3.5} if len(values) <= 12 else {}
    panel.plot(range(1, len(values) + 1), values, **{"linewidth": 1.6, **style, **marks})


def _limit_to_later_epochs(panel: Any, curves: list[list[float]], from_zero: bool) -> None:
    """Lets the first, steep epochs run out of the panel, so that the nets can be told apart where it matters."""
    values = [value for curve in curves for value in curve[len(curve) // 3 :] if math.isfinite(value)]
    if not values:
        return
    low, high = 0.0 if from_zero else min(values), max(values)
    margin = 0.08 * (high - low) or 0.01
    panel.set_ylim(low if from_zero else low - margin, high + margin)


def _epochs_below(panel: Any) -> None:
    panel.set_xlabel("epoch")
    panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    panel.set_xlim(0.5, max(len(line.get_xdata()) for line in panel.lines) + 0.5)
    panel.grid(axis="y", color=FAINT, linewidth=0.6)


def _net_rows(panel: Any, nets: dict[str, dict[str, Any]]) -> None:
    """One row for each net, the first on top."""
    panel.set_yticks(range(len(nets)), [NET_NAMES[name] for name in nets])
    panel.set_ylim(len(nets) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color=FAINT, linewidth=0.6)


def _draw_errors(panel: Any, nets: dict[str, dict[str, Any]], rows: int) -> None:
    highest = 0.0
    for row, (name, net) in enumerate(nets.items()):
        accuracy = net["test"]["accuracy"]
        low, high = (100 * (1 - bound) for bound in reversed(wilson_interval(accuracy, rows)))
        panel.plot([low, high], [row, row], color=COLOURS[name], linewidth=2, solid_capstyle="butt")
        _draw_dot(panel, 100 * (1 - accuracy), row, name)
        _label(panel, high, row, f"{100 * (1 - accuracy):.2f} %")
        highest = max(highest, high)
    panel.set_xlim(0, 1.2 * highest)
    set_title(panel, "Test error")
    panel.set_xlabel(f"test error (%) with 95 % interval, {rows:,} rows; lower is better")


def _draw_quality(panel: Any, nets: dict[str, dict[str, Any]], key: str, bayes: float | None) -> None:
    known = [] if bayes is None else [bayes]
    for row, (name, net) in enumerate(nets.items()):
        value = net["test"].get(key)
        if value is not None and math.isfinite(value):
            _draw_dot(panel, value, row, name)
            _label(panel, value, row, f"{value:.4f}")
            known.append(value)
    if known:
        span = max(known) - min(known) or 0.01
        panel.set_xlim(min(known) - 0.1 * span, max(known) + 0.2 * span)
    if bayes is not None:
        panel.axvline(bayes, color=INK, linewidth=1.2, linestyle=(0, (3, 2)), zorder=1)
        above = {"xycoords": ("data", "axes fraction"), "xytext": (0, 3), "textcoords": "offset points"}
        panel.annotate(f"Bayes optimum {bayes:.4f}", (bayes, 1), ha="center", fontsize=9, color=INK, **above)
    set_title(panel, f"Test {CTR_QUALITIES[key]}")
    panel.set_xlabel(f"test {CTR_QUALITIES[key]}; higher is better")


def _draw_latency(panel: Any, nets: dict[str, dict[str, Any]]) -> None:
    longest = 0.0
    for row, (name, net) in enumerate(nets.items()):
        if not net["latency"]:
            _label(panel, 0, row, "not measured")
            continue
        p50, p99 = net["latency"]["p50_ms"], net["latency"]["p99_ms"]
        panel.plot([p50, p99], [row, row], color=COLOURS[name], linewidth=2)
        panel.plot([p99], [row], marker="|", markersize=11, markeredgewidth=2, color=COLOURS[name])
        _draw_dot(panel, p50, row, name)
        _label(panel, p99, row, f"{format_number(p50)} / {format_number(p99)} ms{latency_marks(net['latency'])}")
        longest = max(longest, p99)
    panel.set_xlim(0, 1.4 * longest)
    set_title(panel, "Latency")
    batches = sorted({net["latency"]["batch_size"] for net in nets.values() if net["latency"]})
    marks = marks_legend((net["latency"] for net in nets.values()), short=True)
    panel.set_xlabel(f"ms for a batch of {' or '.join(map(str, batches))}: dot p50, bar p99; lower is better{marks}")


def _draw_dot(panel: Any, value: float, row: int, name: str) -> None:
    panel.plot([value], [row], marker="o", markersize=7, color=COLOURS[name])


def _label(panel: Any, right_of: float, row: int, text: str) -> None:
    """Text just right of a point; on white, so that it stays readable where it crosses a grid line."""
    beside = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    panel.annotate(text, (right_of, row), fontsize=9, color=INK, bbox=white, **beside)
