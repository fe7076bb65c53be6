"""Statistics of a comparison against NumPy, SciPy and numbers worked out by hand."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rocket_keras.compare.summary import gap_closed, paired_difference, quality_text, rows, scores_of, spread

made_up = runpy.run_path(str(Path(__file__).with_name("made_up.py")))["made_up"]


def set_scores(result, name, values, key="auc", again=None):
    """Put in the test scores of a method's runs, and of those at equal seconds."""
    method = result["methods"][name]
    method["runs"] = [{"seed": seed, "test": {key: value}, "seconds": 10.0 + seed} for seed, value in enumerate(values)]
    method["same_seconds"] = None
    if again is not None:
        runs = [{"seed": seed, "test": {key: value}, "seconds": 11.0} for seed, value in enumerate(again)]
        method["same_seconds"] = {"epoch_scale": 0.5, "runs": runs}


def by_name(result):
    return {row.method: row for row in rows(result)}


def test_spread_is_mean_and_sample_deviation():
    found = spread([0.1, 0.4, 0.7])
    assert found.mean == pytest.approx(np.mean([0.1, 0.4, 0.7]))
    assert found.sd == pytest.approx(np.std([0.1, 0.4, 0.7], ddof=1))
    assert spread([0.5]).sd is None
    assert spread([]) is None


def test_paired_difference_is_scipy_s_interval_over_common_seeds():
    first = {0: 0.81, 1: 0.83, 2: 0.82, 4: 0.9}
    second = {2: 0.80, 1: 0.80, 0: 0.80, 3: 0.1}
    found = paired_difference(first, second)
    test = stats.ttest_rel([0.81, 0.83, 0.82], [0.80, 0.80, 0.80])
    low, high = test.confidence_interval(0.95)
    assert found.mean == pytest.approx(0.02)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.seeds == 3


def test_one_seed_has_no_interval_and_none_no_difference():
    alone = paired_difference({0: 0.8}, {0: 0.7})
    assert (alone.low, alone.high, alone.seeds) == (None, None, 1)
    assert paired_difference({0: 0.8}, {1: 0.7}) is None
    assert paired_difference({0: float("nan")}, {0: 0.7}) is None


def test_equal_differences_have_an_interval_without_length():
    found = paired_difference({0: 0.75, 1: 0.5}, {0: 0.5, 1: 0.25})
    assert (found.low, found.mean, found.high) == (0.25, 0.25, 0.25)


def test_gap_closed_by_hand_over_the_seeds_of_all_three():
    result = made_up()
    set_scores(result, "base", [0.70, 0.72])
    set_scores(result, "booster", [0.80, 0.82, 0.99])
    set_scores(result, "rocket", [0.75, 0.79, 0.10])
    assert gap_closed(result, "rocket", "auc") == pytest.approx(60)
    assert gap_closed(result, "base", "auc") is None
    set_scores(result, "booster", [0.69, 0.70])
    assert gap_closed(result, "rocket", "auc") is None
    # Better on the mean, but by differences of .10 and .00 over two seeds: not beyond noise.
    set_scores(result, "booster", [0.80, 0.72])
    assert gap_closed(result, "rocket", "auc") is None


def test_rows_hold_the_numbers_of_the_runs():
    result = made_up()
    set_scores(result, "base", [0.70, 0.72, 0.71])
    set_scores(result, "kd", [0.73, 0.76], again=[0.71, 0.73])
    row = by_name(result)["kd"]
    assert (row.runs, row.planned) == (2, 3)
    assert row.quality.mean == pytest.approx(0.745)
    assert row.quality.sd == pytest.approx(0.03 / np.sqrt(2))
    assert row.difference.mean == pytest.approx(0.035)
    assert row.seconds == pytest.approx(10.5)
    assert row.same_seconds.mean == pytest.approx(0.72)
    assert row.gauc is None
    assert (row.p50_ms, row.p99_ms, row.factor) == (0.0612, 0.081, 1 / 3)


def test_base_is_first_then_families_then_the_best_mean():
    result = made_up(("base", "booster", "rocket", "kd", "mimic", "dml"), relay=True)
    for name, value in {"base": 0.7, "booster": 0.9, "rocket": 0.6, "kd": 0.71, "mimic": 0.75, "dml": 0.95}.items():
        set_scores(result, name, [value])
    order = [row.method for row in rows(result)]
    assert order[:3] == ["base", "booster", "rocket"]
    assert order.index("mimic") < order.index("kd")
    assert order[-1] == "relay"


def test_without_runs_a_row_has_dashes_and_stands_last_in_its_family():
    result = made_up(("base", "kd", "mimic"))
    set_scores(result, "kd", [])
    assert [row.method for row in rows(result)] == ["base", "mimic", "kd"]
    row = by_name(result)["kd"]
    assert (row.runs, row.quality, row.difference, row.seconds) == (0, None, None, None)


def test_equal_seconds_take_changed_runs_else_plain_ones_that_are_short_enough():
    result = made_up(("base", "rocket", "kd", "dml"))
    set_scores(result, "rocket", [0.8])
    set_scores(result, "kd", [0.9], again=[0.7])
    set_scores(result, "dml", [0.6])
    result["methods"]["dml"]["runs"][0]["seconds"] = 10.9
    assert scores_of(result, "kd", equal="seconds") == {0: 0.7}
    assert scores_of(result, "dml", equal="seconds") == {0: 0.6}
    result["methods"]["dml"]["runs"][0]["seconds"] = 11.1
    assert scores_of(result, "dml", equal="seconds") == {}
    assert scores_of(result, "no such method") == {}


def test_a_rival_has_the_better_of_two_kinds_of_runs_that_are_short_enough():
    result = made_up(("base", "rocket"))
    set_scores(result, "rocket", [0.8])
    set_scores(result, "base", [0.9], again=[0.7])
    assert scores_of(result, "base", equal="seconds") == {0: 0.7}
    assert scores_of(result, "base", equal="seconds", rival=True) == {0: 0.9}
    set_scores(result, "base", [0.6], again=[0.7])
    assert scores_of(result, "base", equal="seconds", rival=True) == {0: 0.7}
    set_scores(result, "base", [0.9], again=[0.7])
    result["methods"]["base"]["runs"][0]["seconds"] = 20.0
    assert scores_of(result, "base", equal="seconds", rival=True) == {0: 0.7}


def test_numbers_have_the_metric_s_unit():
    assert quality_text(0.97654, "accuracy") == "97.65"
    assert quality_text(0.00123, "auc", sign="+") == "+0.0012"
    assert quality_text(-0.00001, "accuracy", sign="+") == "+0.00"
    assert quality_text(float("nan"), "auc") == quality_text(None, "auc") == "–"
