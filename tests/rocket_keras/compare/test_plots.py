"""Figures of a comparison hold its numbers; no label covers another."""

import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest

from rocket_keras.compare.plots import comparison_figure, cost_figure
from rocket_keras.compare.summary import rows
from rocket_keras.compare.trial_plots import missing_class_figure, sweep_figure

helpers = runpy.run_path(str(Path(__file__).with_name("made_up.py")))
made_up, ALL = helpers["made_up"], helpers["ALL"]


def points(panel, marker=None):
    """The single points of a panel, as pairs; with a marker those alone."""
    lines = [line for line in panel.lines if len(line.get_xdata()) == 1]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines if marker in (None, line.get_marker())]


def test_each_method_has_a_row_with_its_mean_and_its_difference():
    result = made_up(relay=True)
    figure = comparison_figure(result)
    quality, difference = figure.axes
    order = rows(result)
    assert [label.get_text() for label in quality.get_yticklabels()] == [row.title for row in order]
    drawn = {place: x for x, place in points(quality)}
    assert drawn == {place: row.quality.mean for place, row in enumerate(order)}
    drawn = {place: x for x, place in points(difference)}
    assert drawn == pytest.approx({place: row.difference.mean for place, row in enumerate(order) if row.difference})


def test_a_method_far_below_the_base_does_not_squeeze_the_rest():
    result = made_up()
    for run in result["methods"]["kd"]["runs"]:
        run["test"]["auc"] = 0.5
    quality, _ = comparison_figure(result).axes
    assert quality.get_xlim()[0] > 0.8
    assert "◀ 0.5000" in [text.get_text() for text in quality.texts]


def test_accuracy_is_in_percent_and_one_seed_can_be_drawn():
    quality, difference = comparison_figure(made_up(seeds=(0,), metric="accuracy")).axes
    assert 90 < quality.get_xlim()[0] < quality.get_xlim()[1] < 100
    assert "(%)" in quality.get_xlabel()
    assert "percentage points" in difference.get_xlabel()


@pytest.mark.parametrize("names", [("base", "booster", "rocket", "kd"), ALL])
def test_labels_of_the_cost_figure_do_not_overlap(names):
    result = made_up(names, relay=True)
    figure = cost_figure(result)
    (panel,) = figure.axes
    labels = [text for text in panel.texts if text.get_text()]
    assert sorted(label.get_text() for label in labels) == sorted(row.title for row in rows(result))
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in labels]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert sorted(points(panel)) == sorted((row.seconds, row.quality.mean) for row in rows(result))


def sweep():
    def taught(*means):
        return {"runs": [{"seed": seed, "test": {"accuracy": mean}} for seed, mean in enumerate(means)]}

    small = {"label": "10", "multiply_adds": 1_000_000}
    large = {"label": "16", "multiply_adds": 2_000_000}
    few = {"base": taught(0.90, 0.92), "kd": taught(0.93, 0.95), "rocket": taught(0.94, 0.96)}
    more = {"base": taught(0.95, 0.97), "kd": taught(0.96, 0.98), "rocket": taught(0.98)}
    return {"axis": "depth", "points": [{**small, "methods": few}, {**large, "methods": more}]}


def test_sweep_has_a_curve_with_a_band_for_each_method_and_the_booster():
    result = {**made_up(metric="accuracy"), "sweep": sweep()}
    (panel,) = sweep_figure(result).axes
    curves = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in panel.lines}
    assert curves["base"] == ([1.0, 2.0], pytest.approx([91.0, 96.0]))
    assert curves["rocket"] == ([1.0, 2.0], pytest.approx([95.0, 98.0]))
    booster = 100 * np.mean([run["test"]["accuracy"] for run in result["methods"]["booster"]["runs"]])
    assert curves["booster alone"][1] == pytest.approx([booster, booster])
    band = panel.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(91 - 100 * np.std([0.90, 0.92], ddof=1))
    assert [label.get_text() for label in panel.get_xticklabels()] == ["1\ndepth 10", "2\ndepth 16"]


def test_missing_class_has_the_class_and_all_classes_before_and_after_the_correction():
    def scored(on_class, on_all):
        return {"per_class": [0.9, on_class], "test": {"accuracy": on_all}}

    runs = [{"seed": 0, **scored(0.25, 0.5), "bias_corrected": scored(0.75, 0.875)}]
    trial = {"class": 1, "methods": {"kd": {"title": "KD without class 1", "runs": runs}}}
    on_class, on_all = missing_class_figure({"missing_class": trial}).axes
    assert [x for x, _ in points(on_class, "o")] == [25.0, 75.0]
    assert [x for x, _ in points(on_all, "o")] == [50.0, 87.5]
    assert on_class.get_title(loc="left") == "Accuracy on class 1"
