"""Nets as users build them, exported to ONNX: ONNX Runtime says what Keras says, or one line says why not."""

import warnings

import keras
import numpy as np
import pytest

import rocket_keras as rk
from rocket_keras.layers import FeatureCross
from rocket_keras.onnx_graph import Unwritable, write_onnx
from rocket_keras.onnx_runtime import onnx_feed, onnx_session

layers, ops = keras.layers, keras.ops
X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
MATRIX = np.arange(8, dtype="float32").reshape(4, 2) / 8


@keras.saving.register_keras_serializable(package="users", name="Dense")
class Tripled(layers.Layer):
    """A user's layer that has the name of one of Keras's."""

    def call(self, x):
        return 3 * ops.tanh(x)


Tripled.__name__ = "Dense"


class Negated(layers.Dense):
    """A user's layer that inherits from one of Keras's."""

    def call(self, x):
        return -super().call(x)


class Doubled(keras.Model):
    """A functional net whose class has a call of its own."""

    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def relu(x):
    return ops.where(x > 0, x, 0.3 * x)


def net(build, last=2):
    x = keras.Input((4,), name="x")
    found = build(x)
    return keras.Model(x, layers.Dense(last)(found) if last else found)


def inner():
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(3)(layers.Dense(5, "tanh")(x)))


def called_twice():
    part = inner()
    return net(lambda x: layers.Concatenate()([part(x), part(layers.Dense(4)(x))]))


def with_lora(layer, build):
    model = net(lambda x: build(layer, x))
    layer.enable_lora(2)
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    return model


def lora_of_ids(layer, x):
    return layers.Flatten()(layer(ops.cast(ops.clip(x, 0, 3), "int32")))


def quantised(mode, build):
    model = net(build)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of layers that have nothing to quantise
        model.quantize(mode)
    return model


def sequential():
    return keras.Sequential([keras.Input((4,), name="x"), layers.Dense(3, "relu"), layers.Dense(2)])


NETS = {
    "a + b": lambda: net(lambda x: x + layers.Dense(4)(x)),
    "a - b": lambda: net(lambda x: x - layers.Dense(4)(x)),
    "a * b": lambda: net(lambda x: x * layers.Dense(4)(x)),
    "* 2.0": lambda: net(lambda x: x * 2.0),
    "1 -": lambda: net(lambda x: 1.0 - x),
    "+ array": lambda: net(lambda x: x + np.arange(4, dtype="float32")),
    "+ one column": lambda: net(lambda x: x + layers.Dense(1)(x)),
    "ops.add": lambda: net(lambda x: ops.add(x, x)),
    "ops.reshape": lambda: net(lambda x: layers.Flatten()(ops.reshape(x, (-1, 2, 2)))),
    "ops.dot": lambda: net(lambda x: ops.dot(x, ops.convert_to_tensor(MATRIX))),
    "ops.matmul": lambda: net(lambda x: ops.matmul(x, MATRIX)),
    "ops.concatenate": lambda: net(lambda x: ops.concatenate([x, layers.Dense(2)(x)], axis=-1)),
    "ops.relu": lambda: net(lambda x: ops.relu(layers.Dense(3)(x))),
    "ops.mean": lambda: net(lambda x: ops.mean(ops.reshape(x, (-1, 2, 2)), axis=1)),
    "slice": lambda: net(lambda x: x[:, 1:3]),
    "functional last": lambda: net(lambda x: inner()(layers.Dense(4)(x)), last=0),
    "functional twice": called_twice,
    "sequential": sequential,
    "own Dense": lambda: net(lambda x: Tripled()(x)),
    "own subclass": lambda: net(lambda x: Negated(3)(x)),
    "own activation": lambda: net(lambda x: layers.Dense(3, relu)(x)),
    "own call": lambda: Doubled(*(lambda model: (model.input, model.output))(net(lambda x: layers.Dense(3)(x)))),
    "lora of a dense layer": lambda: with_lora(layers.Dense(3), lambda layer, x: layer(x)),
    "lora of a table": lambda: with_lora(layers.Embedding(4, 3), lora_of_ids),
    "a cross layer": lambda: net(lambda x: FeatureCross()([x, layers.Dense(4)(x)])),
}


