import functools
import json

import pytest

import zoo


@pytest.fixture
def bench(command_line):
    """A function that runs `rocket-keras bench` in an empty folder and returns (exit status, output, errors)."""
    return functools.partial(command_line, "bench")


def test_it_measures_every_size_and_number_of_threads(bench):
    status, out, _ = bench("bank", "--made-up", "--candidates", "1,8", "--threads", "1,2", "--requests", "40", "--json")
    assert status == 0
    found = json.loads(out)
    assert [(one["threads"], one["batch_size"]) for one in found] == [(1, 1), (1, 8), (2, 1), (2, 8)]
    assert all(one["requests"] == 40 and one["p99_interval"][1] is None for one in found)
    assert {one["rows"] for one in found} == {"made-up rows"}


def test_requests_are_real_test_rows_and_the_budget_is_decided(bench):
    status, out, _ = bench("digits", "--candidates", "1", "--budget-ms", "1000")
    assert status == 0
    assert "540 test rows" in out
    assert "within 1000 ms" in out
    header, row = (next(line for line in out.splitlines() if word in line) for word in ("candidates", "within"))
    assert header.count("┃") == row.count("│") == 10
    assert "steady" in header
    assert "disturbed" in header
    assert row.rstrip(" │").endswith(("yes", "no"))
    assert "onnxruntime" in out


def test_plots_and_numbers_go_into_a_folder(bench, tmp_path):
    options = ("--made-up", "--candidates", "8", "--requests", "40", "--budget-ms", "5", "--seconds", "0", "--out", "o")
    status, out, _ = bench("bank", *options)
    assert status == 0
    assert "Plots: o" in out
    assert "No budget in latency_quality.png: its nets were measured with --candidates 200 --threads 1 when" in out
    assert {file.name for file in (tmp_path / "o").iterdir()} == {
        "latency.json",
        "latency-8-candidates-1-threads.png",
        "latency_quality.png",
    }
    (found,) = json.loads((tmp_path / "o/latency.json").read_text())
    assert found["budget_ms"] == 5


@pytest.mark.parametrize(
    ("options", "drawn"),
    [
        (("--candidates", "8,200"), 5.0),
        (("--candidates", "8"), None),
        (("--candidates", "200", "--threads", "2"), None),
    ],
)
def test_the_budget_stands_beside_nets_that_were_measured_likewise(bench, monkeypatch, options, drawn):
    from rocket_keras.latency import plots

    seen, plane = [], plots.plane_figure
    monkeypatch.setattr(plots, "plane_figure", lambda nets, budget_ms: seen.append(budget_ms) or plane(nets, budget_ms))
    more = ("--requests", "30", "--budget-ms", "5", "--seconds", "0", "--out", "o")
    _, out, _ = bench("bank", "--made-up", *options, *more)
    assert seen == [drawn]
    assert ("No budget in latency_quality.png" in out) is (drawn is None)


def test_it_takes_the_folder_of_a_launch(bench, tmp_path):
    zoo.load_light("digits").save(tmp_path / "light.keras")
    facts = {"entry": "wrn10_1.rocket_wrn28_1_digits", "seed": 0, "nets": {}}
    (tmp_path / "metrics.json").write_text(json.dumps(facts))
    status, out, _ = bench(str(tmp_path), "--candidates", "2", "--requests", "30", "--rate", "200")
    assert status == 0
    assert "wrn10_1.rocket_wrn28_1_digits" in out
    assert "open loop, 200 requests a second" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("digits", "--candidates", "1,x"),
            "--candidates as whole numbers above 0 with commas, received '1,x'",
        ),
        (("digits", "--threads", "0"), "expected --threads as whole numbers above 0"),
        (("digits", "--candidates", "541"), "received 541; ask for fewer, or take --made-up"),
        (("digitz",), "Did you mean 'digits'?"),
        (("wrn16_1.rocket_wrn40_1_cifar10",), "which is a recipe only"),
        (("bank", "--data-dir", "."), "expected"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(bench, monkeypatch, arguments, message):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    status, out, err = bench(*arguments)
    assert status == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert message in err
