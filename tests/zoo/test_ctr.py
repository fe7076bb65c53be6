import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Pair, Rocket, export_light, multiply_adds
from rocket_keras.graph import inputs_of
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from zoo.ctr import hidden_taps

FEATURES = [
    zoo.Categorical("user", 50),
    zoo.Categorical("ad", 30),
    zoo.Categorical("slot", 4, dim=3),
    zoo.Numeric("price"),
]
PRIVILEGED = [zoo.Categorical("exit", 5, dim=3, privileged=True), zoo.Numeric("dwell", privileged=True)]
ALL = [FEATURES[0], *PRIVILEGED, *FEATURES[1:]]

VARIANTS = {
    "shared": {},
    "bottom": {"bottom_units": (12,)},
    "none": {"sharing": "none"},
    "private user": {"share_except": ("user",)},
    "private user, bottom": {"share_except": ("user",), "bottom_units": (12,)},
    "private embeddings": {"private_dim": 2},
}


def rows(features=FEATURES, count=40):
    rng = np.random.default_rng(0)
    x = {}
    for f in features:
        is_id = isinstance(f, zoo.Categorical)
        x[f.name] = (
            rng.integers(0, f.size, count).astype("int32") if is_id else rng.normal(size=count).astype("float32")
        )
    return x, rng.integers(0, 2, count).astype("float32")


def small(features=FEATURES, **options):
    return zoo.ctr_pair(features, light_units=(8, 4), booster_units=(16, 8), **options)


def trained(pair, x, y, **options):
    rocket = Rocket(pair, hint_weight=1.0, **options)
    rocket.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    return rocket.fit(x, y, epochs=3, verbose=0).history


def owners(variables):
    return {v.path.split("/")[0] for v in variables}


def inbound(model, name):
    (layer,) = [layer for layer in model.get_config()["layers"] if layer["name"] == name]
    return len(layer["inbound_nodes"])


def test_the_head_of_the_paper_has_131360_multiplications():
    features = [zoo.Categorical(f"field{i}", 10) for i in range(36)]
    pair = zoo.ctr_pair(features, light_units=(200, 80), logits=2)
    assert pair.light.get_layer("light_dense0").kernel.shape[0] == 576
    assert multiply_adds(pair.light) == 131_360


def test_embeddings_are_shared_and_towers_private():
    pair = zoo.ctr_pair(FEATURES, light_units=(8,), booster_units=(16, 8), bottom_units=(12,))
    assert owners(pair.shared_variables) == {"shared_embedding_16", "shared_embedding_3", "shared_dense0"}
    assert owners(pair.light_variables) == {"light_dense0", "light_logits"}
    assert [inbound(pair.joint, name) for name in ("shared_embedding_16", "shared_embedding_3")] == [1, 1]


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_a_pair_trains_detaches_and_exports(tmp_path, light_to_shared):
    pair = zoo.ctr_pair(FEATURES, light_units=(8,), booster_units=(16, 8))
    x, y = rows()
    logs = trained(pair, x, y, light_to_shared=light_to_shared)
    assert logs["loss"][-1] < logs["loss"][0]
    before = pair.light.predict(x, verbose=0)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", x))
    assert {i.name for i in session.get_inputs()} == {f.name for f in FEATURES}
    np.testing.assert_allclose(session.run(None, onnx_feed(session, x))[0], before, atol=1e-5)
    loaded = keras.models.load_model(export_light(pair, tmp_path / "light.keras"))
    np.testing.assert_allclose(loaded.predict(x, verbose=0), before, atol=1e-6)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_the_light_net_learns_and_serves_without_privileged_columns(tmp_path, options):
    keras.utils.set_random_seed(0)
    pair = small(ALL, **options)
    assert {tensor.name for tensor in pair.light.inputs} == {f.name for f in FEATURES}
    assert {tensor.name for tensor in pair.booster.inputs} == {f.name for f in ALL}
    assert pair.privileged == ("exit", "dwell")
    x, y = rows(ALL)
    start = [keras.ops.convert_to_numpy(v).copy() for v in pair.joint.trainable_variables]
    trained(pair, x, y)
    for before, variable in zip(start, pair.joint.trainable_variables, strict=True):
        after = keras.ops.convert_to_numpy(variable)
        assert np.isfinite(after).all(), variable.path
        assert np.abs(after - before).max() > 0, variable.path
    public = {f.name: x[f.name] for f in FEATURES}
    before = pair.light.predict(public, verbose=0)
    np.testing.assert_array_equal(pair.detach().predict(public, verbose=0), before)
    loaded = keras.models.load_model(export_light(pair, tmp_path / "light.keras", x))
    np.testing.assert_allclose(loaded.predict(public, verbose=0), before, atol=1e-6)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", x))
    np.testing.assert_allclose(session.run(None, onnx_feed(session, public))[0], before, atol=1e-5)


