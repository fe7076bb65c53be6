import contextlib
import importlib.util

import keras
import numpy as np
import onnx
import pytest

from rocket_keras import Pair, Rocket, export_light
from rocket_keras.layers import PreActivationBlock
from rocket_keras.onnx_runtime import onnx_feed, onnx_session


def trained(pair, rows):
    rocket = Rocket(pair, hint_weight=0.1)
    rocket.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = rows()
    rocket.fit(x, y, verbose=0)
    return rocket, x


def test_the_light_net_is_the_same_wherever_it_runs(make_pair, rows, tmp_path):
    pair = make_pair()
    rocket, x = trained(pair, rows)
    before = rocket.predict(x, verbose=0)["light"]
    np.testing.assert_allclose(pair.light.predict(x, verbose=0), before, atol=1e-5)
    np.testing.assert_allclose(pair.detach().predict(x, verbose=0), before, atol=1e-5)
    loaded = keras.models.load_model(export_light(pair, tmp_path / "light.keras"))
    np.testing.assert_allclose(loaded.predict(x, verbose=0), before, atol=1e-5)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", x))
    for count in (1, 17, 64):
        got = session.run(None, onnx_feed(session, x[:count]))[0]
        np.testing.assert_allclose(got, before[:count], atol=1e-5)


def test_the_artefact_holds_no_booster_weight(make_pair, rows, tmp_path):
    pair = make_pair()
    trained(pair, rows)
    path = export_light(pair, tmp_path / "light.onnx")
    sizes = {tuple(i.dims) for i in onnx.load(path).graph.initializer}
    assert (8, 3) in sizes
    assert not sizes & {(8, 16), (16, 3)}
    data = path.read_bytes()
    for variable in pair.booster_variables:
        value = keras.ops.convert_to_numpy(variable.value).ravel()
        assert value.tobytes() not in data


def test_a_light_net_of_shared_blocks_is_made_of_stock_layers(tmp_path):
    images = keras.Input((4, 4, 3))
    block = PreActivationBlock(3, name="booster_block")
    light, booster = (
        keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(b(images))))
        for b in (block.twin("light"), block)
    )
    loaded = keras.models.load_model(export_light(Pair(light=light, booster=booster), tmp_path / "light.keras"))
    assert all(type(layer).__module__.startswith("keras.") for layer in loaded.layers)


def test_an_unknown_suffix_is_refused(make_pair, tmp_path):
    with pytest.raises(ValueError, match="must end in one of"):
        export_light(make_pair(), tmp_path / "light.pb")


def test_an_artefact_that_differs_is_never_left_behind(make_pair, tmp_path, monkeypatch):
    monkeypatch.setattr("rocket_keras.export.TOLERANCE", -1.0)
    with pytest.raises(ArithmeticError, match="differs from Keras"):
        export_light(make_pair(), tmp_path / "light.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_field_is_named(tmp_path):
    inputs = {name: keras.Input((2,), name=name) for name in ("user", "ad")}
    net = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(list(inputs.values()))))
    session = onnx_session(export_light(net, tmp_path / "net.onnx"))
    assert {i.name for i in session.get_inputs()} == {"user", "ad"}
    with pytest.raises(ValueError, match=r"Missing: \['ad'\]"):
        onnx_feed(session, {"user": np.zeros((1, 2))})


@pytest.mark.parametrize("suffix", ["", ".tflite"])
def test_formats_of_tensorflow_run_there_and_are_refused_elsewhere(make_pair, tmp_path, suffix):
    pair, path = make_pair(), tmp_path / f"light{suffix}"
    written = pytest.raises(ValueError, match="TensorFlow backend alone")
    if importlib.util.find_spec("tensorflow"):
        written = contextlib.nullcontext()
    with written:
        export_light(pair, path)
    assert path.exists() is (importlib.util.find_spec("tensorflow") is not None)
