import json

import keras
import pytest

from rocket_keras.architecture import architecture
from tuning import cache as cache_module
from tuning.cache import MeasurementCache


def net(units=8, name=None, rate=0.0):
    x = keras.Input((4,), name="x")
    h = keras.layers.Dropout(rate, name=name and f"{name}_drop")(keras.layers.Dense(units, name=name)(x))
    return keras.Model(x, keras.layers.Dense(1)(h))


def test_a_shape_is_the_same_whatever_its_layers_are_called():
    assert architecture(net()) == architecture(net())
    assert architecture(net(name="a")) == architecture(net(name="b"))
    assert architecture(net(8)) != architecture(net(9))


def test_inputs_keep_their_names_since_requests_are_fed_by_name():
    def named(name):
        x = keras.Input((4,), name=name)
        return keras.Model({name: x}, keras.layers.Dense(1)(x))

    assert architecture(named("user")) != architecture(named("item"))


def test_measurements_survive_on_disk(tmp_path):
    MeasurementCache(tmp_path).put("a", {"share": 0.5})
    assert MeasurementCache(tmp_path).get("a") == {"share": 0.5}
    assert MeasurementCache(tmp_path).get("b") is None


def test_those_of_another_machine_are_ignored_and_counted(tmp_path, monkeypatch):
    MeasurementCache(tmp_path).put("a", {"share": 0.5})
    monkeypatch.setattr(cache_module, "machine", lambda: {"processor": "another", "cores": 64})
    here = MeasurementCache(tmp_path)
    assert here.get("a") is None
    assert here.foreign == {"a"}
    here.put("a", {"share": 0.9})
    assert MeasurementCache(tmp_path).get("a") == {"share": 0.9}


def test_a_file_that_was_cut_is_measured_again(tmp_path):
    MeasurementCache(tmp_path).put("a", {"share": 0.5})
    path = tmp_path / "a.json"
    path.write_text(path.read_text()[:20])
    assert MeasurementCache(tmp_path).get("a") is None


def test_a_full_disk_loses_nothing_and_is_told(tmp_path, monkeypatch):
    def full(path, value):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module, "write_json", full)
    cache = MeasurementCache(tmp_path)
    cache.put("a", {"share": 0.5})
    assert cache.get("a") == {"share": 0.5}
    assert "No space left on device" in cache.trouble


def test_an_entry_says_where_it_was_taken(tmp_path):
    MeasurementCache(tmp_path).put("a", {"share": 0.5})
    assert set(json.loads((tmp_path / "a.json").read_text())["machine"]) == {"processor", "cores"}


@pytest.mark.parametrize("folder", [None])
def test_without_a_folder_it_remembers_in_memory(folder):
    cache = MeasurementCache(folder)
    cache.put("a", {"share": 0.5})
    assert cache.get("a") == {"share": 0.5}
