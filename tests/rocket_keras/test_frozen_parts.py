"""Whatever is frozen stays, and what trains moves as if nothing were frozen."""

import itertools
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket
from rocket_keras.layers import Frozen, SparseEmbedding

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rocket.py")))
values = helpers["values"]
LOSS = keras.losses.BinaryCrossentropy(from_logits=True)
PARTS = {"shared": ["table", "bottom"], "light": ["light_hidden", "light_logits"], "booster": ["hidden", "logits"]}


def make_pair(frozen=(), teacher=False):
    keras.utils.set_random_seed(3)
    ids = keras.Input((2,), dtype="int32", name="ids")
    table = SparseEmbedding((9,), 4, embeddings_initializer="normal", name="table")
    rows = keras.layers.Flatten()(table(ids, fields=[0]))
    bottom = keras.layers.Dense(6, "tanh", name="bottom")(rows)
    hidden = keras.layers.Dense(8, "tanh", name="hidden")(bottom)
    light = keras.layers.Dense(1, name="light_logits")(keras.layers.Dense(3, "tanh", name="light_hidden")(bottom))
    booster = keras.Model(ids, keras.layers.Dense(1, name="logits")(hidden), name="booster")
    if teacher:
        ids_of_teacher = keras.Input((2,), dtype="int32", name="ids")
        embedded = keras.layers.Flatten()(keras.layers.Embedding(9, 4, name="teacher_table")(ids_of_teacher))
        net = keras.Model(ids_of_teacher, keras.layers.Dense(1, name="teacher_logits")(embedded))
        booster = keras.Model(ids, Frozen([net])(ids), name="booster")
    pair = Pair(keras.Model(ids, light, name="light"), booster)
    for layer in (layer for part in frozen for layer in PARTS[part]):
        pair.joint.get_layer(layer).trainable = False
    return pair


def by_path(pair):
    return {v.path: w for v, w in zip(pair.joint.variables, values(pair.joint.variables), strict=True)}


def after_one_step(pair, paired=False, eager=True, **switches):
    """Weights by path after one step of SGD."""
    rocket = Rocket(pair, hint_weight=0.3, **switches)
    booster_optimizer = keras.optimizers.SGD(0.2) if paired else None
    rocket.compile(keras.optimizers.SGD(0.1), LOSS, booster_optimizer=booster_optimizer, run_eagerly=eager)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 9, (16, 2)).astype("int32"), rng.integers(0, 2, (16, 1)).astype("float32")
    rocket.fit(x, y, batch_size=16, shuffle=False, verbose=0)
    return by_path(pair)


SUBSETS = [s for size in (1, 2, 3) for s in itertools.combinations(PARTS, size)]


@pytest.mark.parametrize(("block", "paired"), [(True, False), (False, True)], ids=["block", "open-paired"])
@pytest.mark.parametrize("frozen", SUBSETS, ids="-".join)
@pytest.mark.filterwarnings("ignore:The model does not have any trainable")
def test_what_trains_moves_as_if_nothing_were_frozen(frozen, block, paired):
    switches = {"paired": paired, "gradient_block": block, "light_to_shared": False}
    before = by_path(make_pair())
    expected = after_one_step(make_pair(), **switches)
    got = after_one_step(make_pair(frozen), **switches)
    still = {layer for part in frozen for layer in PARTS[part]}
    for path, weights in got.items():
        if path.split("/")[0] in still:
            assert np.array_equal(weights, before[path]), path
        else:
            assert not np.array_equal(weights, before[path]), path
            np.testing.assert_allclose(weights, expected[path], atol=1e-6, err_msg=path)


@pytest.mark.parametrize("eager", [True, False])
def test_a_teacher_is_never_moved_and_teaches_as_on_the_plain_route(eager):
    # Nothing is shared with a teacher, so that both routes are the same mathematics.
    routed, plain = (after_one_step(make_pair(teacher=True), eager=eager, light_to_shared=to) for to in (False, True))
    before = by_path(make_pair(teacher=True))
    assert routed.keys() == before.keys()
    for path, weights in routed.items():
        np.testing.assert_allclose(weights, plain[path], atol=1e-6, err_msg=path)
        assert np.array_equal(weights, before[path]) == path.startswith("teacher"), path
