"""Which light net serves."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from rocket_keras.daily import Daily, publishing
from rocket_keras.daily.publishing import publish, remove_old, verdict
from rocket_keras.daily.scores import day_scores
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import NumberField

pytest.importorskip("onnxruntime")
ENCODER = Encoder((NumberField("x", "X", 0.0, 1.0),))
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=400).astype(np.float32)
Y = (RANDOM.random(400) < 1 / (1 + np.exp(-2 * X))).astype(np.float32)


def net(slope, bias=0.0):
    inputs = keras.Input((), name="x")
    model = keras.Model({"x": inputs}, keras.layers.Dense(1)(keras.layers.Reshape((1,))(inputs)), name="light")
    model.layers[-1].set_weights([np.array([[slope]], "float32"), np.array([bias], "float32")])
    return model


def held(encoder):
    x = encoder.encode({"X": X})
    for begin in (0, 150):
        rows = slice(begin, begin + 150 if begin == 0 else None)
        yield SimpleNamespace(x={"x": x["x"][rows]}, y=Y[rows], extra={"user": np.arange(len(Y))[rows] % 7})


def put(folder, model, day, serves, **settings):
    return publish(model, ENCODER, {"x": X[:9]}, held, folder, day, serves, Daily(**settings))


def test_the_first_net_serves_and_a_worse_one_does_not(tmp_path):
    assert put(tmp_path, net(2.0), "1", None)["published"]
    first = (tmp_path / "light.onnx").read_bytes()
    refused = put(tmp_path, net(-1.0), "2", "1")
    assert not refused["published"]
    assert "is worse than the published net's" in refused["why"]
    assert (tmp_path / "light.onnx").read_bytes() == first == (tmp_path / "day-1.onnx").read_bytes()
    assert (tmp_path / "refused-2.onnx").exists()
    assert refused["new"]["auc"] == pytest.approx(1 - refused["old"]["auc"])
    assert refused["rows"] == 400


def test_a_net_within_the_margin_takes_the_place(tmp_path):
    put(tmp_path, net(2.0), "1", None, metric="log_loss")
    told = put(tmp_path, net(1.6), "2", "1", metric="log_loss", margin=0.02)
    assert 0 < told["new"]["log_loss"] - told["old"]["log_loss"] < 0.02
    assert told["published"]
    assert (tmp_path / "light.onnx").read_bytes() == (tmp_path / "day-2.onnx").read_bytes()
    assert not put(tmp_path, net(1.0), "3", "2", metric="log_loss", margin=0.0)["published"]


def test_an_export_that_differs_is_not_published(tmp_path, monkeypatch):
    put(tmp_path, net(2.0), "1", None)

    def differs(*_, **__):
        raise ArithmeticError("by 0.5")

    monkeypatch.setattr(publishing, "export_light", differs)
    told = put(tmp_path, net(2.0), "2", "1")
    assert (told["published"], told["why"]) == (False, "the export differs from Keras: by 0.5")
    assert {path.name for path in tmp_path.iterdir()} == {"light.onnx", "day-1.onnx"}


@pytest.mark.parametrize(
    ("serves", "keep", "left"),
    [
        ("1", 1, {"day-1", "refused-4"}),
        ("1", 2, {"day-1", "day-3", "refused-4"}),
        ("3", 1, {"day-3", "refused-4"}),
        (None, 1, {"refused-4"}),
        ("3", 9, {"day-1", "refused-2", "day-3", "refused-4"}),
    ],
)
def test_old_nets_are_removed_but_for_the_one_that_serves(tmp_path, serves, keep, left):
    names = ("light", "day-1", "refused-2", "day-3", "refused-4")
    for name in names:
        (tmp_path / f"{name}.onnx").touch()
    remove_old(tmp_path, ["1", "2", "3", "4"], serves, keep)
    assert {path.stem for path in tmp_path.iterdir()} == {"light", *left}


@pytest.mark.parametrize(
    ("new", "old", "metric", "good"),
    [
        ({"auc": 0.7}, None, "auc", True),
        ({"auc": float("nan")}, None, "auc", False),
        ({}, {"auc": 0.7}, "auc", False),
        ({"auc": 0.699}, {"auc": 0.7}, "auc", True),
        ({"auc": 0.69}, {"auc": 0.7}, "auc", False),
        ({"auc": 0.7}, {"auc": float("nan")}, "auc", True),
        ({"log_loss": 0.401}, {"log_loss": 0.4}, "log_loss", True),
        ({"log_loss": 0.41}, {"log_loss": 0.4}, "log_loss", False),
        ({"log_loss": 0.1}, {"log_loss": 0.4}, "log_loss", True),
    ],
)
def test_the_verdict(new, old, metric, good):
    found, why = verdict(new, old, metric, 0.002)
    assert found is good
    assert why
    assert "\n" not in why


@pytest.mark.parametrize(
    ("clicks", "users", "metric", "why"),
    [
        (0, 7, "auc", "its held-out rows are all clicked or all not clicked, so there is no auc"),
        (1, 7, "auc", "its held-out rows are all clicked or all not clicked, so there is no auc"),
        (Y, 400, "gauc", "no user has both a clicked and another row among its held-out rows, so there is no gauc"),
    ],
)
def test_a_day_that_cannot_judge_changes_nothing(tmp_path, clicks, users, metric, why):
    def of_one_kind(encoder):
        x = encoder.encode({"X": X})
        yield SimpleNamespace(x=x, y=np.zeros(400) + clicks, extra={"user": np.arange(400) % users})

    for day, serves in (("0", None), ("2", "1")):
        plan = Daily(metric=metric, group="user")
        told = publish(net(3.0), ENCODER, {"x": X[:9]}, of_one_kind, tmp_path, day, serves, plan)
        assert (told["published"], told["why"]) == (False, f"the day cannot judge the net: {why}")
        served = (tmp_path / "light.onnx").read_bytes() if serves else None
        assert (tmp_path / "light.onnx").exists() == (serves is not None)
        if serves is None:
            assert put(tmp_path, net(2.0), "1", None)["published"]
        else:
            assert served == (tmp_path / "day-1.onnx").read_bytes()


def test_scores_over_batches_are_those_over_all_rows():
    def predict(x):
        return {"one": 2 * x["x"], "other": -x["x"]}

    found, rows = day_scores(held(ENCODER), predict, "user")
    assert rows == 400
    assert set(found["one"]) == {"auc", "gauc", "log_loss", "calibration"}
    probabilities = 1 / (1 + np.exp(-2 * X.astype(float)))
    assert found["one"]["calibration"] == pytest.approx(probabilities.sum() / Y.sum(), rel=1e-4)
    wanted = -np.mean(np.where(Y > 0, np.log(probabilities), np.log1p(-probabilities)))
    assert found["one"]["log_loss"] == pytest.approx(wanted, rel=1e-4)
    assert found["one"]["auc"] == pytest.approx(1 - found["other"]["auc"])
    assert day_scores(iter(()), predict) == ({}, 0)
