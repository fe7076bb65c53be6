"""report.html of a comparison: self-contained, with findings, table, pictures, grid and what was left out."""

import html
import re
import runpy
from pathlib import Path

import pytest

from rocket_keras.compare.findings import findings
from rocket_keras.compare.page import write_comparison
from rocket_keras.compare.table import table_rows

made_up = runpy.run_path(str(Path(__file__).with_name("made_up.py")))["made_up"]
PNG = b"\x89PNG"


def written(result, folder):
    write_comparison(result, folder)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_page_has_findings_then_the_table_and_needs_no_network(tmp_path):
    result = made_up(relay=True)
    page = written(result, tmp_path / "new")
    assert (tmp_path / "new" / "comparison.png").read_bytes().startswith(PNG)
    assert (tmp_path / "new" / "cost.png").read_bytes().startswith(PNG)
    assert not (tmp_path / "new" / "sweep.png").exists()
    assert page.index("What came out") < page.index("All methods on the test split") < page.index("Grid of the hint")
    plain = html.unescape(page)
    for sentence in findings(result):
        assert sentence in plain
    for row in table_rows(result):
        assert row["test AUC"] in plain
    assert not re.search(r'(src|href)="(?!data:)', page)
    for part in ("Skipped dkd", "scored once", result["command"], "Example 9000", "0123abcd", "Somebody et al., 2020"):
        assert part in plain


def test_text_of_the_result_is_escaped(tmp_path):
    result = made_up()
    result["methods"]["kd"]["title"] = "<b>KD</b>"
    result["skipped"] = {"x": "<script>"}
    page = written(result, tmp_path)
    assert "<b>KD" not in page
    assert "<script>" not in page


def test_trials_that_were_run_are_drawn_and_the_features_taken_from_the_folder(tmp_path):
    runs = [{"seed": 0, "test": {"auc": 0.8}}]
    point = {"label": "64", "multiply_adds": 1000, "methods": {"base": {"runs": runs}}}
    result = {**made_up(), "sweep": {"axis": "width", "points": [point]}}
    result["features"] = {"groups": [], "png": "features.png"}
    (tmp_path / "features.png").write_bytes(PNG)
    page = written(result, tmp_path)
    assert (tmp_path / "sweep.png").exists()
    assert page.count("<img ") == 4


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_a_comparison_that_has_just_begun_is_a_page_too(tmp_path, seeds):
    result = {**made_up(seeds=seeds), "complete": False}
    for method in result["methods"].values():
        method["runs"], method["same_seconds"] = [], None
    page = written(result, tmp_path)
    assert "is not complete" in page
    assert "<img " not in page
    result["methods"]["base"]["runs"] = made_up(seeds=seeds)["methods"]["base"]["runs"]
    assert written(result, tmp_path).count("<img ") == 2
