import functools
import http.server
import json
import threading

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Pair
from zoo.loading import open_preset
from zoo.preset import BOOSTER, CONFIG, LIGHT, METADATA, Preset, save_preset

FEATURES = (zoo.Categorical("user_id", 20), zoo.Categorical("item_id", 30), zoo.Numeric("price"))
ROWS = {
    "user_id": np.arange(8, dtype="int32"),
    "item_id": np.arange(8, dtype="int32") * 3,
    "price": np.linspace(-1, 1, 8).astype("float32"),
}


def ctr():
    return zoo.ctr_pair(FEATURES, light_units=(4,), booster_units=(16, 8))


def predicted(model, rows=ROWS):
    return keras.ops.convert_to_numpy(model({tensor.name: rows[tensor.name] for tensor in model.inputs}))


@pytest.fixture
def saved(tmp_path):
    """A pair, and the folder of its preset."""
    pair = ctr()
    save_preset(pair, tmp_path / "preset", encoder='{"a": 1}', name="mine")
    return pair, tmp_path / "preset"


def test_metadata_of_a_presets_own_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"received \['files'\]; rename"):
        save_preset(ctr(), tmp_path / "preset", files="mine")
    assert not (tmp_path / "preset").exists()


def nothing_is_drawn(self, *args, **kwargs):
    raise AssertionError("an initial value was drawn, which the file replaces")


def test_nothing_is_drawn_to_be_loaded_over(tmp_path, monkeypatch):
    pair = zoo.wide_resnet_pair(10, 16, 1, 3, (8, 8, 1))
    save_preset(pair, tmp_path / "preset")
    with monkeypatch.context() as patch:
        for initializer in ("GlorotUniform", "HeNormal", "VarianceScaling", "RandomUniform", "Ones", "Zeros"):
            patch.setattr(getattr(keras.initializers, initializer), "__call__", nothing_is_drawn)
        light = zoo.load_light(tmp_path / "preset")
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(light.predict(images, verbose=0), pair.light.predict(images, verbose=0), atol=1e-5)
    # Whoever copies the net and trains it anew gets the initial values that its layers name.
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(light)))
    assert config == json.loads((tmp_path / "preset" / CONFIG).read_text())["light"]


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A function that serves a folder over HTTP on this machine: its URL, what was asked for, and how to stop it."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    servers = []

    def serve(folder):
        asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path.rsplit("/")[-1])
                super().do_GET()

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)

        def stop():
            server.shutdown()
            server.server_close()

        return f"http://127.0.0.1:{server.server_port}", asked, stop

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_pair_comes_back_with_its_logits_its_sharing_and_its_names(saved):
    pair, folder = saved
    again = zoo.load(folder)
    for head in ("light", "booster"):
        np.testing.assert_array_equal(predicted(getattr(again, head)), predicted(getattr(pair, head)))
    for part in ("shared_variables", "light_variables", "booster_variables"):
        assert [v.path for v in getattr(again, part)] == [v.path for v in getattr(pair, part)]
    assert again.light.get_layer("shared_embedding_16") is again.booster.get_layer("shared_embedding_16")


def test_a_wide_resnet_pair_comes_back_with_its_statistics(tmp_path):
    pair = zoo.wide_resnet_pair(10, 16, 1, 10, (8, 8, 1), "interval")
    images = np.random.default_rng(0).normal(size=(16, 8, 8, 1)).astype("float32")
    for _ in range(3):
        pair.joint(images, training=True)
    save_preset(pair, tmp_path / "preset")
    again = zoo.load(tmp_path / "preset")
    for head in ("light", "booster"):
        want = keras.ops.convert_to_numpy(getattr(pair, head)(images, training=False))
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(getattr(again, head)(images, training=False)), want)
    assert len(again.shared_variables) == len(pair.shared_variables) > 0


def test_the_light_net_comes_without_the_boosters_file(saved):
    pair, folder = saved
    (folder / BOOSTER).unlink()
    light = zoo.load_light(str(folder))
    np.testing.assert_array_equal(predicted(light), predicted(pair.light))
    assert light.count_params() == pair.light.count_params()
    with pytest.raises(FileNotFoundError, match=r"booster\.weights\.h5"):
        zoo.load(folder)


def test_either_weights_file_is_an_ordinary_keras_file(saved):
    pair, folder = saved
    fresh = keras.Model.from_config(pair.light.get_config())
    fresh.load_weights(folder / LIGHT)
    np.testing.assert_array_equal(predicted(fresh), predicted(pair.light))


@pytest.mark.parametrize("name", [LIGHT, BOOSTER, CONFIG])
def test_a_cut_file_is_refused_by_name_before_anything_is_loaded(saved, name):
    _, folder = saved
    path = folder / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"{name}.*cut") as caught:
        zoo.load(folder)
    assert "\n" not in str(caught.value)


