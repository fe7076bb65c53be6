"""The choice of a form by measurement, for any net: what was measured decides, and stands in the file."""

import runpy
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

import rocket_keras as rk
from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session
from rocket_keras.serving import fastest, read_artefact

FAMILY = runpy.run_path(str(Path(__file__).parents[1] / "zoo" / "made_up_ctr.py"))
ROWS = FAMILY["rows"](32)[0]


@pytest.fixture(scope="module")
def net():
    model, rng = FAMILY["pair_of"]("mlp").light, np.random.default_rng(1)
    model.set_weights([weight + rng.uniform(0.05, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def choices(path):
    return dict(read_artefact(onnx_session(path), path).choices)


def logits(path, rows=ROWS):
    session = onnx_session(path)
    return onnx_run(session, onnx_feed(session, rows))


def is_int8(path):
    return onnx.TensorProto.INT8 in {weight.data_type for weight in onnx.load(path).graph.initializer}


@pytest.mark.parametrize(
    ("times", "fold", "int8"),
    [
        ([[1.0, 0.9], [0.9, 0.5]], True, True),
        ([[1.0, 0.99], [1.0, 0.99]], False, False),  # not by a fiftieth
        ([[0.5, 1.0], [1.0, 0.5]], False, True),
    ],
)
def test_the_faster_form_is_written_and_told(net, tmp_path, monkeypatch, times, fold, int8):
    given = iter(times)
    monkeypatch.setattr(fastest, "medians_ms", lambda *_: next(given))
    requests = rk.Requests(candidates=16, test=ROWS, score=lambda found: {"mean": float(found.mean())})
    path = rk.export_light(net, tmp_path / "light.onnx", ROWS, fold="auto", int8="auto", requests=requests)
    found = choices(path)
    assert (found["fold"], found["int8"], is_int8(path)) == (fold, int8, int8)
    assert [found["fold_ms"], found["int8_ms"]] == times
    assert {key: found["measured"][key] for key in ("percentile", "candidates", "threads")} == {
        "percentile": "p50", "candidates": 16, "threads": 1,
    }  # fmt: skip
    assert found["measured"]["runtime"].startswith("onnxruntime ")
    wanted = keras.ops.convert_to_numpy(net({k: keras.ops.convert_to_tensor(v) for k, v in ROWS.items()}))
    np.testing.assert_allclose(logits(path), wanted, atol=0.1 if int8 else 1e-5)
    assert found["int8_scores"]["float32"]["mean"] == pytest.approx(float(wanted.mean()), abs=1e-5)
    assert {file.name for file in tmp_path.iterdir()} == {"light.onnx"}


def test_what_was_really_measured_decides(net, tmp_path):
    requests = rk.Requests(candidates=8)
    path = rk.export_light(net, tmp_path / "light.onnx", ROWS, fold="auto", requests=requests)
    looked_up, folded = choices(path)["fold_ms"]
    assert choices(path)["fold"] is (1.02 * folded < looked_up)
    assert "int8" not in choices(path)


def test_eight_bits_may_be_asked_for_whatever_they_take(net, tmp_path, monkeypatch):
    monkeypatch.setattr(fastest, "medians_ms", lambda *_: [1.0, 2.0])
    path = rk.export_light(net, tmp_path / "light.onnx", ROWS, int8=True, requests=rk.Requests(ROWS, 8))
    assert is_int8(path)
    assert choices(path)["int8"] is True


def test_an_export_without_a_choice_tells_of_none(net, tmp_path):
    assert choices(rk.export_light(net, tmp_path / "light.onnx", ROWS, fold=True)) == {}


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("light.onnx", {}, "expected rows of a request of 200 candidates to choose by, received 32 rows; give"),
        ("light.keras", {"requests": rk.Requests(candidates=8)}, "are rewrites of ONNX graphs"),
    ],
)
def test_what_cannot_be_measured_is_one_line(net, tmp_path, file, options, message):
    with pytest.raises(ValueError, match=message) as stop:
        rk.export_light(net, tmp_path / file, ROWS, fold="auto", **options)
    assert "\n" not in str(stop.value)
    assert list(tmp_path.iterdir()) == []
