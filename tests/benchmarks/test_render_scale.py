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
