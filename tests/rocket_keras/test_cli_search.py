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
