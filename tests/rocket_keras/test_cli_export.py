import json

import keras
import numpy as np
import onnx
import pytest

import rocket_keras as rk
import zoo
from rocket_keras.onnx_runtime import onnx_session
from rocket_keras.serving import read_artefact
from zoo.loading import open_preset

USER = {
    "age": 41, "job": "admin.", "marital": "single", "education": "tertiary", "default": "no", "balance": 1200,
    "housing": "yes", "loan": "no", "pdays": -1, "previous": 0, "poutcome": "unknown",
}  # fmt: skip
CALLS = [{"contact": "cellular", "day": day, "month": "may", "campaign": 1 + day % 2} for day in range(1, 7)]


@pytest.fixture
def export(command_line):
    """A function that runs `rocket-keras export --json` and returns what it tells."""

    def run(*arguments):
        status, out, err = command_line("export", *arguments, "--json")
        assert status == 0, err
        return json.loads(out)

    return run


def by_keras():
    """The probabilities of those calls, by the light net in Keras."""
    raw = {name: [value] * len(CALLS) for name, value in USER.items()} | {k: [c[k] for c in CALLS] for k in CALLS[0]}
    rows = keras.tree.map_structure(keras.ops.convert_to_tensor, zoo.preprocess_input("bank", raw))
    return keras.ops.convert_to_numpy(keras.ops.sigmoid(zoo.load_light("bank")(rows)))[:, 0]


@pytest.mark.parametrize("options", [(), ("--request-shaped",), ("--once", "contact,month", "--fold")], ids=len)
def test_raw_values_in_probabilities_out(export, tmp_path, options):
    if "--once" in options:
        user = USER | {"contact": "cellular", "month": "may"}
        calls = [{name: call[name] for name in ("day", "campaign")} for call in CALLS]
    else:
        user, calls = USER, CALLS
    told = export("bank", *options)
    assert told["bytes"] == (tmp_path / "light.onnx").stat().st_size
    assert {file.name for file in tmp_path.iterdir()} == {"light.onnx"}
    scorer = rk.Scorer("light.onnx")
    assert scorer.name == "mlp.pfd_mlp_bank"
    np.testing.assert_allclose(scorer.score(user, calls), by_keras(), atol=1e-6)
    once = set(read_artefact(onnx_session("light.onnx")).once)
    assert once == set(told["once"])
    assert ("job" in once) is bool(options)
    assert ("contact" in once) is ("--once" in options)


def test_folding_is_measured_where_nobody_chose(export):
    told = export("bank")
    looked_up, folded = told["fold_ms"]
    assert told["fold"] is (1.02 * folded < looked_up)
    assert "fold_ms" not in export("bank", "--no-fold")
    assert export("bank", "--fold")["fold"] is True


def test_the_net_of_images_has_no_tables_to_fold(export):
    told = export("digits", "--out", "digits.onnx")
    assert told["fold"] is False
    assert "fold_ms" not in told


def test_preprocessing_lies_beside_what_cannot_hold_it(export, tmp_path):
    export("bank", "--format", "keras", "--out", "net.keras")
    assert (tmp_path / "net.encoder.json").read_text().strip() == open_preset("bank").encoder().strip()


def test_eight_bits_are_written_where_they_are_faster(export, monkeypatch):
    from rocket_keras.serving import fastest

    monkeypatch.setattr(fastest, "medians_ms", lambda files, *rest: [1.0, 0.5])
    told = export("digits", "--int8", "--candidates", "20")
    assert told["int8"] is True
    assert {weight.data_type for weight in onnx.load("light.onnx").graph.initializer} >= {onnx.TensorProto.INT8}
    exact, small = told["int8_scores"]["float32"], told["int8_scores"]["int8"]
    assert small["accuracy"] == pytest.approx(exact["accuracy"], abs=0.03)
    assert small["log_loss"] != exact["log_loss"]
    monkeypatch.setattr(fastest, "medians_ms", lambda files, *rest: [0.5, 1.0])
    assert export("digits", "--int8", "--candidates", "20")["int8"] is False
    assert onnx.TensorProto.INT8 not in {weight.data_type for weight in onnx.load("light.onnx").graph.initializer}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bank", "--format", "onx"), "expected --format onnx, keras, litert, saved_model, received 'onx'"),
        (("bank", "--format", "keras", "--int8"), "expected --format onnx with --request-shaped"),
        (("bank", "--once", "Job"), "received Job; name them as in the original data"),
        (("digits", "--request-shaped"), "expected a net over raw columns"),
        (("bnk",), "Did you mean 'bank'?"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(command_line, tmp_path, arguments, message):
    status, out, err = command_line("export", *arguments)
    assert (status, out, len(err.strip().splitlines())) == (2, "", 1)
    assert message in err
    assert not list(tmp_path.iterdir())