def expected(model, rows=X):
    return ops.convert_to_numpy(model(keras.tree.map_structure(ops.convert_to_tensor, rows), training=False))


@pytest.mark.parametrize("name", NETS)
def test_an_exported_net_says_what_keras_says(name, tmp_path):
    model = NETS[name]()
    path = rk.export_light(model, tmp_path / "net.onnx", X)
    session = onnx_session(path)
    for count in (1, 24):
        (found,) = session.run(None, onnx_feed(session, X[:count]))
        wanted = expected(model, X[:count])
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    assert np.ptp(wanted) > 0.01
    assert rk.measure_latency(model, 4, rows=X, requests=20, warm_up=0).p50_ms > 0


def test_lora_is_more_than_the_weights_without_it(tmp_path):
    model = NETS["lora of a dense layer"]()
    layer = model.layers[1]
    plain = ops.convert_to_numpy(layer._kernel)
    session = onnx_session(rk.export_light(model, tmp_path / "net.onnx", X))
    found = session.run(None, onnx_feed(session, X))[0]
    head = [ops.convert_to_numpy(v) for v in model.layers[2].weights]
    without = (X @ plain + ops.convert_to_numpy(layer.bias)) @ head[0] + head[1]
    assert np.abs(found - without).max() > 0.1


@pytest.mark.parametrize(
    ("mode", "build"),
    [
        ("int8", lambda x: layers.Dense(6, "relu")(x)),
        ("int4", lambda x: layers.Dense(6, "relu")(x)),
        ("float8", lambda x: layers.Dense(6, "relu")(x)),
        ("int8", lambda x: FeatureCross()([x, x])),
    ],
    ids=["int8", "int4", "float8", "int8 in a cross layer"],
)
def test_a_net_that_keras_quantised_is_right_or_refused(mode, build, tmp_path):
    model, path = quantised(mode, build), tmp_path / "net.onnx"
    said = ""
    try:
        rk.export_light(model, path, X)
    except ValueError as error:
        said = str(error)
    if path.exists():
        session = onnx_session(path)
        found = session.run(None, onnx_feed(session, X))[0]
        np.testing.assert_allclose(found, expected(model), rtol=1e-5, atol=1e-5)
    else:
        assert f"which Keras quantised to {mode}" in said
        assert "\n" not in said


def test_a_layer_that_is_called_in_training_mode_is_not_written_as_a_finished_one(tmp_path):
    model = net(lambda x: layers.BatchNormalization(name="norm")(x, training=True))
    with pytest.raises(Unwritable, match="'norm', which is called with training=True"):
        write_onnx(model, tmp_path / "net.onnx")


def test_a_layer_of_half_precision_is_named(tmp_path):
    model = net(lambda x: layers.Dense(3, dtype="mixed_float16", name="half")(x))
    with pytest.raises(ValueError, match="float32 for ONNX, received float16 in 'half'") as stop:
        rk.export_light(model, tmp_path / "net.onnx", X)
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float16"])
@pytest.mark.parametrize(
    "build",
    [
        lambda x: x,
        lambda x: layers.Rescaling(1 / 255)(x),
        lambda x: layers.BatchNormalization()(x),
        lambda x: layers.Reshape((4,))(layers.Reshape((2, 2))(x)),
        lambda x: layers.Concatenate()([x, layers.Dense(2)(x)]),
        lambda x: layers.Concatenate()([x[:, :2], x[:, 1:]]),
    ],
    ids=["dense", "rescaling", "norm", "reshape", "concatenate", "slices"],
)
def test_other_types_go_into_a_layer_as_in_keras(build, dtype, tmp_path):
    x = keras.Input((4,), dtype=dtype, name="x")
    model, rows = keras.Model(x, layers.Dense(2)(build(x))), np.arange(20).reshape(5, 4).astype(dtype)
    session = onnx_session(rk.export_light(model, tmp_path / "net.onnx", rows))
    found = session.run(None, onnx_feed(session, rows))[0]
    np.testing.assert_allclose(found, expected(model, rows), rtol=1e-5, atol=1e-5)


