import json

import pytest


@pytest.fixture
def search(command_line):
    def run(*arguments):
        sizes = ("--train-rows", "2000", "--epochs", "1", "--max-trials", "3", "--fleet", "3")
        return command_line("search", "adsim", *sizes, *arguments)

    return run


def test_it_finds_trains_and_exports_a_light_net(search, tmp_path):
    status, out, _ = search("--multiply-adds", "20000", "--out", "found", "--oracle", "random")
    assert status == 0
    assert "The best light net within 20,000 multiply-adds has light_depth" in out
    assert "Test: light auc" in out
    folder = tmp_path / "found"
    told = json.loads((folder / "search.json").read_text())
    assert told["facts"]["entry"] == "mlp.rocket_mlp_adsim"
    assert told["facts"]["trials"] == 3
    names = {"light.keras", "light.onnx", "pareto.png", "preset", "report.html", "search.json", "test.json"}
    assert names <= {path.name for path in folder.iterdir()}
    # The preset and the ONNX file are what other commands take.
    import rocket_keras as rk
    import zoo

    light = zoo.load_light(folder / "preset")
    assert light.count_params() == next(r for r in told["rows"] if r["values"] == told["values"])["parameters"]
    assert rk.Scorer(folder / "light.onnx")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "expected at least one limit, received none"),
        (("--budget-ms", "0.000001"), "a net that does nothing takes p50"),
    ],
)
def test_what_cannot_be_found_is_one_line(search, arguments, line):
    import re

    status, _, err = search(*arguments)
    assert status == 2
    assert re.search(line, err)
    assert err.strip().splitlines()[-1].startswith("rocket-keras: ")


def test_an_entry_without_a_space_is_told(command_line):
    status, _, err = command_line("search", "shufflenet_v2.rocket_wrn40_2_cifar10", "--budget-ms", "5")
    assert status == 2
    assert err.count("\n") == 1


@pytest.fixture
def asked(command_line, monkeypatch):
    """A function that runs the command up to the search, and returns what that is asked for."""
    import tuning

    found = {}

    def pretend(builder, budget, train, validation, max_trials, oracle, **options):
        found.update(options, budget=budget, max_trials=max_trials, oracle=oracle)

    monkeypatch.setattr(tuning, "search", pretend)

    def run(entry, *arguments):
        status, _, err = command_line("search", entry, "--train-rows", "200", "--epochs", "1", *arguments)
        return found if status == 0 else err

    return run


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        (("--budget-ms", "2"), {"p99_ms": 2.0}),
        (("--p50-ms", "0.5"), {"p50_ms": 0.5}),
        (("--p95-ms", "1.5", "--p50-ms", "1"), {"p50_ms": 1.0, "p95_ms": 1.5}),
        (("--parameters", "5000"), {"parameters": 5000}),
        (("--artefact-bytes", "70000"), {"artefact_bytes": 70_000}),
        (("--peak-memory-mb", "2.5"), {"peak_memory_mb": 2.5}),
        (("--multiply-adds", "900", "--threads", "2"), {"multiply_adds": 900, "threads": 2}),
        (("--budget-ms", "2", "--candidates", "50"), {"p99_ms": 2.0, "batch_size": 50}),
    ],
)
def test_each_limit_is_what_the_search_is_asked_for(asked, arguments, limits):
    from tuning import LatencyBudget

    assert asked("adsim", *arguments)["budget"] == LatencyBudget(**{"batch_size": 200, **limits})


def test_headroom_trials_and_fleet_are_what_the_search_is_asked_for(asked):
    found = asked("adsim", "--budget-ms", "2")
    assert (found["headroom"], found["max_trials"], found["training"].fleet_size) == (0.1, None, 8)
    found = asked("adsim", "--budget-ms", "2", "--headroom", "0.25", "--max-trials", "5", "--fleet", "3")
    assert (found["headroom"], found["max_trials"], found["training"].fleet_size) == (0.25, 5, 3)


def test_a_fleet_is_refused_where_each_light_net_is_launched_alone(asked):
    assert asked("digits", "--budget-ms", "2")["training"].fleet_size == 8
    err = asked("digits", "--budget-ms", "2", "--fleet", "4")
    assert "expected no --fleet for digits, received 4" in err
    assert err.count("\n") == 1


def test_trials_are_refused_where_hyperband_counts_them(search):
    status, _, err = search("--parameters", "5000", "--oracle", "hyperband")
    assert status == 2
    assert "expected no `max_trials` with the oracle 'hyperband', received 3" in err
