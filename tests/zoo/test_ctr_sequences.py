import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Rocket, export_light
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from zoo.features import PAD

USER = zoo.Categorical("user", 12, dim=4, side="user")
ITEM = zoo.Categorical("item", 9, dim=4, side="item")
GENRES = zoo.MultiCategorical("genres", 5, length=3, dim=4, side="item")
TAGS = zoo.MultiCategorical("tags", 6, length=2, dim=3, side="user")
HISTORY = zoo.History("history", of="item", length=4)
PRICE = zoo.Numeric("price", side="item")
PUBLIC = [HISTORY, USER, GENRES, ITEM, TAGS, PRICE]
PRIVILEGED = [
    zoo.History("later", of="item", length=3, privileged=True),
    zoo.MultiCategorical("exits", 4, length=2, dim=4, side="user", privileged=True),
]
ALL = [*PRIVILEGED, *PUBLIC]

VARIANTS = {
    "shared": {},
    "bottom": {"bottom_units": (6,)},
    "none": {"sharing": "none"},
    "private item": {"share_except": ("item",)},
    "private genres": {"share_except": ("genres",)},
    "private embeddings": {"private_dim": 2},
    "two towers": {"light": "two_tower"},
    "two towers, private": {"light": "two_tower", "share_except": ("item",), "private_dim": 2},
}


def padded(rng, size, shape):
    """Draw ids with padding at the right end; the first row has none at all."""
    ids = rng.integers(0, size, shape)
    lengths = rng.integers(0, shape[1] + 1, shape[0])
    lengths[0] = 0
    return np.where(np.arange(shape[1]) < lengths[:, None], ids, PAD).astype("int32")


def rows(count=24):
    rng = np.random.default_rng(0)
    x = {f.name: rng.integers(0, f.size, count).astype("int32") for f in (USER, ITEM)}
    for f in (GENRES, TAGS, PRIVILEGED[1]):
        x[f.name] = padded(rng, f.size, (count, f.length))
    for f in (HISTORY, PRIVILEGED[0]):
        x[f.name] = padded(rng, ITEM.size, (count, f.length))
    x["price"] = rng.normal(size=count).astype("float32")
    return x, rng.integers(0, 2, count).astype("float32")


def of(features, x):
    return {f.name: x[f.name] for f in features}


def small(features=ALL, **options):
    return zoo.ctr_pair(features, light_units=(6, 4), booster_units=(8, 4), **options)


def tables(model):
    return {layer.name: layer.sizes for layer in model.layers if "embedding" in layer.name}


def mean(table, ids):
    events = [table[row[row != PAD]] for row in ids]
    return np.array([e.mean(0) if len(e) else np.zeros(table.shape[1]) for e in events])


def test_a_net_reads_the_mean_of_the_ids_and_a_history_reads_the_items_rows():
    pair = small(PUBLIC)
    assert tables(pair.light) == {"shared_embedding_3": (6,), "shared_embedding_4": (12, 9, 5)}
    x, _ = rows()
    x = of(PUBLIC, x)
    wide = keras.ops.convert_to_numpy(pair.light.get_layer("shared_embedding_4").table)
    narrow = keras.ops.convert_to_numpy(pair.light.get_layer("shared_embedding_3").table)
    user, item, genres = wide[:12], wide[12:21], wide[21:]
    columns = keras.Model(pair.light.input, pair.light.get_layer("shared_features").output).predict(x, verbose=0)
    expected = [
        mean(narrow, x["tags"]),
        user[x["user"]],
        item[x["item"]],
        mean(item, x["history"]),
        mean(genres, x["genres"]),
        x["price"][:, None],
    ]
    np.testing.assert_allclose(columns, np.concatenate(expected, axis=1), atol=1e-6)
    assert (x["history"][0] == PAD).all()


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_features_of_several_ids_train_and_serve_however_the_tables_are_shared(options):
    pair = small(**options)
    assert {tensor.name for tensor in pair.light.inputs} == {f.name for f in PUBLIC}
    assert {tensor.name for tensor in pair.booster.inputs} == {f.name for f in ALL}
    x, y = rows()
    start = [keras.ops.convert_to_numpy(v).copy() for v in pair.joint.trainable_variables]
    rocket = Rocket(pair, hint_weight=1.0)
    rocket.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    rocket.fit(x, y, epochs=3, verbose=0)
    for before, variable in zip(start, pair.joint.trainable_variables, strict=True):
        after = keras.ops.convert_to_numpy(variable)
        assert np.isfinite(after).all(), variable.path
        assert np.abs(after - before).max() > 0, variable.path
    before = pair.light.predict(of(PUBLIC, x), verbose=0)
    np.testing.assert_array_equal(pair.detach().predict(of(PUBLIC, x), verbose=0), before)