def test_what_neither_way_can_write_is_one_line(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError("first\nsecond")

    monkeypatch.setattr(keras.Model, "export", fail)
    model = NETS["own Dense"]()
    with pytest.raises(ValueError, match=r"layer 'dense\w*' \(Dense\), which Keras's exporter cannot write") as stop:
        rk.export_light(model, tmp_path / "net.onnx", X)
    assert "\n" not in str(stop.value)
    assert str(stop.value).endswith("export .keras, or replace that layer")


def columns():
    inputs = {name: keras.Input((1,), name=name) for name in ("age", "price")}
    return keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(list(inputs.values()))))


FLAT = {"age": X[:, 0], "price": X[:, 1]}


@pytest.mark.parametrize(
    ("build", "rows"),
    [
        (lambda: (lambda x: keras.Model(x, layers.Dense(2)(x)))(keras.Input((1,), name="x")), X[:, 0]),
        (lambda: keras.Sequential([keras.Input((1,), name="x"), layers.Dense(2)]), X[:, 0]),
        (lambda: (lambda x: keras.Model(x, layers.Reshape((1,))(x)))(keras.Input((), name="x")), X[:, :1]),
        (columns, FLAT),
        (columns, {"age": X[:, 0], "price": X[:, 1:2]}),
    ],
    ids=["(n,) for (1,)", "sequential", "(n, 1) for ()", "columns", "mixed columns"],
)
@pytest.mark.parametrize("suffix", [".onnx", ".keras"])
def test_rows_may_have_the_rank_that_keras_takes(build, rows, suffix, tmp_path):
    model = build()
    path = rk.export_light(model, tmp_path / f"net{suffix}", rows)
    wanted = expected(model, rows)
    if suffix == ".onnx":
        session = onnx_session(path)
        (found,) = session.run(None, onnx_feed(session, rows))
    else:
        found = expected(keras.models.load_model(path, compile=False), rows)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert rk.measure_latency(model, 4, rows=rows, requests=20, warm_up=0).requests == 20
    assert rk.measure_latency(model, 4, requests=20, warm_up=0).requests == 20


def test_a_request_shaped_file_is_measured_with_rows_of_data(tmp_path, monkeypatch):
    from rocket_keras.latency import measure

    fed = []
    monkeypatch.setattr(measure, "onnx_run", lambda session, feed: fed.append(feed))
    model, rows = columns(), {"age": X[:, 0], "price": X[:, 1:2]}
    path = rk.export_light(model, tmp_path / "net.onnx", rows, once=["age"])
    rk.measure_latency(path, 5, rows=rows, requests=20, warm_up=0)
    for number, feed in enumerate(fed[:4]):  # 24 rows: four requests of five
        np.testing.assert_array_equal(feed["age"][:, 0], X[5 * number : 5 * number + 1, 0])
        np.testing.assert_array_equal(feed["price"][:, 0], X[5 * number : 5 * number + 5, 1])
    assert {feed["age"].shape for feed in fed} == {(1, 1)}
    del fed[:]
    rk.measure_latency(path, 5, rows={"age": X[:1, 0], "price": X[:, 1:2]}, requests=20, warm_up=0)
    assert {float(feed["age"][0, 0]) for feed in fed} == {float(X[0, 0])}
    with pytest.raises(ValueError, match="columns of one length in `rows`") as stop:
        rk.measure_latency(path, 5, rows={"age": X[:9, 0], "price": X[:, 1:2]}, requests=20)
    assert "\n" not in str(stop.value)


def test_an_export_leaves_lora_as_it_was(tmp_path):
    model = NETS["lora of a table"]()
    before = [weight.copy() for weight in model.get_weights()]
    rk.export_light(model, tmp_path / "net.onnx", X)
    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)
    assert next(layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)).lora_enabled
