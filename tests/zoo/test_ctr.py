import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Rocket, export_light, multiply_adds
from rocket_keras.export import onnx_feed, onnx_session

FEATURES = [
    zoo.Categorical("user", 50),
    zoo.Categorical("ad", 30),
    zoo.Categorical("slot", 4, dim=3),
    zoo.Numeric("price"),
]


def rows(count=40):
    rng = np.random.default_rng(0)
    x = {f.name: rng.integers(0, f.size, count).astype("int32") for f in FEATURES[:3]}
    x["price"] = rng.normal(size=count).astype("float32")
    return x, rng.integers(0, 2, count).astype("float32")


def test_the_head_of_the_paper_has_131360_multiplications():
    features = [zoo.Categorical(f"field{i}", 10) for i in range(36)]
    pair = zoo.ctr_pair(features, light_units=(200, 80), logits=2)
    assert pair.light.get_layer("light_dense0").kernel.shape[0] == 576
    assert multiply_adds(pair.light) == 131_360


def test_embeddings_are_shared_and_towers_private():
    pair = zoo.ctr_pair(FEATURES, light_units=(8,), booster_units=(16, 8), bottom_units=(12,))
    shared = {v.path.split("/")[0] for v in pair.shared_variables}
    assert shared == {"shared_embedding_16", "shared_embedding_3", "shared_dense0"}
    assert {v.path.split("/")[0] for v in pair.light_variables} == {"light_dense0", "light_logits"}
    tables = [layer for layer in pair.joint.get_config()["layers"] if layer["name"].startswith("shared_embedding")]
    assert [len(layer["inbound_nodes"]) for layer in tables] == [1, 1]


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_a_pair_trains_detaches_and_exports(tmp_path, light_to_shared):
    pair = zoo.ctr_pair(FEATURES, light_units=(8,), booster_units=(16, 8))
    rocket = Rocket(pair, hint_weight=1.0, light_to_shared=light_to_shared)
    rocket.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    x, y = rows()
    logs = rocket.fit(x, y, epochs=3, verbose=0).history
    assert logs["loss"][-1] < logs["loss"][0]
    before = pair.light.predict(x, verbose=0)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", x))
    assert {i.name for i in session.get_inputs()} == {f.name for f in FEATURES}
    np.testing.assert_allclose(session.run(None, onnx_feed(session, x))[0], before, atol=1e-5)
    loaded = keras.models.load_model(export_light(pair, tmp_path / "light.keras"))
    np.testing.assert_allclose(loaded.predict(x, verbose=0), before, atol=1e-6)


def test_a_tower_may_be_a_function():
    def linear(x, units, logits, name):
        return keras.layers.Dense(logits, name=f"{name}_linear")(x)

    assert multiply_adds(zoo.ctr_pair(FEATURES, light=linear).light) == 16 + 16 + 3 + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": []}, "at least one"),
        ({"features": [zoo.Numeric("a"), zoo.Numeric("a")]}, "a name of its own"),
        ({"features": FEATURES, "light": "cnn"}, "must be one of"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.ctr_pair(**arguments)
