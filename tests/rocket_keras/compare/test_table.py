"""The table of a comparison, in the terminal and in Markdown."""

import io
import runpy
from pathlib import Path

import pytest
from rich.console import Console

from rocket_keras.compare.table import caption, grid_rows, left_out, markdown, print_comparison, table_rows

helpers = runpy.run_path(str(Path(__file__).with_name("made_up.py")))
made_up, ALL = helpers["made_up"], helpers["ALL"]


def printed(result, width):
    file = io.StringIO()
    print_comparison(result, Console(file=file, width=width))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_number_is_cut_at_any_width(width):
    result = made_up(ALL, relay=True)
    text = printed(result, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for row in table_rows(result):
        for title, cell in row.items():
            if title != "method":
                assert cell in text


def test_wide_consoles_have_one_table_and_narrow_ones_several():
    result = made_up(ALL, relay=True)
    assert "(1 of" not in printed(result, 140)
    assert "(1 of" in printed(result, 80)


def test_a_row_has_mean_deviation_and_paired_difference():
    result = made_up(("base", "kd"))
    for name, values in {"base": (0.70, 0.74, 0.72), "kd": (0.71, 0.751, 0.732)}.items():
        result["methods"][name]["runs"] = [
            {"seed": s, "test": {"auc": value}, "seconds": 12.34} for s, value in enumerate(values)
        ]
        result["methods"][name]["same_seconds"] = None
    base, kd = table_rows(result)
    assert (base["method"], base["test AUC"], base["to base ± 95 %"]) == ("base", "0.7200 ± 0.0200", "–")
    assert (kd["test AUC"], kd["to base ± 95 %"], kd["total s"]) == ("0.7310 ± 0.0205", "+0.0110 ± 0.0025", "12.3")
    assert "test GAUC" not in kd
    assert "AUC in rocket's s" not in kd


def test_one_seed_has_neither_deviation_nor_interval():
    rows = table_rows(made_up(seeds=(4,), metric="accuracy"))
    assert all("±" not in cell for row in rows for cell in row.values())
    assert all(row["test accuracy %"] != "–" for row in rows)
    assert "test rows, seed 4." in printed(made_up(seeds=(4,)), 200)


def test_interrupted_failed_and_skipped_are_said():
    result = {**made_up(), "complete": False}
    del result["methods"]["kd"]["runs"][0]
    result["methods"]["kd"]["failed"] = {"0": "the loss is not finite"}
    assert next(row for row in table_rows(result) if row["method"] == "KD")["runs"] == "2/3"
    text = " ".join(printed(result, 140).split())
    for note in left_out(result):
        assert note in text
    assert left_out(result) == [
        "The comparison is not complete: the same command goes on with it.",
        "Skipped dkd: it is defined on the logits of several classes, and a click has one.",
        "Failed kd, seed 0: the loss is not finite.",
    ]


def test_latency_is_not_without_its_setting():
    setting = "batch of 200, 1 thread, onnxruntime 1.31.1, 300 requests, Chip 7"
    assert setting in " ".join(printed(made_up(), 140).split())
    result = made_up()
    for method in result["methods"].values():
        method["latency"] = None
    assert "Latency was not measured." in " ".join(printed(result, 140).split())
    assert "p50 ms" not in table_rows(result)[0]


def test_a_disturbed_latency_is_marked_and_the_mark_explained():
    result = made_up(ALL)
    plain = {row["method"]: row["p99 ms"] for row in table_rows(result)}
    assert not any("‡" in cell for cell in plain.values())
    method = next(method for method in result["methods"].values() if method.get("latency"))
    method["latency"] = {**method["latency"], "disturbed": True}
    marked = {row["method"]: row["p99 ms"] for row in table_rows(result)}
    assert marked == {**plain, method["title"]: f"{plain[method['title']]}‡"}
    assert "‡ Disturbed: something else ran" in caption(result)
    assert f"{plain[method['title']]}‡ |" in markdown(result)
    assert f"{plain[method['title']]}‡" in printed(result, 140)


def test_trainings_side_by_side_are_said():
    assert "2 trainings ran at the same time" in " ".join(printed({**made_up(), "workers": 2}, 140).split())


def test_markdown_has_the_same_cells():
    result = made_up(relay=True)
    lines = [line for line in markdown(result).splitlines() if line.startswith("|")]
    rows = table_rows(result)
    assert lines[0] == f"| {' | '.join(rows[0])} |"
    assert lines[2:] == [f"| {' | '.join(row.values())} |" for row in rows]
    assert "- Skipped dkd: it is defined" in markdown(result)


def test_grid_has_validation_scores_and_names_an_edge():
    result = made_up()
    result["methods"]["kd"]["factor"] = 1.0
    rocket, kd = grid_rows(result)
    mean = result["methods"]["rocket"]["tuning"]["3"]["auc"]
    assert rocket["factor 3"] == f"{mean:.4f}"
    assert (rocket["chosen"], kd["chosen"]) == ("0.333, at the edge", "1")


def test_uneven_seconds_are_told():
    result = made_up()
    assert "not quiet" not in caption(result)
    first = result["methods"]["kd"]["runs"][0]
    first["seconds"] *= 3
    times = max(run["seconds"] for run in result["methods"]["kd"]["runs"]) / min(
        run["seconds"] for run in result["methods"]["kd"]["runs"]
    )
    assert f"one method took up to {times:.1f} times as long at one seed as at another" in caption(result)
    result["methods"]["kd"]["runs"] = []  # all seeds failed
    assert "not quiet" not in caption(result)
