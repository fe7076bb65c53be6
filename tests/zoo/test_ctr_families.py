import itertools
import runpy
from pathlib import Path

import keras
import numpy as np

import zoo
from zoo.features import PAD

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_ctr.py")))
FEATURES, rows, pair_of, step = (helpers[name] for name in ("FEATURES", "rows", "pair_of", "step"))


def stepped(family):
    """Return a pair whose variables have left their initial values, its light net's columns, and rows."""
    pair = pair_of(family)
    x, y = rows()
    step(pair, x, y)
    return pair.light, x


def weights(light, name):
    return light.get_layer(f"light_{name}").get_weights()


def read(light, layer, x):
    return keras.Model(light.input, light.get_layer(layer).output).predict(x, verbose=0)


def several(table, ids):
    """Mean of the rows of each row's ids, and the rows themselves with zeros at the padding."""
    there = (ids != PAD)[..., None]
    events = np.where(there, table[ids], 0)
    return events.sum(1) / np.maximum(there.sum(1), 1), events


def embeddings(light, x):
    """Return the vectors of width 4 by feature, and the history's events, from the shared table."""
    table = keras.ops.convert_to_numpy(light.get_layer("shared_embedding_4").table)
    user, item, genres = np.split(table, [12, 21])
    history, events = several(item, x["history"])
    found = {"user": user[x["user"]], "item": item[x["item"]], "history": history}
    return {**found, "genres": several(genres, x["genres"])[0]}, events


def linear(light, x):
    """Return the handwritten linear part over ids and numbers, `(rows, 1)`."""
    (kernel,) = weights(light, "linear_ids")
    parts = dict(zip(("user", "history", "item", "genres", "age"), np.split(kernel, [12, 21, 30, 35]), strict=True))
    ids = sum(several(parts[name], x[name] if x[name].ndim == 2 else x[name][:, None])[0] for name in parts)
    (of_numbers,) = weights(light, "linear_numbers")
    return ids + np.stack([x["price"], x["hour"]], axis=1) @ of_numbers


def deep(light, x, last):
    kernel, bias = weights(light, "dense0")
    hidden = np.maximum(read(light, "shared_features", x) @ kernel + bias, 0)
    kernel, bias = weights(light, last)
    return hidden @ kernel + bias


def test_wide_and_deep_is_a_linear_part_plus_an_mlp():
    light, x = stepped("wide_deep")
    assert np.abs(linear(light, x)).max() > 0.01
    expected = linear(light, x) + deep(light, x, "deep")
    np.testing.assert_allclose(light.predict(x, verbose=0), expected, atol=1e-5)


def test_deepfm_adds_the_dot_products_of_all_pairs():
    light, x = stepped("deepfm")
    vectors, _ = embeddings(light, x)
    pairs = itertools.combinations(vectors.values(), 2)
    second = sum((one * other).sum(1, keepdims=True) for one, other in pairs)
    assert np.abs(second).max() > 1e-3
    expected = linear(light, x) + deep(light, x, "deep") + second
    np.testing.assert_allclose(light.predict(x, verbose=0), expected, atol=1e-5)


def test_dcnv2_crosses_twice_beside_the_mlp():
    light, x = stepped("dcnv2")
    x0 = crossed = read(light, "shared_features", x)
    for i in range(2):
        kernel, bias = weights(light, f"cross{i}")
        crossed = x0 * (crossed @ kernel + bias) + crossed
    kernel, bias = weights(light, "dense0")
    both = np.concatenate([crossed, np.maximum(x0 @ kernel + bias, 0)], axis=1)
    kernel, bias = weights(light, "logits")
    np.testing.assert_allclose(light.predict(x, verbose=0), both @ kernel + bias, atol=1e-5)


def test_din_weighs_events_by_their_likeness_to_the_item():
    light, x = stepped("din")
    vectors, events = embeddings(light, x)
    target = np.repeat(vectors["item"][:, None], 4, axis=1)
    unit = np.concatenate([events, target, events - target, events * target], axis=-1)
    kernel, bias = weights(light, "history_unit")
    unit = unit @ kernel + bias
    (alpha,) = weights(light, "history_prelu")
    unit = np.where(unit > 0, unit, alpha * unit)
    kernel, bias = weights(light, "history_weights")
    scores = unit @ kernel + bias
    mask = (x["history"] != PAD)[..., None]
    expected = (scores * mask * events).sum(1)
    found = read(light, "light_history_interest", x)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected[5]).max() > 0
    np.testing.assert_array_equal(found[3:5], 0)
    np.testing.assert_array_equal(read(light, "light_input", x)[:, -4:], found)


def test_a_padded_place_of_din_has_no_influence_in_training_either():
    gradients = []
    for length in (4, 7):
        keras.utils.set_random_seed(1)
        features = [zoo.History("history", of="item", length=length), FEATURES[2]]
        pair = pair_of("din", features)
        x, y = rows()
        ids = np.full((24, length), PAD, "int32")
        ids[:, :4] = x["history"]
        step(pair, {"item": x["item"], "history": ids}, y)
        gradients.append([keras.ops.convert_to_numpy(v) for v in pair.joint.variables])
    for short, long in zip(*gradients, strict=True):
        np.testing.assert_allclose(short, long, atol=1e-5)
