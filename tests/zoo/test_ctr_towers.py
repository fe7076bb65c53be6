import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Rocket, export_light, multiply_adds
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from zoo.ctr import hidden_taps, mlp_ensemble, two_tower

PUBLIC = [
    zoo.Categorical("user_id", 50, dim=8, side="user"),
    zoo.Categorical("age", 7, dim=4, side="user"),
    zoo.Categorical("item_id", 30, dim=8, side="item"),
    zoo.Numeric("price", side="item"),
]
CROSS = zoo.Numeric("cross", privileged=True)
FEATURES = [*PUBLIC, CROSS]

VARIANTS = {
    "shared": {},
    "none": {"sharing": "none"},
    "private user": {"share_except": ("user_id",)},
    "private embeddings": {"private_dim": 2},
}


def rows(count=40):
    rng = np.random.default_rng(0)
    x = {f.name: rng.integers(0, f.size, count).astype("int32") for f in PUBLIC if isinstance(f, zoo.Categorical)}
    x.update({name: rng.normal(size=count).astype("float32") for name in ("price", "cross")})
    return x, rng.integers(0, 2, count).astype("float32")


def coarse(features=FEATURES, **options):
    return zoo.ctr_pair(features, light="two_tower", light_units=(8, 6), booster_units=(16, 8), **options)


def fit(pair, x, y):
    rocket = Rocket(pair, hint_weight=1.0)
    rocket.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    return rocket.fit(x, y, epochs=3, verbose=0).history


def public(x):
    return {f.name: x[f.name] for f in PUBLIC}


def looked_up(model, layer, ids):
    table = model.get_layer(layer)
    rows_of = [np.asarray(i) + offset for i, offset in zip(ids, table.offsets, strict=True)]
    return np.concatenate([keras.ops.convert_to_numpy(table.table)[r] for r in rows_of], axis=1)


def vector(model, side, x):
    for i in range(2):
        kernel, bias = model.get_layer(f"light_{side}_dense{i}").get_weights()
        x = x @ kernel + bias
        x = np.maximum(x, 0) if i == 0 else x
    return x


@pytest.mark.parametrize("features", [FEATURES, FEATURES[::-1]], ids=["in order", "reversed"])
def test_a_two_tower_net_is_5_times_the_cosine(features):
    pair = coarse(features)
    x, y = rows()
    fit(pair, x, y)
    light = pair.light
    user = np.concatenate(
        [
            looked_up(light, "shared_embedding_user_4", [x["age"]]),
            looked_up(light, "shared_embedding_user_8", [x["user_id"]]),
        ],
        axis=1,
    )
    item = np.concatenate([looked_up(light, "shared_embedding_item_8", [x["item_id"]]), x["price"][:, None]], axis=1)
    u, v = vector(light, "user", user), vector(light, "item", item)
    cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(light.predict(public(x), verbose=0)[:, 0], 5 * cosine, atol=1e-5)


