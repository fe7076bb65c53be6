"""Holm's correction against numbers worked out by hand and by R, and where its p-values stand."""

import html
import io
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from rocket_keras.compare.differences import holm, paired_difference
from rocket_keras.compare.findings import findings
from rocket_keras.compare.page import write_comparison
from rocket_keras.compare.summary import differences_to_base, rows, with_differences
from rocket_keras.compare.table import caption, markdown, print_comparison, table_rows

made_up = runpy.run_path(str(Path(__file__).with_name("made_up.py")))["made_up"]
SCORES = {
    "base": (0.70, 0.74, 0.72),
    "booster": (0.75, 0.79, 0.772),
    "rocket": (0.71, 0.751, 0.732),
    "kd": (0.71, 0.73, 0.722),
}


@pytest.fixture
def result():
    content = made_up(tuple(SCORES))
    for name, values in SCORES.items():
        content["methods"][name] |= {
            "runs": [{"seed": s, "test": {"auc": value}, "seconds": 9.0} for s, value in enumerate(values)],
            "same_seconds": None,
        }
    return content


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        # What R's p.adjust gives.
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),
        # Sorted: 4 x .01, 3 x .02, 2 x .03, and 1 x .04, which may not be smaller than the one before.
        ([0.03, 0.01, 0.04, 0.02], [0.06, 0.04, 0.06, 0.06]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.0, 1.0], [0.0, 1.0]),
        ([0.03], [0.03]),
        ([], []),
    ],
)
def test_holm_is_that_of_r(p_values, corrected):
    assert holm(p_values) == pytest.approx(corrected)


def test_p_is_that_of_scipy_s_paired_test_and_defined_where_all_differences_are_equal():
    first, second = (0.81, 0.83, 0.82), (0.80, 0.80, 0.80)
    difference = paired_difference(dict(enumerate(first)), dict(enumerate(second)))
    assert difference.p == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert paired_difference({0: 0.75, 1: 0.5}, {0: 0.5, 1: 0.25}).p == 0.0
    assert paired_difference({0: 0.75, 1: 0.5}, {0: 0.75, 1: 0.5}).p == 1.0
    assert paired_difference({0: 0.75}, {0: 0.5}).p is None


def expected(names):
    """Holm over SciPy's p-values, from the largest down, as the closed form of the method."""
    p = {name: stats.ttest_rel(SCORES[name], SCORES["base"]).pvalue for name in names}
    ordered = sorted(p, key=p.get)
    steps = {name: (len(ordered) - rank) * p[name] for rank, name in enumerate(ordered)}
    return {name: min(1.0, max(steps[other] for other in ordered[: ordered.index(name) + 1])) for name in ordered}


def test_the_family_is_the_table_and_every_form_of_it_has_the_same_numbers(result, tmp_path):
    wanted = expected(["booster", "rocket", "kd"])
    single = stats.ttest_rel(SCORES["rocket"], SCORES["base"]).pvalue
    assert wanted["rocket"] > 1.9 * single  # the correction does something here
    differences = {row.method: row.difference for row in rows(result)}
    assert differences["base"] is None
    for name, p in wanted.items():
        assert differences[name].p_holm == pytest.approx(p)
        assert differences[name].p <= differences[name].p_holm
    cells = {line["method"]: line["p (Holm)"] for line in table_rows(result)}
    assert cells == {
        "base": "–",
        **{result["methods"][n]["title"]: "<0.001" if p < 0.0005 else f"{p:.3f}" for n, p in wanted.items()},
    }
    file = io.StringIO()
    print_comparison(result, Console(file=file, width=140))
    write_comparison(result, tmp_path)
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    for text in (file.getvalue(), markdown(result), page):
        assert cells["rocket"] in text
        assert cells["KD"] in text
        assert "corrected for the 3 comparisons to base" in " ".join(text.split())
    stored = json.loads(json.dumps(with_differences(result)))["methods"]
    assert stored["base"]["to_base"] is None
    assert stored["kd"]["to_base"]["p_holm"] == pytest.approx(wanted["kd"])
    assert stored["kd"]["to_base"]["mean"] == pytest.approx(np.mean([0.01, -0.01, 0.002]))
    assert rows(with_differences(result)) == rows(result)


def test_a_row_without_an_interval_is_in_no_family(result):
    result["methods"]["kd"]["runs"] = result["methods"]["kd"]["runs"][:1]
    wanted = expected(["booster", "rocket"])
    differences = differences_to_base(result)
    assert differences["kd"].p_holm is None
    assert differences["rocket"].p_holm == pytest.approx(wanted["rocket"])
    alone = made_up(seeds=(0,))
    assert "p (Holm)" not in table_rows(alone)[0]
    assert "Holm" not in caption(alone)


def test_a_sentence_about_the_base_has_the_p_value_of_the_table(result):
    (text,) = (sentence for sentence in findings(result) if sentence.startswith("Rocket beats the base:"))
    p = expected(["booster", "rocket", "kd"])["rocket"]
    assert text.endswith(f"3 seeds); p {p:.3f} by Holm over the table's 3 differences to base.")


def test_a_chosen_factor_at_the_edge_of_the_grid_is_marked_in_the_table(result):
    for name, factor in {"rocket": 1 / 3, "kd": 1.0}.items():
        result["methods"][name]["factor"] = factor
    cells = {line["method"]: line["hint ×"] for line in table_rows(result)}
    assert cells == {"base": "–", "booster alone": "–", "rocket": "0.333§", "KD": "1"}
    assert "§ at the edge of the grid" in caption(result)
    stored = with_differences(result)["methods"]
    assert {name: method["factor_at_edge"] for name, method in stored.items()} == {
        "base": False,
        "booster": False,
        "rocket": True,
        "kd": False,
    }
    result["methods"]["rocket"]["factor"] = 1.0
    assert "§" not in markdown(result)


def test_a_variant_of_rocket_is_marked_with_rocket_s_factor_and_one_factor_has_no_edge():
    result = made_up(("base", "rocket", "rocket-routed"))
    result["methods"]["rocket-routed"]["factor"] = 1 / 3
    assert [row.method for row in rows(result) if row.at_edge] == ["rocket", "rocket-routed"]
    result["grid"] = [1.0]
    for method in result["methods"].values():
        method["factor"], method["tuning"] = 1.0, {}
    assert not any(row.at_edge for row in rows(result))
