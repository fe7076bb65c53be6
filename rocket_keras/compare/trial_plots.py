"""Figures of the papers' trials: light nets of several depths, and a transfer set that lacks a class."""

from collections.abc import Mapping, Sequence
from typing import Any

from rocket_keras.compare.plots import axis_name, scale_of
from rocket_keras.compare.summary import Spread, by_seed, scores_of, spread
from rocket_keras.plots import COLOURS, FAINT, INK, LEGEND_ROOM, figure_with_panels, set_title

CURVES = {
    "base": ("base", COLOURS["base"], "o"),
    "kd": ("KD", COLOURS["booster_in_rocket"], "D"),
    "rocket": ("rocket", COLOURS["light"], "s"),
}
LEGEND = {"frameon": False, "fontsize": 9, "labelcolor": INK}


def sweep_figure(result: Mapping[str, Any]) -> Any:
    """Figure of the test quality of base, KD and rocket for light nets of several sizes under one booster.

    The bands are ± one standard deviation over the seeds; a point of one seed has none.

    References: Zhou et al., Rocket Launching, AAAI 2018, figure on the depth of the light net.

    Raises:
        ImportError: matplotlib is not installed.
    """
    sweep, metric = result["sweep"], result["metric"]
    scale = scale_of(metric)
    figure, (panel,) = figure_with_panels(4.4, 1)
    panel.set_xscale("log")
    for name, (label, colour, marker) in CURVES.items():
        found = [(point, _quality(point, name, metric)) for point in sweep["points"]]
        drawn = [(point["multiply_adds"] / 1e6, quality) for point, quality in found if quality]
        if not drawn:
            continue
        x, means = [size for size, _ in drawn], [scale * quality.mean for _, quality in drawn]
        deviations = [scale * (quality.sd or 0) for _, quality in drawn]
        panel.plot(x, means, color=colour, marker=marker, markersize=6, linewidth=1.8, label=label)
        edges = [[mean + side * sd for mean, sd in zip(means, deviations, strict=True)] for side in (-1, 1)]
        panel.fill_between(x, *edges, color=colour, alpha=0.15, linewidth=0)
    booster = spread(scores_of(result, "booster").values())
    if booster:
        dashed = {"color": COLOURS["booster"], "linewidth": 1.4, "linestyle": (0, (4, 2))}
        panel.axhline(scale * booster.mean, label="booster alone", **dashed)
    points = sweep["points"]
    panel.minorticks_off()
    panel.set_xticks(
        [point["multiply_adds"] / 1e6 for point in points],
        [f"{point['multiply_adds'] / 1e6:.3g}\n{sweep['axis']} {point['label']}" for point in points],
    )
    panel.minorticks_off()
    panel.grid(axis="y", color=FAINT, linewidth=0.6)
    panel.set_xlabel(f"million multiply-adds of the light net (logarithmic), and its {sweep['axis']}")
    panel.set_ylabel(axis_name(metric))
    set_title(panel, f"Light nets of several sizes ({sweep['axis']}) under one booster; band ± sd", LEGEND_ROOM)
    panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderpad=0, borderaxespad=0.4, **LEGEND)
    return figure


def _quality(point: Mapping[str, Any], name: str, metric: str) -> Spread | None:
    return spread(by_seed(point["methods"].get(name, {"runs": ()})["runs"], metric).values())


def missing_class_figure(result: Mapping[str, Any]) -> Any:
    """Figure of nets that were taught without one class: test accuracy on that class and on all classes.

    A filled dot is a net as it was trained, a hollow one the same with the class's bias corrected on validation.

    References: Hinton et al., Distilling the Knowledge in a Neural Network, 2015, section 3.

    Raises:
        ImportError: matplotlib is not installed.
    """
    trial = result["missing_class"]
    number, methods = trial["class"], list(trial["methods"].values())
    figure, panels = figure_with_panels(1.9 + 0.75 * len(methods), 2, width=9.6, beside=True)
    titles = (f"Accuracy on class {number}", "Accuracy on all classes")
    for panel, title in zip(panels, titles, strict=True):
        panel.set_yticks(range(len(methods)), [method["title"] for method in methods])
        panel.set_ylim(len(methods) - 0.4, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", color=FAINT, linewidth=0.6)
        panel.margins(x=0.1)
        set_title(panel, title)
        panel.set_xlabel("test accuracy (%): large dot mean, small dots seeds")
    for place, method in enumerate(methods):
        runs = method["runs"]
        corrected = [run["bias_corrected"] for run in runs if run["bias_corrected"]]
        for rows, shift, filled in ((runs, -0.12, True), (corrected, 0.18, False)):
            _dots(panels[0], [100 * row["per_class"][number] for row in rows], place + shift, filled)
            _dots(panels[1], [100 * row["test"]["accuracy"] for row in rows], place + shift, filled)
    for filled, label in ((True, "as trained"), (False, "bias of the class corrected on validation")):
        panels[0].plot([], [], linestyle="none", label=label, **_look(filled))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, **LEGEND)
    return figure


def _dots(panel: Any, values: Sequence[float], place: float, filled: bool) -> None:
    if not values:
        return
    mean = sum(values) / len(values)
    panel.plot(values, [place] * len(values), ".", color=INK, markersize=3, alpha=0.6, zorder=4)
    panel.plot([mean], [place], clip_on=False, **_look(filled))
    above = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
    panel.annotate(f"{mean:.1f}", (mean, place), fontsize=8, color=INK, **above)


def _look(filled: bool) -> dict[str, Any]:
    blue = COLOURS["light"]
    return {"marker": "o", "markersize": 7, "color": blue, "markerfacecolor": blue if filled else "white"}
