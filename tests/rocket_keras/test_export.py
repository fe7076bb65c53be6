import contextlib
import importlib.util
import runpy
import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from rocket_keras import Pair, Rocket, export, export_light
from rocket_keras.layers import PreActivationBlock
from rocket_keras.onnx_runtime import onnx_feed, onnx_session

FAMILY = runpy.run_path(str(Path(__file__).parents[1] / "zoo" / "made_up_ctr.py"))


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


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("light.onnx", {}),
        ("light.onnx", {"fold": True}),
        ("light.onnx", {"once": ("user", "history", "age", "hour")}),
        ("light.keras", {}),
    ],
    ids=["onnx", "folded", "request", "keras"],
)
def test_no_export_holds_a_booster_weight_or_its_name(tmp_path, file, options):
    pair, rng = FAMILY["pair_of"]("mlp"), np.random.default_rng(0)
    pair.booster.set_weights([weight + rng.normal(size=weight.shape) for weight in pair.booster.get_weights()])
    path = export_light(pair, tmp_path / file, FAMILY["rows"]()[0], **options)
    if file == "light.keras":
        with zipfile.ZipFile(path) as parts:
            data = b"".join(parts.read(name) for name in parts.namelist())
    else:
        assert not [i.name for i in onnx.load(path).graph.initializer if "booster" in i.name]
        data = path.read_bytes()
    assert b"booster" not in data
    light, *booster = (
        keras.ops.convert_to_numpy(v.value)
        for v in (pair.light.get_layer("light_logits").kernel, *pair.booster_variables)
    )
    assert light.tobytes() in data
    assert len(booster) == 6
    assert not [value.shape for value in booster if value.tobytes() in data or value.T.tobytes() in data]


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


@pytest.fixture
def write_folder(make_pair, monkeypatch):
    """A function that exports a SavedModel, written by a stand-in for TensorFlow."""

    def write(model, draft, rewrites):
        draft.mkdir()
        (draft / "saved_model.pb").write_text("new")

    def run(draft, rows):
        return keras.ops.convert_to_numpy(pair.light(rows))

    pair = make_pair()
    monkeypatch.setitem(export._FORMATS, "", (write, run))
    return lambda path: export_light(pair, path, encoder="{}")


@pytest.mark.parametrize("earlier", [None, (), ("saved_model.pb", "fingerprint.pb", "variables", "assets.extra")])
def test_a_folder_is_new_empty_or_an_earlier_export(write_folder, tmp_path, earlier):
    path = tmp_path / "models" / "1"
    for name in earlier or ():
        (path / name).mkdir(parents=True)
    if earlier == ():
        path.mkdir(parents=True)
    write_folder(path)
    assert {entry.name for entry in path.iterdir()} == {"saved_model.pb", "assets.extra"}
    assert (path / "saved_model.pb").read_text() == "new"
    assert [entry.name for entry in path.parent.iterdir()] == ["1"]


def test_any_other_folder_is_left_as_it_is(write_folder, tmp_path):
    for name in ("1", "2"):
        write_folder(tmp_path / name)
    found = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"received one that holds '1'; name a new folder, in it or elsewhere$"):
        write_folder(tmp_path)
    (tmp_path / "saved_model.pb").touch()  # somebody forgot the number before
    with pytest.raises(ValueError, match="holds '1'"):
        write_folder(tmp_path)
    (tmp_path / "cut" / "variables").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"received one without saved_model\.pb"):
        write_folder(tmp_path / "cut")
    (tmp_path / "plain").touch()
    with pytest.raises(ValueError, match=r"expected a folder at .*, received a file"):
        write_folder(tmp_path / "plain")
    assert set(found) <= set(tmp_path.rglob("*"))


def test_what_cannot_be_replaced_goes_on(write_folder, tmp_path, monkeypatch):
    path = write_folder(tmp_path / "1")
    (path / "saved_model.pb").write_text("old")
    move = Path.replace

    def cut(draft, place):
        if place == path and draft.name == "1":
            raise OSError("no room")
        return move(draft, place)

    monkeypatch.setattr(Path, "replace", cut)
    with pytest.raises(OSError, match="no room"):
        write_folder(path)
    assert (path / "saved_model.pb").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_takes_no_folders_place(make_pair, tmp_path):
    path = tmp_path / "light.onnx"
    (path / "kept").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"expected a file at .*, received a folder; name a file in it"):
        export_light(make_pair(), path)
    assert (path / "kept").is_dir()
