"""The two figures of a launch: learning curves, and the comparison of the nets in quality and latency.

A net has the same colour in every figure (from the palette of Okabe and Ito, safe for colour-blind readers), and the line
style or the label tells it apart in grey print, too. No pyplot: nothing global is touched, no display is needed.
"""

import math
from typing import Any

from rocket_keras.summary import CTR_QUALITIES, NET_NAMES, format_number, is_accuracy, nets_in_order, wilson_interval

COLOURS = {"base": "#6B7280", "light": "#0072B2", "booster": "#D55E00", "booster_in_rocket": "#E69F00"}
HINT_COLOUR = "#009E73"
INK, FAINT = "#1F2937", "#D1D5DB"
LEGEND_ROOM = 24
STYLES = {
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
    figure, (quality, losses) = _figure(height=6.4, panels=2)
    curves = _validation_curves(metrics)
    for name, values in curves.items():
        _draw(quality, values, label=NET_NAMES[name], color=COLOURS[name], **STYLES[name])
    _limit_to_later_epochs(quality, list(curves.values()), from_zero=is_accuracy(metrics))
    quality.set_title("Validation quality", loc="left", pad=LEGEND_ROOM)
    quality.set_ylabel("validation error (%)" if is_accuracy(metrics) else "validation AUC")
    rocket = metrics["history"]["rocket"]
    terms = {
        "light_loss": ("label loss of light", COLOURS["light"], STYLES["light"]),
        "booster_loss": ("label loss of booster", COLOURS["booster_in_rocket"], STYLES["booster_in_rocket"]),
        "hint_loss": ("hint loss", HINT_COLOUR, {"linestyle": (0, (1, 1))}),
    }
    for term, (label, colour, style) in terms.items():
        _draw(losses, rocket[term], label=label, color=colour, **style)
    losses.set_title("Loss terms of the rocket", loc="left", pad=LEGEND_ROOM)
    # The terms differ by orders of magnitude; a hint of weight 0 before a swap step may be exactly 0.
    losses.set_yscale("log" if all(value > 0 for term in terms for value in rocket[term]) else "linear")
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
            handlelength=1.8,
            columnspacing=1.4,
            borderaxespad=0.4,
        )
    return figure


def comparison_figure(metrics: dict[str, Any]) -> Any:
    """Figure of the nets' test quality and of their latency (p50 and p99), one panel each, a row for each net.

    Accuracy is shown as test error with its 95 % Wilson interval; AUC and GAUC with the Bayes optimum where it is known.

    Raises:
        ImportError: matplotlib is not installed.
    """
    nets = nets_in_order(metrics)
    timed = any(net["latency"] for net in nets.values())
    keys = ["accuracy"] if is_accuracy(metrics) else ["auc", "gauc"]
    figure, panels = _figure(height=2.3 * (len(keys) + timed) + 0.2, panels=len(keys) + timed)
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


def _figure(height: float, panels: int) -> tuple[Any, list[Any]]:
    """Figure with panels one above the other, 6.4 inches wide: on a phone, panels side by side would be too small."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "expected matplotlib for the report's plots, received no such module: pip install 'rocket-keras[launch]'"
        ) from error
    figure = Figure(figsize=(6.4, height), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(hspace=0.08, h_pad=0.1, w_pad=0.1)
    axes = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(FAINT)
        panel.tick_params(color=FAINT, labelcolor=INK, labelsize=9)
        panel.set_axisbelow(True)
        panel.title.set(fontsize=11, fontweight="bold", color=INK)
        for label in (panel.xaxis.label, panel.yaxis.label):
            label.set(fontsize=10, color=INK)
    return figure, axes


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
    values = [value for curve in curves for value in curve[len(curve) // 4 :] if math.isfinite(value)]
    if not values:
        return
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or 0.01 * abs(high) or 1.0
    panel.set_ylim(0 if from_zero else low - margin, high + margin)


def _epochs_below(panel: Any) -> None:
    panel.set_xlabel("epoch")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(axis="y", color=FAINT, linewidth=0.6)


def _net_rows(panel: Any, nets: dict[str, dict[str, Any]]) -> None:
    """One row for each net, the first on top."""
    panel.set_yticks(range(len(nets)), [NET_NAMES[name] for name in nets])
    panel.set_ylim(len(nets) - 0.5, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color=FAINT, linewidth=0.6)
    panel.margins(x=0.12)


def _draw_errors(panel: Any, nets: dict[str, dict[str, Any]], rows: int) -> None:
    for row, (name, net) in enumerate(nets.items()):
        accuracy = net["test"]["accuracy"]
        low, high = (100 * (1 - bound) for bound in reversed(wilson_interval(accuracy, rows)))
        panel.plot([low, high], [row, row], color=COLOURS[name], linewidth=2, solid_capstyle="butt")
        _draw_dot(panel, 100 * (1 - accuracy), row, name, f"{100 * (1 - accuracy):.2f} %")
    panel.set_xlim(left=0)
    panel.set_title("Test error", loc="left")
    panel.set_xlabel(f"test error (%), with 95 % interval ({rows:,} rows); lower is better")


def _draw_quality(panel: Any, nets: dict[str, dict[str, Any]], key: str, bayes: float | None) -> None:
    for row, (name, net) in enumerate(nets.items()):
        if net["test"][key] is not None and math.isfinite(net["test"][key]):
            _draw_dot(panel, net["test"][key], row, name, f"{net['test'][key]:.4f}")
    if bayes is not None:
        panel.axvline(bayes, color=INK, linewidth=1.2, linestyle=(0, (3, 2)))
        panel.annotate(
            f"Bayes optimum {bayes:.4f} ",
            (bayes, 1),
            xycoords=("data", "axes fraction"),
            ha="right",
            va="bottom",
            fontsize=9,
            color=INK,
        )
    panel.set_title(f"Test {CTR_QUALITIES[key]}", loc="left")
    panel.set_xlabel(f"test {CTR_QUALITIES[key]}; higher is better")


def _draw_latency(panel: Any, nets: dict[str, dict[str, Any]]) -> None:
    for row, (name, net) in enumerate(nets.items()):
        if not net["latency"]:
            panel.annotate(
                "not measured",
                (0, row),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=COLOURS["base"],
            )
            continue
        p50, p99 = net["latency"]["p50_ms"], net["latency"]["p99_ms"]
        panel.plot([p50, p99], [row, row], color=COLOURS[name], linewidth=2)
        panel.plot([p99], [row], marker="|", markersize=11, markeredgewidth=2, color=COLOURS[name])
        _draw_dot(panel, p50, row, name, f"{format_number(p50)} / {format_number(p99)} ms")
    measured = next(net["latency"] for net in nets.values() if net["latency"])
    panel.set_xlim(left=0)
    panel.set_title("Latency", loc="left")
    panel.set_xlabel(f"ms for a batch of {measured['batch_size']}: dot p50, bar p99; lower is better")


def _draw_dot(panel: Any, value: float, row: int, name: str, text: str) -> None:
    panel.plot([value], [row], marker="o", markersize=7, color=COLOURS[name])
    panel.annotate(
        text, (value, row), xytext=(0, 7), textcoords="offset points", ha="center", va="bottom", fontsize=9, color=INK
    )
