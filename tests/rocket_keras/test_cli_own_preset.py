"""Presets and launches that the zoo did not make, on the command line: they work, or one line says what is missing."""

import json
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

import rocket_keras as rk
import zoo
from rocket_keras import cli
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import NumberField

SERVED = runpy.run_path(str(Path(__file__).with_name("serving") / "made_up_light.py"))


@pytest.fixture
def preset(command_line, tmp_path):
    """A preset of one's own in the folder `p`, with an encoder and one fact; the pair."""
    pair = SERVED["FAMILY"]["pair_of"]("mlp")
    zoo.save_preset(pair, tmp_path / "p", SERVED["ENCODER"].to_json(), note="x")
    return pair


def test_it_is_exported_with_its_preprocessing(command_line, preset):
    status, out, err = command_line("export", "p", "--json", "--request-shaped")
    assert status == 0, err
    told = json.loads(out)
    assert len(told["fold_ms"]) == 2
    scorer, rows = rk.Scorer("light.onnx"), SERVED["candidates"](12)
    assert scorer.name == "p"
    found = scorer.score(SERVED["USER"], rows)
    np.testing.assert_allclose(found, SERVED["expected"](preset.light, SERVED["USER"], rows), atol=1e-6)


def test_it_is_measured_with_made_up_rows(command_line, preset, tmp_path):
    options = ("--made-up", "--candidates", "8", "--requests", "40", "--json", "--out", "o")
    status, out, err = command_line("bench", "p", *options)
    assert status == 0, err
    assert [one["batch_size"] for one in json.loads(out)] == [8]
    assert {file.name for file in (tmp_path / "o").iterdir()} == {"latency.json", "latency-8-candidates-1-threads.png"}


def test_it_is_served(preset, tmp_path, monkeypatch):
    monkeypatch.setattr("rocket_keras.service.serve", lambda file, *_: served.append(rk.Scorer(file)))
    served = []
    cli.serve.serve("p", "127.0.0.1", 0, 1, 50.0, 5000, 2**21, True)
    assert served[0].name == "p"
    assert set(served[0].columns) == {field.column for field in SERVED["FIELDS"]}


def test_a_net_of_one_input_is_measured_and_exported_too(command_line, tmp_path):
    x = keras.Input((1,), name="price")
    light, booster = (keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(n)(x))) for n in (2, 9))
    field = NumberField("price", "Price", 0.0, 1.0, side="user")
    zoo.save_preset(rk.Pair(light, booster), tmp_path / "p", Encoder((field,)).to_json())
    assert command_line("bench", "p", "--made-up", "--candidates", "4", "--requests", "20", "--json")[0] == 0
    assert command_line("export", "p")[0] == 0
    wanted = keras.ops.convert_to_numpy(keras.ops.sigmoid(light(keras.ops.convert_to_tensor([[2.0], [-1.0]]))))[:, 0]
    found = rk.Scorer("light.onnx").score({}, [{"Price": 2.0}, {"Price": -1.0}])
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_its_card_has_what_it_tells(command_line, preset, tmp_path):
    status, out, err = command_line("zoo", "show", "p")
    assert status == 0, err
    assert out.startswith("# p\n")
    assert "- note: x" in out
    assert "| light.weights.h5 |" in out
    assert "## Results" not in out
    assert json.loads(command_line("zoo", "show", "p", "--json")[1])["note"] == "x"
    net = {"parameters": 12, "multiply_adds": 3}
    zoo.save_preset(preset, tmp_path / "q", name="mine", nets={"light": net}, test={"light": {"auc": 0.75}})
    out = command_line("zoo", "show", "q")[1]
    assert "| light | 12 | 3 |" in out
    assert '- test: {"light": {"auc": 0.75}}' in out


@pytest.mark.parametrize(
    ("facts", "arguments", "message"),
    [
        ({}, ("bench", "p"), "received p, a preset of one's own; take --made-up"),
        ({}, ("export", "p", "--int8"), "received p, a preset of one's own; leave out --int8"),
        ({"name": "mine"}, ("bench", "p"), "received p, a preset of one's own; take --made-up"),
        ({}, ("zoo", "verify", "p"), "expected the test scores of both nets in the preset p, received none"),
        ({"nets": {"light": {}, "booster": {}}}, ("zoo", "verify", "p"), "received none (KeyError: 'test')"),
        ({"nets": ["light"]}, ("zoo", "show", "p"), "expected nets in the metadata of p as zoo pack writes them"),
    ],
)
def test_what_is_missing_is_one_line(command_line, preset, tmp_path, facts, arguments, message):
    zoo.save_preset(preset, tmp_path / "p", **facts)
    status, out, err = command_line(*arguments)
    assert (status, out, len(err.strip().splitlines())) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize("content", ["{}", "no json", '{"entry": "a"}', "[]"])
def test_a_launch_that_is_none_is_one_line(command_line, tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text(content)
    status, _, err = command_line("export", "run")
    assert (status, len(err.strip().splitlines())) == (2, 1)
    assert "expected the metrics.json of a finished launch in run, received something else" in err


def test_a_comparison_that_is_none_is_one_line(command_line, tmp_path):
    (tmp_path / "compare.json").write_text('{"entry": "x"}')
    status, _, err = command_line("zoo", "pack", "bank", ".", "--out", "p")
    assert (status, len(err.strip().splitlines())) == (2, 1)
    assert "expected the compare.json of a comparison in ., received one without 'complete'" in err