def test_a_light_net_of_padded_columns_exports(tmp_path):
    pair = small()
    x, _ = rows()
    public = of(PUBLIC, x)
    before = pair.light.predict(public, verbose=0)
    session = onnx_session(export_light(pair, tmp_path / "light.onnx", public))
    np.testing.assert_allclose(session.run(None, onnx_feed(session, public))[0], before, atol=1e-5)
    loaded = keras.models.load_model(export_light(pair, tmp_path / "light.keras", public))
    np.testing.assert_allclose(loaded.predict(public, verbose=0), before, atol=1e-6)


def test_a_history_goes_with_its_items_table():
    pair = small(share_except=("item",))
    assert tables(pair.light) == {
        "shared_embedding_3": (6,),
        "shared_embedding_4": (12, 5),
        "light_embedding_4": (9,),
    }
    assert tables(pair.booster)["booster_embedding_4"] == (9, 4)
    names = {layer.name for layer in pair.light.layers}
    assert "light_history_mean" in names
    assert "shared_history_mean" not in names


def test_a_privileged_history_reads_the_shared_rows_for_the_booster_alone():
    pair = small()
    assert tables(pair.booster)["booster_embedding_4"] == (4,)
    x, _ = rows()
    other = {**x, "later": x["later"][::-1].copy()}
    before, after = (pair.joint.predict(columns, verbose=0) for columns in (x, other))
    np.testing.assert_array_equal(before["light"], after["light"])
    assert np.abs(before["booster"] - after["booster"]).max() > 1e-6


def test_the_items_vectors_need_no_history():
    light = small(light="two_tower").light
    names = ("item", "genres", "price")
    items = keras.Model({name: light.input[name] for name in names}, light.get_layer("light_item_unit").output)
    x, _ = rows()
    vectors = items.predict({name: x[name] for name in names}, verbose=0)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    users = {"user", "tags", "history"}
    assert {layer.name for layer in light.layers if "history" in layer.name} == {"history", "shared_history_mean"}
    assert users.isdisjoint(tensor.name for tensor in items.inputs)


def test_a_net_may_read_the_events_one_by_one_and_the_mask():
    seen = {}

    def attend(columns, units, logits, name):
        events, mask = columns.sequence("history")
        seen.update(events=events, mask=mask, item=columns.vector("item"))
        return keras.layers.Dense(logits, name=f"{name}_linear")(columns.joined())

    pair = small(PUBLIC, light=attend)
    x, _ = rows()
    x = of(PUBLIC, x)
    found = keras.Model(pair.light.input, seen).predict(x, verbose=0)
    item = keras.ops.convert_to_numpy(pair.light.get_layer("shared_embedding_4").table)[12:21]
    np.testing.assert_array_equal(found["mask"], x["history"] != PAD)
    np.testing.assert_allclose(found["events"], item[x["history"]] * found["mask"][..., None], atol=1e-6)
    np.testing.assert_allclose(found["item"], item[x["item"]], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": [HISTORY, USER]}, r"`of` of History 'history' .* \['user'\], received 'item'"),
        ({"features": [HISTORY, USER, zoo.Numeric("item")]}, r"to name a Categorical feature"),
        (
            {"features": [HISTORY, USER, zoo.Categorical("item", 9, privileged=True)]},
            "of the privileged feature 'item' to be privileged, received 'history'",
        ),
        ({"features": ALL, "share_except": ("history",)}, r"\['user', 'genres', 'item', 'tags'\], received"),
        ({"features": ALL, "share_except": ("exits",)}, r"received \['exits'\]"),
    ],
)
def test_what_cannot_be_looked_up_is_named_in_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        small(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("read", "options", "message"),
    [
        (lambda columns: columns.sequence("user"), {}, r"MultiCategorical or History .*received 'user'"),
        (lambda columns: columns.vector("history"), {}, r"Categorical .*received 'history'"),
        (lambda columns: columns.sequence("history"), {"bottom_units": (4,)}, "leave `bottom_units` out"),
    ],
)
def test_events_that_are_not_there_are_named(read, options, message):
    def tower(columns, units, logits, name):
        return read(columns)

    with pytest.raises(ValueError, match=message):
        small(PUBLIC, light=tower, **options)
