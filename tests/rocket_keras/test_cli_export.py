import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import onnx
import pytest

import rocket_keras as rk
import zoo
from rocket_keras.onnx_runtime import onnx_session
from rocket_keras.serving import read_artefact
from zoo.data.splits import Split
from zoo.loading import open_preset
from zoo.serving import Served

made_up = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("serving") / "made_up_light.py")))
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


def test_batch_norms_are_folded_unless_that_is_unwanted(export):
    def norms(*options):
        export("digits", *options)
        return [node.op_type for node in onnx.load("light.onnx").graph.node].count("BatchNormalization")

    assert norms("--no-batch-norm") > norms()


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


def click_rows(model, count, seed):
    """Rows of the made-up click net, whose labels follow its logits."""
    rng = np.random.default_rng(seed)
    x = {name: rng.integers(0, size, count).astype("int32") for name, size in (("user", 12), ("item", 9), ("age", 3))}
    x["history"] = rng.integers(0, 9, (count, 4)).astype("int32")
    x["genres"] = rng.integers(0, 5, (count, 3)).astype("int32")
    x |= {name: rng.normal(size=count).astype("float32") for name in ("price", "hour")}
    size = made_up.BATCH
    batches = [{name: column[i : i + size] for name, column in x.items()} for i in range(0, count, size)]
    parts = [model(keras.tree.map_structure(keras.ops.convert_to_tensor, batch)) for batch in batches]
    logits = np.concatenate([keras.ops.convert_to_numpy(part)[:, 0] for part in parts])
    chances = 1 / (1 + np.exp(-3 * (logits - logits.mean()) / logits.std()))
    return Split(x, (rng.random(count) < chances).astype("float32"), x["user"])


@pytest.mark.parametrize("options", [(), ("--request-shaped",)], ids=["rows", "request"])
def test_eight_bits_of_a_click_net_cost_little(export, monkeypatch, options):
    from rocket_keras.serving import fastest

    model = made_up.light_net()
    data = SimpleNamespace(validation=click_rows(model, 512, 0), test=click_rows(model, 512, 1))
    net = Served("clicks", model, data.test.x, "512 test rows", made_up.ENCODER.to_json(), {}, data)
    monkeypatch.setattr("zoo.serving.served_light", lambda *_: net)
    monkeypatch.setattr(fastest, "medians_ms", lambda files, *_: [1.0, 0.5])
    told = export("clicks", "--int8", "--no-fold", *options)
    assert told["int8"] is True
    exact, small = told["int8_scores"]["float32"], told["int8_scores"]["int8"]
    assert exact["auc"] > 0.85
    assert small == pytest.approx(exact, abs=0.01)
    assert small["log_loss"] != exact["log_loss"]
    scorer = rk.Scorer("light.onnx")
    assert set(told["once"]) == (set(made_up.USER_INPUTS) if options else set())
    assert onnx.TensorProto.INT8 in {weight.data_type for weight in onnx.load("light.onnx").graph.initializer}
    rows = made_up.candidates(20)
    found = scorer.score(made_up.USER, rows)
    np.testing.assert_allclose(found, made_up.expected(model, made_up.USER, rows), atol=0.03)
    assert len(set(found)) > 5


def test_too_many_candidates_are_told_what_this_command_can_do(command_line):
    status, _, err = command_line("export", "digits", "--int8", "--candidates", "541")
    assert status == 2
    assert err.strip().endswith("received 541; ask for fewer, or leave out --int8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("bank", "--format", "keras", "--out", "x.onnx"),
            "expected --out with the suffix .keras for --format keras, received x.onnx; name x.keras or take --format",
        ),
        (("bank", "--out", "x.keras"), "for --format onnx, received x.keras; name x.onnx or take --format keras"),
        (("bank", "--out", "models"), "received models; name models.onnx or take --format saved_model"),
        (("bank", "--format", "litert", "--out", "x.lite"), "received x.lite; name x.tflite"),
        (
            ("bank", "--format", "saved_model", "--out", "m/1.keras"),
            "expected --out with no suffix, a folder, for --format saved_model, received m/1.keras; name m/1 or take",
        ),
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


def test_a_folder_is_no_file_to_write(command_line, tmp_path):
    (tmp_path / "light.onnx" / "kept").mkdir(parents=True)
    status, _, err = command_line("export", "bank")
    assert (status, len(err.strip().splitlines())) == (2, 1)
    assert "expected a file at light.onnx, received a folder" in err
    assert (tmp_path / "light.onnx" / "kept").is_dir()