def test_a_changed_file_is_refused_by_its_hash(saved):
    _, folder = saved
    path = folder / LIGHT
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"SHA-256 .*light\.weights\.h5.*nothing was"):
        zoo.load_light(folder)


def test_a_hash_known_beforehand_outweighs_the_folders_own_metadata(saved, tmp_path):
    _, folder = saved
    known = Preset(str(folder)).metadata()["files"]
    other = save_preset(ctr(), tmp_path / "other")
    assert other[LIGHT].sha256 != known[LIGHT].sha256
    with pytest.raises(ValueError, match="SHA-256"):
        Preset(str(tmp_path / "other"), known).light()


def test_broken_metadata_and_other_formats_are_one_line(saved):
    _, folder = saved
    told = json.loads((folder / METADATA).read_text())
    (folder / METADATA).write_text(json.dumps({**told, "format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        zoo.load(folder)
    (folder / METADATA).write_text("{")
    with pytest.raises(ValueError, match="expected the metadata of a preset"):
        zoo.load(folder)


def test_a_folder_without_a_preset_and_a_recipe_without_weights_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"metadata\.json"):
        zoo.load(tmp_path)
    with pytest.raises(ValueError, match=r"recipe only.*rocket-keras launch"):
        zoo.load("wrn16_1.rocket_wrn40_1_cifar10")
    with pytest.raises(KeyError, match="Did you mean"):
        zoo.load("wrn16_1.rocket_wrn40_1_cifar11")


def test_python_functions_are_not_saved(tmp_path):
    inputs = keras.Input((3,))
    light = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Lambda(lambda x: 2 * x, (3,))(inputs)))
    booster = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(8)(inputs)))
    with pytest.raises(ValueError, match="Lambda"):
        save_preset(Pair(light=light, booster=booster), tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


def test_a_url_is_fetched_once_and_only_what_is_needed(saved, served):
    pair, folder = saved
    url, asked, _ = served(folder)
    light = zoo.load_light(url)
    np.testing.assert_array_equal(predicted(light), predicted(pair.light))
    assert BOOSTER not in asked
    assert asked.count(LIGHT) == 1
    zoo.load(url)
    assert asked.count(LIGHT) == asked.count(CONFIG) == asked.count(BOOSTER) == 1


def test_without_network_the_cache_serves_and_says_so(saved, served):
    pair, folder = saved
    url, _, stop = served(folder)
    zoo.load_light(url)
    stop()
    with pytest.warns(UserWarning, match="cannot be reached"):
        light = zoo.load_light(url)
    np.testing.assert_array_equal(predicted(light), predicted(pair.light))
    offline = pytest.warns(UserWarning, match="cannot be reached")
    with offline, pytest.raises(FileNotFoundError, match=r"booster\.weights\.h5.*network"):
        zoo.load(url)


def test_another_file_behind_the_url_is_refused(saved, served):
    _, folder = saved
    (folder / LIGHT).write_bytes((folder / LIGHT).read_bytes()[:-1])
    url, _, _ = served(folder)
    with pytest.raises(ValueError, match=r"light\.weights\.h5 with SHA-256"):
        zoo.load_light(url)


def test_a_missing_preset_behind_a_url_is_one_line(served, tmp_path):
    (tmp_path / "empty").mkdir()
    url, _, _ = served(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=r"metadata\.json.*404"):
        zoo.load(url)


def test_pretrained_weights_go_into_a_pair_that_was_built(saved):
    pair, folder = saved
    mine = zoo.ctr_pair(FEATURES, light_units=(4,), booster_units=(16, 8), weights=folder)
    for head in ("light", "booster"):
        np.testing.assert_array_equal(predicted(getattr(mine, head)), predicted(getattr(pair, head)))


def test_heads_of_another_number_of_logits_keep_their_own_weights(saved):
    pair, folder = saved
    mine = zoo.ctr_pair(FEATURES, light_units=(4,), booster_units=(16, 8), logits=3, weights=folder)
    for head in ("light", "booster"):
        theirs, own = (zoo.without_head(getattr(one, head)) for one in (pair, mine))
        np.testing.assert_array_equal(predicted(own), predicted(theirs))
        assert predicted(getattr(mine, head)).shape == (8, 3)


def test_weights_of_another_architecture_are_refused_before_any_is_copied(saved):
    _, folder = saved
    other = zoo.ctr_pair(FEATURES, light_units=(5,), booster_units=(16, 8))
    before = predicted(other.light), predicted(other.booster)
    with pytest.raises(ValueError, match="light_dense0"):
        zoo.load_into(other, folder)
    for net, logits in zip((other.light, other.booster), before, strict=True):
        np.testing.assert_array_equal(predicted(net), logits)


def test_the_encoders_text_comes_back(saved):
    _, folder = saved
    assert json.loads(open_preset(folder).encoder()) == {"a": 1}
