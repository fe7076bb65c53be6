"""The ONNX graph that is written layer by layer says what Keras says, on nets of every family of the zoo."""

import re
import runpy
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import export_light, onnx_graph
from rocket_keras.export import made_up_rows
from rocket_keras.onnx_graph import Unwritable, write_onnx
from rocket_keras.onnx_runtime import onnx_feed, onnx_session

onnx = pytest.importorskip("onnx")
FEATURES = runpy.run_path(str(Path(__file__).parents[1] / "zoo" / "made_up_ctr.py"))["FEATURES"]


def clicks(tower):
    return zoo.ctr_pair(FEATURES, light=tower, light_units=(6, 4), booster_units=(8,)).light


def rows_of(model, count, seed=0):
    """Rows with ids inside and outside of their vocabulary, and padding."""
    rng = np.random.default_rng(seed)
    rows = made_up_rows(model, count, seed)
    if isinstance(rows, dict):
        rows.update({k: rng.integers(-2, 14, v.shape).astype("int32") for k, v in rows.items() if v.dtype == "int32"})
        if "history" in rows:  # padding is at the end
            rows["history"] = -np.sort(-rows["history"], axis=1)
    return rows


def moved(model):
    """Give every weight another value than its initial one."""
    rng = np.random.default_rng(1)
    model.set_weights([weight + rng.uniform(0.05, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def compared(model, path, once=(), **switches):
    """Write the net, and compare it with Keras on batches of several sizes."""
    write_onnx(model, path, once, **switches)
    session = onnx_session(path)
    for count in (1, 5):
        rows = rows_of(model, count)
        if once:
            rows.update({name: np.repeat(rows[name][:1], count, axis=0) for name in once})
        expected = keras.ops.convert_to_numpy(model(keras.tree.map_structure(keras.ops.convert_to_tensor, rows)))
        feed = {name: rows[name][:1] for name in once} | {k: rows[k] for k in set(rows) - set(once)} if once else rows
        found = session.run(None, onnx_feed(session, feed))[0]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return onnx.load(path)


TOWERS = ["mlp", "mlp_ensemble", "two_tower", "wide_deep", "deepfm", "dcnv2", "din"]


@pytest.mark.parametrize("tower", TOWERS)
def test_click_through_rate_nets(tower, tmp_path):
    model = moved(clicks(tower))
    graph = compared(model, tmp_path / "net.onnx").graph
    assert {value.name for value in graph.input} == {tensor.name for tensor in model.inputs}
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert not [weight.name for weight in graph.initializer if "booster" in weight.name]


USER = [feature.name for feature in FEATURES if feature.side == "user"]


@pytest.mark.parametrize("fold", [False, True], ids=["looked up", "folded"])
@pytest.mark.parametrize("once", [(), USER], ids=["rows", "request"])
@pytest.mark.parametrize("tower", TOWERS)
def test_a_graph_shaped_for_requests_or_with_folded_tables_says_the_same(tower, once, fold, tmp_path):
    model = moved(clicks(tower))
    graph = compared(model, tmp_path / "net.onnx", once, fold=fold).graph
    rows = {value.name: value.type.tensor_type.shape.dim[0] for value in graph.input}
    assert {name for name, size in rows.items() if size.dim_value == 1} == set(once)


def products(graph):
    """Multiply-adds of the graph's products for one request of 100 candidates, once-a-request rows counted once."""
    known = onnx.shape_inference.infer_shapes(graph).graph
    sizes = {value.name: value.type.tensor_type.shape.dim for value in (*known.value_info, *known.input, *known.output)}
    weights = {weight.name: weight.dims for weight in graph.graph.initializer}
    rows = {node.name: 1 if sizes[node.output[0]][0].dim_value == 1 else 100 for node in graph.graph.node}
    return sum(
        rows[node.name] * int(np.prod(weights[node.input[1]])) for node in graph.graph.node if node.op_type == "Gemm"
    )


def test_what_a_request_has_once_is_multiplied_once(tmp_path):
    fields = [zoo.Categorical(f"{side}{i}", 9, dim=4, side=side) for side in ("user", "item") for i in range(3)]
    model = moved(zoo.ctr_pair(fields, light_units=(8,), booster_units=(8,)).light)
    once = [field.name for field in fields if field.side == "user"]
    rows, request, folded = (
        products(compared(model, tmp_path / "rows.onnx")),
        products(compared(model, tmp_path / "request.onnx", once)),
        products(compared(model, tmp_path / "folded.onnx", once, fold=True)),
    )
    head = 100 * 8
    assert rows == 100 * 24 * 8 + head
    assert request == 12 * 8 + 100 * 12 * 8 + head
    assert folded == 12 * 8 + head


def test_a_net_that_a_request_has_once_as_a_whole_is_refused(tmp_path):
    model = zoo.ctr_pair([zoo.Categorical("user", 4, side="user")], light_units=(2,)).light
    with pytest.raises(Unwritable, match="all given once"):
        write_onnx(model, tmp_path / "net.onnx", ["user"])


def test_batch_norms_go_into_the_products_beside_them(tmp_path):
    x = keras.Input((6,), name="x")
    hidden = keras.layers.BatchNormalization(name="before")(x)
    hidden = keras.layers.Dense(5, name="first")(hidden)
    hidden = keras.layers.BatchNormalization(name="between")(hidden)
    hidden = keras.layers.ReLU()(hidden)
    read_twice = keras.layers.BatchNormalization(name="twice")(hidden)
    model = moved(keras.Model(x, keras.layers.Dense(2)(keras.layers.Add()([read_twice, hidden]))))
    plain = compared(model, tmp_path / "plain.onnx", batch_norm=False).graph
    folded = compared(model, tmp_path / "folded.onnx").graph
    counts = [[node.op_type for node in graph.node].count("Mul") for graph in (plain, folded)]
    assert counts == [3, 1]  # the one above an activation, read beside it, stays
    images = keras.Input((4, 4, 3), name="image")
    maps = keras.layers.BatchNormalization(name="maps")(keras.layers.Conv2D(2, 3, name="conv")(images))
    model = moved(keras.Model(images, keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(maps))))
    graph = compared(model, tmp_path / "image.onnx").graph
    assert not [node for node in graph.node if node.op_type == "BatchNormalization"]


def test_all_fields_of_a_width_take_one_gather(tmp_path):
    fields = [zoo.Categorical(f"field{i}", 5, dim=4) for i in range(7)]
    graph = compared(moved(zoo.ctr_pair(fields).light), tmp_path / "net.onnx").graph
    assert [node.op_type for node in graph.node].count("Gather") == 1


@pytest.mark.parametrize(
    "build",
    [
        lambda: zoo.wide_resnet_pair(10, 16, 2, 3, (8, 8, 1), booster_dropout=0.1).booster,
        lambda: zoo.mobile_pair("shufflenet_v2", 10, 1, 3, (16, 16, 3)).light,
        lambda: zoo.mobile_pair("mobilenet_v2", 10, 1, 3, (16, 16, 3)).light,
    ],
    ids=["wide_resnet", "shufflenet_v2", "mobilenet_v2"],
)
def test_image_nets(build, tmp_path):
    model = build()
    for layer in model.layers:  # means and variances that a training leaves behind
        if isinstance(layer, keras.layers.BatchNormalization):
            rng = np.random.default_rng(len(layer.name))
            layer.moving_mean.assign(rng.normal(0, 0.1, layer.moving_mean.shape))
            layer.moving_variance.assign(rng.uniform(0.8, 1.2, layer.moving_variance.shape))
    graph = compared(model, tmp_path / "net.onnx").graph
    turns = [node.op_type for node in graph.node].count("Transpose")
    reshaped = any(isinstance(layer, keras.layers.Permute) for layer in model.layers)  # the shuffle of ShuffleNet
    assert reshaped or turns == 1  # convolutions follow each other without turning the image round between them


def test_a_net_inside_a_net_and_a_sequential_one(tmp_path):
    x = keras.Input((6,), name="x")
    inner = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, "tanh"), keras.layers.PReLU()])
    nested = keras.Model(x, keras.layers.Dense(2)(keras.layers.Add()([inner(x), inner(x[:, :6])])))
    compared(moved(nested), tmp_path / "nested.onnx")
    compared(moved(inner), tmp_path / "sequential.onnx")


