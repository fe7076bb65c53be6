"""A file that is cut, changed or another one is refused in one line, before anything of it runs."""

import contextlib
import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Scorer, export_light
from rocket_keras.onnx_runtime import onnx_session
from rocket_keras.serving import read_artefact
from rocket_keras.serving.artefact import KEY, Artefact, write_artefact
from rocket_keras.serving.seal import check_seal

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def file(served, tmp_path):
    """A copy of a good file."""
    return shutil.copyfile(served[1], tmp_path / "light.onnx")


def refused(path):
    """The one line with which a file is refused."""
    with pytest.raises(ValueError, match="expected") as error:
        Scorer(path)
    assert type(error.value) is ValueError
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


def test_what_was_written_is_read(light, served):
    artefact = read_artefact(onnx_session(served[1]))
    assert artefact.name == "light"
    assert artefact.encoder == light.ENCODER.to_json()
    assert artefact.once == light.USER_INPUTS
    assert set(artefact.rows) == {field.name for field in light.FIELDS}
    assert np.shape(artefact.logits) == (3, 1)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="received no such file; write it with"):
        Scorer(tmp_path / "none.onnx")


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, -1])
def test_a_cut_file_is_refused(file, share):
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content)) if share >= 0 else -1])
    assert "export it again" in refused(file) or "write it with" in refused(file)


def test_any_changed_byte_is_seen(file):
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    content = file.read_bytes()
    edits = st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(1, 255)), min_size=1, max_size=20)

    @hypothesis.settings(max_examples=80, deadline=None, database=None)
    @hypothesis.given(edits, st.integers(0, 3), st.binary(max_size=9))
    def changed_is_refused(edits, way, more):
        spoiled = bytearray(content)
        for place, difference in edits:
            spoiled[place] ^= difference
        place = edits[0][0]
        if way == 1:
            spoiled = content[:place] + more + content[place:] + b"\n"
        elif way == 2:
            spoiled = content[:place]
        elif way == 3:
            spoiled = content[:place] + content[place + 1 :]
        if bytes(spoiled) == content:
            return
        file.write_bytes(bytes(spoiled))
        refused(file)

    changed_is_refused()


def test_the_net_is_not_opened_when_its_bytes_changed(file, monkeypatch):
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(bytes(content))
    monkeypatch.setattr("rocket_keras.serving.scorer.onnx_session", lambda *_: pytest.fail("was opened"))
    assert "the file was changed, so export it again" in refused(file)


def test_a_good_file_passes(file):
    check_seal(file, KEY)
    Scorer(file)


def test_made_up_facts_about_a_net_are_refused(served, file):
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    good = json.loads(read_artefact(onnx_session(served[1])).to_json())
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    anything = st.recursive(
        leaves, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v), max_leaves=6
    )
    changes = st.one_of(
        st.tuples(st.sampled_from([("name",), ("encoder",), ("once",), ("check",), ("format",)]), anything),
        st.tuples(st.sampled_from([("check", "rows"), ("check", "logits"), ("check", "tolerance")]), anything),
        st.tuples(st.sampled_from([("check", "rows", "item"), ("check", "rows", "price")]), anything),
    )

    class Told:
        def __init__(self, content):
            self.content = content

        def to_json(self):
            return json.dumps(self.content)

    @hypothesis.settings(max_examples=60, deadline=None, database=None)
    @hypothesis.given(changes)
    def refused_or_right(change):
        keys, value = change
        content = json.loads(json.dumps(good))
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        write_artefact(file, Told(content))
        with contextlib.suppress(ValueError):  # and nothing else; a change may change nothing
            Scorer(file)

    refused_or_right()


def test_other_logits_than_those_of_the_export_are_refused(served, file):
    artefact = read_artefact(onnx_session(file))
    write_artefact(file, dataclasses.replace(artefact, logits=np.asarray(artefact.logits) + 0.01))
    assert "the logits of the export" in refused(file)


def test_an_onnx_file_without_preprocessing_is_refused(served, file):
    model = onnx.load(file)
    del model.metadata_props[:]
    onnx.save(model, file)
    assert "received an ONNX file without; write it with rocket-keras export" in refused(file)


def test_facts_without_a_seal_are_refused(served, file):
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {KEY: read_artefact(onnx_session(file)).to_json()})
    onnx.save(model, file)
    assert "received none; the file was changed" in refused(file)


def test_the_encoder_of_another_net_is_refused(light, file):
    artefact = read_artefact(onnx_session(file))
    for fields in (light.FIELDS[1:4], [*light.FIELDS[:4], *light.FIELDS[5:], renamed(light.FIELDS[5], name="age")]):
        encoder = type(light.ENCODER)(tuple(fields)).to_json()
        write_artefact(file, dataclasses.replace(artefact, encoder=encoder))
        assert "expected an encoder of all inputs" in refused(file)
    longer = type(light.ENCODER)(tuple(renamed(f, length=9) if f.name == "history" else f for f in light.FIELDS))
    write_artefact(file, dataclasses.replace(artefact, encoder=longer.to_json()))
    assert "received none of 'history'" in refused(file)


def renamed(field, **values):
    return dataclasses.replace(field, **values)


def test_nets_that_score_no_clicks_are_refused(light, tmp_path):
    two = zoo.ctr_pair(light.FAMILY["FEATURES"], light_units=(2,), booster_units=(2,), logits=2).light
    path = export_light(two, tmp_path / "two.onnx", light.FAMILY["rows"](light.BATCH)[0], light.ENCODER)
    assert "received one of several classes; run other nets with ONNX Runtime itself" in refused(path)
    x = keras.Input((4,), name="x")
    path = export_light(keras.Model(x, keras.layers.Dense(1)(x)), tmp_path / "plain.onnx")
    assert "received one without an encoder" in refused(path)


def test_facts_survive_their_json():
    artefact = Artefact("net", "{}", ("a",), {"a": np.array([[1, 2]], "int32")}, np.array([[0.5]], "float32"))
    told = json.loads(artefact.to_json())
    assert told["check"]["rows"] == {"a": [[1, 2]]}
    assert told["check"]["logits"] == [[0.5]]
    assert told["once"] == ["a"]