def test_the_items_vectors_need_no_column_of_the_user():
    light = coarse().light
    items = keras.Model(
        {name: light.input[name] for name in ("item_id", "price")}, light.get_layer("light_item_unit").output
    )
    x, _ = rows()
    vectors = items.predict({name: x[name] for name in ("item_id", "price")}, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_a_two_tower_light_net_learns_detaches_and_exports(tmp_path, options):
    keras.utils.set_random_seed(0)
    pair = coarse(**options)
    x, y = rows()
    start = [keras.ops.convert_to_numpy(v).copy() for v in pair.joint.trainable_variables]
    fit(pair, x, y)
    for before, variable in zip(start, pair.joint.trainable_variables, strict=True):
        after = keras.ops.convert_to_numpy(variable)
        assert np.isfinite(after).all(), variable.path
        assert np.abs(after - before).max() > 0, variable.path
    before = pair.light.predict(public(x), verbose=0)
    np.testing.assert_array_equal(pair.detach().predict(public(x), verbose=0), before)
    loaded = keras.models.load_model(export_light(pair, tmp_path / "light.keras", x))
    np.testing.assert_allclose(loaded.predict(public(x), verbose=0), before, atol=1e-5)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", x))
    np.testing.assert_allclose(session.run(None, onnx_feed(session, public(x)))[0], before, atol=1e-5)


def test_both_nets_of_a_two_tower_pair_read_one_look_up_a_side_and_width():
    joint = coarse().joint.get_config()["layers"]
    tables = {layer["name"]: len(layer["inbound_nodes"]) for layer in joint if "embedding" in layer["name"]}
    assert tables == {"shared_embedding_user_8": 1, "shared_embedding_user_4": 1, "shared_embedding_item_8": 1}


def test_a_row_without_direction_gives_finite_gradients():
    features = [zoo.Numeric("a", side="user"), zoo.Numeric("b", side="item")]
    pair = zoo.ctr_pair(features, light="two_tower", light_units=(4, 4), booster_units=(4,))
    x = {name: np.zeros(8, "float32") for name in ("a", "b")}
    fit(pair, x, np.ones(8, "float32"))
    assert all(np.isfinite(w).all() for w in pair.light.get_weights())


def test_two_towers_may_boost_and_have_no_hidden_tap():
    pair = zoo.ctr_pair(PUBLIC, booster="two_tower", light_units=(8,), booster_units=(16, 8))
    assert {layer.name for layer in pair.booster.layers} >= {"booster_user_dense1", "booster_item_dense1"}
    assert hidden_taps(pair) == hidden_taps(coarse()) == ()


def test_an_ensemble_gives_the_mean_of_its_members_logits():
    pair = zoo.ctr_pair(PUBLIC, booster=mlp_ensemble, light_units=(8,), booster_units=(16,))
    outputs = [pair.booster.get_layer(f"booster_member{i}_logits").output for i in range(3)]
    x, _ = rows()
    members = keras.Model(pair.booster.input, outputs).predict(public(x), verbose=0)
    assert np.abs(members[0] - members[1]).max() > 1e-4
    np.testing.assert_allclose(pair.booster.predict(public(x), verbose=0), np.mean(members, axis=0), atol=1e-6)
    assert hidden_taps(pair) == ()


def test_a_tower_may_be_a_function_of_all_columns_or_of_some(tmp_path):
    def linear(columns, units, logits, name):
        return keras.layers.Dense(logits, name=f"{name}_linear")(columns.joined())

    def wide(columns, units, logits, name):
        some = columns.joined(only=["item_id", "age"])
        return keras.layers.Dense(logits, name=f"{name}_wide")(some)

    assert multiply_adds(zoo.ctr_pair(PUBLIC, light=linear).light) == 8 + 4 + 8 + 1
    pair = zoo.ctr_pair(PUBLIC, light=wide, booster_units=(8,))
    x, y = rows()
    fit(pair, public(x), y)
    columns = np.concatenate(
        [
            looked_up(pair.light, "shared_embedding_4", [x["age"]]),
            looked_up(pair.light, "shared_embedding_8", [x["user_id"], x["item_id"]])[:, 8:],
        ],
        axis=1,
    )
    kernel, bias = pair.light.get_layer("light_wide").get_weights()
    before = pair.light.predict(public(x), verbose=0)
    np.testing.assert_allclose(before, columns @ kernel + bias, atol=1e-5)
    loaded = keras.models.load_model(export_light(pair, tmp_path / "light.keras", x))
    np.testing.assert_allclose(loaded.predict(public(x), verbose=0), before, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"logits": 2}, "expected 1 logit .* received 2"),
        ({"light_units": ()}, "give `light_units`"),
        ({"bottom_units": (8,)}, "no `bottom_units` beside a two-tower net"),
        ({"features": [*PUBLIC, zoo.Numeric("hour")]}, r"received \['hour'\] of side 'context'"),
        ({"features": PUBLIC[:2]}, "received none of side 'item'"),
        ({"features": PUBLIC[2:]}, "received none of side 'user'"),
        ({"booster": two_tower}, r"two-tower booster net, received \['cross'\]"),
    ],
)
def test_what_a_two_tower_net_cannot_do_is_named_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        zoo.ctr_pair(**{"features": FEATURES, "light": "two_tower", **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("only", "options", "message"),
    [
        (["size"], {}, r"received \['size'\]"),
        ([], {}, "name at least one"),
        (["price"], {"bottom_units": (4,)}, r"reads \['price'\] alone"),
    ],
)
def test_columns_that_are_not_there_are_named(only, options, message):
    def some(columns, units, logits, name):
        return keras.layers.Dense(logits)(columns.joined(only=only))

    with pytest.raises(ValueError, match=message):
        zoo.ctr_pair(PUBLIC, light=some, **options)
