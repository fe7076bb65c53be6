import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def render(*options):
    command = [sys.executable, str(ROOT / "benchmarks" / "render_scale.py"), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_documents_say_what_the_results_say():
    done = render("--check")
    assert done.returncode == 0, done.stderr


def test_check_fails_until_written_and_the_rest_stays(tmp_path):
    for name in ("scale", "daily"):
        (tmp_path / f"{name}.md").write_text(f"above\n<!-- {name}:begin -->\nold\n<!-- {name}:end -->\nbelow\n")
    results = tmp_path / "results"
    results.mkdir()
    source = ROOT / "benchmarks" / "results" / "wire_bytes_torch.json"
    shutil.copy(source, results)
    options = ("--docs", tmp_path, "--results", results)
    assert render("--check", *options).returncode == 1
    assert "old" in (tmp_path / "scale.md").read_text()
    assert render(*options).returncode == 0
    assert render("--check", *options).returncode == 0
    text = (tmp_path / "scale.md").read_text()
    assert text.startswith("above\n<!-- scale:begin -->\n## The wire")
    assert text.endswith("<!-- scale:end -->\nbelow\n")
    measured = json.loads(source.read_text())["bytes_a_step"]["rows"]["measured"]
    assert f"{measured:,.0f}" in text


def test_a_document_without_markers_is_refused(tmp_path):
    (tmp_path / "scale.md").write_text("nothing\n")
    done = render("--docs", tmp_path, "--results", tmp_path)
    assert done.returncode == 1
    assert "expected the markers <!-- scale:begin --> and <!-- scale:end --> once each" in done.stderr


def rendered(folder, name, record):
    """Write a record as the only result, and return what the document then says."""
    for document in ("scale", "daily"):
        (folder / f"{document}.md").write_text(f"<!-- {document}:begin -->\n<!-- {document}:end -->\n")
    (folder / name).write_text(json.dumps(record))
    assert render("--docs", folder, "--results", folder).returncode == 0
    return (folder / f"{'daily' if name.startswith('daily') else 'scale'}.md").read_text()


def result(name):
    return json.loads((ROOT / "benchmarks" / "results" / name).read_text())


def test_memory_stands_by_the_length_of_the_log(tmp_path):
    record = result("streaming_jax.json")
    text = rendered(tmp_path, "streaming_jax.json", record)
    assert "| MiB beyond the start | log of 1,000,000 rows | log of 10,000,000 rows |" in text
    for what, name in (("stream", "one epoch of a `Stream`"), ("learn", "`learn_encoder`")):
        cells = [f"{one['beyond'] / 2**20:.1f}" for one in record["cases"]["memory"][what]]
        assert f"| jax, {name} | {' | '.join(cells)} |" in text
    del record["cases"]["memory"]
    assert "MiB" not in rendered(tmp_path, "streaming_jax.json", record)


def test_seconds_of_whole_days_stand_where_they_were_measured(tmp_path):
    record = result("daily_drift_jax.json")
    for told in record["methods"].values():
        told.pop("seconds", None)
    assert "whole days, s" not in rendered(tmp_path, "daily_drift_jax.json", record)
    for told in record["methods"].values():
        told["seconds"] = {"mean": 4321.0, "sd": 1.0}
    text = rendered(tmp_path, "daily_drift_jax.json", record)
    assert "| training, s | whole days, s |" in text
    assert text.count(" | 4,321 |") == 3