@pytest.mark.parametrize("layer", [keras.layers.GRU(3), keras.layers.Dense(3, "gelu")], ids=lambda layer: layer.name)
def test_what_cannot_be_written_is_named(layer, tmp_path):
    x = keras.Input((4, 2), name="x")
    with pytest.raises(Unwritable, match=layer.name):
        write_onnx(keras.Model(x, layer(x)), tmp_path / "net.onnx")


def test_the_zoo_needs_no_exporter_of_the_backend(monkeypatch, tmp_path):
    monkeypatch.setattr(keras.Model, "export", lambda *args, **kwargs: pytest.fail("went the general way"))
    export_light(clicks("din"), tmp_path / "net.onnx")


def test_another_layer_goes_the_general_way(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(2, name="logits")(keras.layers.Dense(3, "silu")(x)))
    with pytest.raises(Unwritable):
        write_onnx(model, tmp_path / "direct.onnx")
    assert export_light(moved(model), tmp_path / "net.onnx").stat().st_size > 0  # compares with Keras


@pytest.mark.parametrize("tower", ["mlp", "dcnv2"])
def test_it_says_what_keras_own_exporter_says(tower, tmp_path):
    model = moved(clicks(tower))
    rows = rows_of(model, 6)
    write_onnx(model, tmp_path / "direct.onnx")
    model(keras.tree.map_structure(keras.ops.convert_to_tensor, rows))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own deprecations
        model.export(str(tmp_path / "traced.onnx"), format="onnx", verbose=False)
    direct, traced = (onnx_session(tmp_path / f"{name}.onnx") for name in ("direct", "traced"))
    outputs = [session.run(None, onnx_feed(session, rows))[0] for session in (direct, traced)]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-5)
    names = [weight.name for weight in onnx.load(tmp_path / "direct.onnx").graph.initializer]
    assert [name for name in names if re.match(r"shared_embedding_\w+/table", name)]


def test_weights_that_no_onnx_file_holds_are_refused(tmp_path, monkeypatch):
    model = clicks("mlp")
    weights = compared(model, tmp_path / "light.onnx").graph.initializer
    size = sum(onnx.numpy_helper.to_array(weight).nbytes for weight in weights)
    monkeypatch.setattr(onnx_graph, "LARGEST", size)
    write_onnx(model, tmp_path / "light.onnx")
    monkeypatch.setattr(onnx_graph, "LARGEST", size - 1)
    told = f"large.onnx: expected weights of at most {size - 1:,} bytes, as an ONNX file holds them, received {size:,}"
    with pytest.raises(ValueError, match=told) as stop:
        export_light(model, tmp_path / "large.onnx")
    assert "\n" not in str(stop.value)
    assert not (tmp_path / "large.onnx").exists()