@pytest.mark.parametrize("name", ["exit", "dwell"])
def test_the_booster_reads_each_privileged_feature_and_the_light_net_none(name):
    pair = small(ALL)
    x, _ = rows(ALL)
    other = {**x, name: x[name][::-1].copy()}
    before, after = (pair.joint.predict(inputs_of(pair.joint, columns), verbose=0) for columns in (x, other))
    np.testing.assert_array_equal(before["light"], after["light"])
    assert np.abs(before["booster"] - after["booster"]).max() > 1e-5


def test_privileged_features_have_tables_of_the_booster_alone():
    pair = small(ALL)
    assert owners(pair.shared_variables) == {"shared_embedding_16", "shared_embedding_3"}
    embeddings = {name: s for name, s in tables(pair.booster).items() if name.startswith("booster")}
    assert embeddings == {"booster_embedding_3": (5,)}
    # user, ad, slot, price; exit and dwell.
    assert pair.booster.get_layer("booster_dense0").kernel.shape[0] == (16 + 16 + 3 + 1) + (3 + 1)


def tables(model):
    return {layer.name: layer.sizes for layer in model.layers if "embedding" in layer.name}


def test_sharing_none_shares_nothing():
    pair = small(sharing="none")
    assert pair.shared_variables == []
    assert tables(pair.light) == {"light_embedding_3": (4,), "light_embedding_16": (50, 30)}
    assert tables(pair.booster) == {"booster_embedding_3": (4,), "booster_embedding_16": (50, 30)}


def test_share_except_makes_private_tables_of_these_fields_alone():
    pair = small(share_except=("user",))
    assert tables(pair.light) == {"shared_embedding_3": (4,), "shared_embedding_16": (30,), "light_embedding_16": (50,)}
    assert tables(pair.booster) == {
        "shared_embedding_3": (4,),
        "shared_embedding_16": (30,),
        "booster_embedding_16": (50,),
    }
    assert owners(pair.shared_variables) == {"shared_embedding_3", "shared_embedding_16"}


def test_private_embeddings_lie_beside_the_shared_ones():
    pair = small(ALL, private_dim=2)
    assert tables(pair.light)["light_private_embedding_2"] == (50, 30, 4)
    assert pair.light.get_layer("light_dense0").kernel.shape[0] == 36 + 3 * 2
    assert "light_private_embedding_2" in owners(pair.light_variables)


def test_hidden_taps_are_the_last_hidden_layers():
    pair = small()
    assert hidden_taps(pair) == (("light_dense1", "booster_dense1"),)
    assert set(pair.with_taps(hidden_taps(pair)[0]).joint.output) == {
        "light",
        "booster",
        "light_dense1",
        "booster_dense1",
    }


def test_hidden_taps_survive_a_round_trip_and_are_none_without_a_hidden_layer():
    assert hidden_taps(Pair.from_config(small().get_config())) == (("light_dense1", "booster_dense1"),)
    assert hidden_taps(zoo.ctr_pair(FEATURES, light_units=(), booster_units=(8,))) == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": []}, "at least one feature that is not privileged"),
        ({"features": PRIVILEGED}, "at least one feature that is not privileged"),
        ({"features": [zoo.Numeric("a"), zoo.Numeric("a")]}, "a name of its own"),
        ({"features": FEATURES, "light": "cnn"}, "`light` to be one of .*'cnn'"),
        ({"features": FEATURES, "sharing": "all"}, "`sharing` to be .*'all'"),
        ({"features": FEATURES, "sharing": "none", "bottom_units": (8,)}, "no `bottom_units` beside sharing='none'"),
        ({"features": FEATURES, "sharing": "none", "private_dim": 4}, "every table is private already"),
        ({"features": FEATURES, "sharing": "none", "share_except": ("user",)}, "every table is private already"),
        ({"features": FEATURES, "share_except": ("item",)}, r"\['user', 'ad', 'slot'\], received \['item'\]"),
        ({"features": ALL, "share_except": ("exit", "price")}, r"received \['exit', 'price'\]"),
        (
            {"features": FEATURES[:1], "share_except": ("user",), "bottom_units": (8,)},
            "a feature that both nets share below `bottom_units`",
        ),
        ({"features": FEATURES, "private_dim": -1}, "`private_dim` to be a width of 0 or more, received -1"),
    ],
)
def test_bad_arguments_are_named_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        zoo.ctr_pair(**arguments)
    assert "\n" not in str(caught.value)
