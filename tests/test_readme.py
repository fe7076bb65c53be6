"""The measured tables of README.md and docs/results.md are what the program writes from zoo/results."""

import importlib.util
import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "render_results.py"
made_up = runpy.run_path(str(ROOT / "tests" / "rocket_keras" / "compare" / "made_up.py"))["made_up"]


@pytest.fixture(scope="module")
def renderer():
    spec = importlib.util.spec_from_file_location("render_results", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def net(test, parameters, latency=True):
    scores = {key: {"values": [mean, mean], "mean": mean, "std": 0.00125} for key, mean in test.items()}
    measured = {
        "p50_ms": 0.1234,
        "p95_ms": 0.2,
        "p99_ms": 1.5,
        "batch_size": 200,
        "threads": 1,
        "requests": 300,
        "runtime": "onnxruntime 1.0",
        "device": "a processor",
    }
    cost = {"parameters": parameters, "multiply_adds": 10 * parameters, "training_seconds": 1.0}
    return {"test": scores, **cost, "latency": measured if latency else None}


def summary(entry, test, bayes=None):
    nets = {"base": net(test, 1000), "light": net(test, 1000), "booster": net(test, 20000)}
    return {
        "entry": entry,
        "command": "rocket-keras launch x --seeds 2",
        "backend": "jax",
        "device": "cpu, a processor, 2 cores",
        "versions": {"python": "3.11.0", "keras": "3.15.1", "jax": "0.10.2"},
        "git_commit": "abc123",
        "date": "2030-01-01T00:00:00+00:00",
        "dataset": {"name": "x", "rows": {"test": 540}, "bayes": bayes},
        "recipe": {},
        "seeds": [0, 1],
        "nets": {**nets, "booster_in_rocket": net(test, 20000, latency=False)},
    }


def write(folder, **summaries):
    for name, content in summaries.items():
        (folder / f"launch_{name}.json").write_text(json.dumps(content))


CLICKS = {"auc": 0.71234, "gauc": 0.65432, "log_loss": 0.4}


def run(renderer, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    renderer.main()


def test_documents_are_what_the_results_say(renderer, monkeypatch):
    run(renderer, monkeypatch, "--check")


def test_numbers_of_a_launch_stand_in_its_table(renderer, tmp_path):
    write(tmp_path, adsim=summary("mlp.rocket_mlp_adsim", CLICKS, bayes={"auc": 0.8, "gauc": 0.75, "log_loss": 0.3}))
    lines = renderer.render(renderer.read_summaries(tmp_path)).splitlines()
    assert "| net | test AUC | test GAUC | parameters | multiply-adds | p50 ms | p99 ms |" in lines
    assert "| base | 0.7123 ± 0.0013 | 0.6543 ± 0.0013 | 1,000 | 10,000 | 0.123 | 1.50 |" in lines
    assert "| booster in rocket | 0.7123 ± 0.0013 | 0.6543 ± 0.0013 | 20,000 | 200,000 | – | – |" in lines
    assert "| Bayes optimum | 0.8000 | 0.7500 | – | – | – | – |" in lines
    for part in ("batch of 200, 1 thread, onnxruntime 1.0, 300 requests, a processor", "abc123", "jax 0.10.2"):
        assert part in lines[-1]


def test_accuracy_is_in_percent_and_entries_stand_in_the_zoo_s_order(renderer, tmp_path):
    digits = summary("wrn10_1.rocket_wrn28_1_digits", {"accuracy": 0.98765, "log_loss": 0.1})
    write(tmp_path, a=summary("mlp.rocket_mlp_ml1m", CLICKS), b=digits)
    text = renderer.render(renderer.read_summaries(tmp_path))
    assert "| **light (rocket)** | **98.77 ± 0.12** |" in text
    assert text.index("digits") < text.index("ml1m")


def test_check_fails_until_written_and_the_rest_stays(renderer, monkeypatch, tmp_path):
    readme, compared, results = tmp_path / "README.md", tmp_path / "results.md", tmp_path / "results"
    results.mkdir()
    for document in (readme, compared):
        document.write_text(f"above\n{renderer.BEGIN}\nold\n{renderer.END}\nbelow\n")
    options = ("--readme", readme, "--comparisons", compared, "--results", results)
    run(renderer, monkeypatch, *options)
    assert readme.read_text() == f"above\n{renderer.BEGIN}\n{renderer.END}\nbelow\n"
    write(results, x=summary("mlp.rocket_mlp_ml1m", CLICKS))
    with pytest.raises(SystemExit, match=r"differs.*run python benchmarks/render_results\.py"):
        run(renderer, monkeypatch, "--check", *options)
    assert "ml1m" not in readme.read_text()
    run(renderer, monkeypatch, *options)
    run(renderer, monkeypatch, "--check", *options)
    text = readme.read_text()
    assert text.startswith(f"above\n{renderer.BEGIN}\n\n**mlp.rocket_mlp_ml1m**")
    assert text.endswith(f"\n\n{renderer.END}\nbelow\n")


def test_what_is_no_summary_is_named(renderer, tmp_path):
    one_seed = {**summary("mlp.rocket_mlp_ml1m", CLICKS), "seeds": [0]}
    write(tmp_path, x=one_seed)
    with pytest.raises(ValueError, match=r"launch_x\.json: expected a summary over two seeds"):
        renderer.read_summaries(tmp_path)
    write(tmp_path, x={**one_seed, "entry": "unknown"})
    with pytest.raises(ValueError, match=r"expected an entry of the zoo, received 'unknown'"):
        renderer.read_summaries(tmp_path)
    with pytest.raises(ValueError, match="expected the lines"):
        renderer.with_results("no markers", "")


def test_check_sees_a_comparison_that_was_not_rendered(renderer, monkeypatch, tmp_path):
    readme, compared = tmp_path / "README.md", tmp_path / "results.md"
    for document in (readme, compared):
        document.write_text(f"{renderer.BEGIN}\n{renderer.END}\n")
    (tmp_path / "compare_adsim.json").write_text(json.dumps(made_up()))
    options = ("--readme", readme, "--comparisons", compared, "--results", tmp_path)
    with pytest.raises(SystemExit, match=r"results\.md differs"):
        run(renderer, monkeypatch, "--check", *options)
    run(renderer, monkeypatch, *options)
    run(renderer, monkeypatch, "--check", *options)
    text, base = compared.read_text(), made_up()["methods"]["base"]
    mean = sum(run["test"]["auc"] for run in base["runs"]) / 3
    for part in (
        "## mlp.rocket_mlp_adsim",
        f"| base | 3 | {mean:.4f} ±",
        "- Rocket beats the base: holds.",
        "| method | factor 0.333 | factor 1 | factor 3 | chosen |",
        "seeds 0, 1, 2",
        "Skipped dkd",
        "batch of 200, 1 thread, onnxruntime 1.31.1, 300 requests, Chip 7",
        "jax 0.9.9 on cpu, Example 9000, 2 cores, reported at commit `0123abcd`: `rocket-keras compare x",
    ):
        assert part in text
    assert "rocket_mlp_adsim" not in readme.read_text()


def test_a_further_comparison_of_an_entry_has_a_heading_of_its_own(renderer, tmp_path):
    for name in ("compare_adsim_privileged", "compare_adsim"):
        (tmp_path / f"{name}.json").write_text(json.dumps(made_up()))
    lines = renderer.render_comparisons(renderer.read_comparisons(tmp_path)).splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == ["## mlp.rocket_mlp_adsim", "## mlp.rocket_mlp_adsim, privileged"]


def test_an_interrupted_comparison_is_named(renderer, tmp_path):
    (tmp_path / "compare_x.json").write_text(json.dumps({**made_up(), "complete": False}))
    with pytest.raises(ValueError, match=r"compare_x\.json: expected a complete comparison"):
        renderer.read_comparisons(tmp_path)
