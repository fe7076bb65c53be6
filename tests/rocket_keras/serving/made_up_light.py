"""A small click net over raw columns of every kind, its file, and requests for it."""

import dataclasses
import runpy
from pathlib import Path

import keras
import numpy as np

from rocket_keras import export_light
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HistoryField, IdField, IdsField, KnownIdField, NumberField

FAMILY = runpy.run_path(str(Path(__file__).parents[2] / "zoo" / "made_up_ctr.py"))
BATCH = 64
"""Rows that Keras sees at once: under JAX every other number would be compiled anew."""
FIELDS = (
    IdField("user", "UserID", tuple(str(n) for n in range(1, 12)), side="user"),
    HistoryField("history", "Seen", "item", 4, side="user"),
    IdField("item", "ItemID", (*(f"ad {n}" for n in range(1, 8)), "1"), side="item"),
    IdsField("genres", "Genres", ("red", "green", "blue", "1"), 3, side="item"),
    KnownIdField("age", "Age", 3, side="user"),
    NumberField("price", "Price", 1.0, 2.0, "signed_log1p", side="item"),
    NumberField("hour", "Hour", 12.0, 6.0, side="user"),
)
ENCODER = Encoder(FIELDS)
USER_INPUTS = ("user", "history", "age", "hour")
USER = {"UserID": 7, "Seen": ["ad 3", "ad 1", "new"], "Age": 2, "Hour": 13.5}


def renamed(field, **values):
    """The field with other values."""
    return dataclasses.replace(field, **values)


def light_net(seed=1, tower="mlp"):
    """A light net over the made-up features, with weights far from their initial values."""
    model = FAMILY["pair_of"](tower).light
    rng = np.random.default_rng(seed)
    model.set_weights([weight + rng.uniform(0.05, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def write(path, seed=1, encoder=ENCODER, once=USER_INPUTS, **options):
    """Export a made-up net with its encoder; the net."""
    model = light_net(seed)
    export_light(model, path, FAMILY["rows"](BATCH)[0], encoder, once, **options)
    return model


def with_side(side, *names):
    """The encoder with some fields of another side."""
    return Encoder(tuple(dataclasses.replace(f, side=side) if f.name in names else f for f in FIELDS))


def candidates(count, seed=0):
    """Candidates with values in every form, some of them unseen."""
    rng = np.random.default_rng(seed)
    items = [f"ad {n}" for n in range(1, 8)] + ["1", 1, 1.0, "new", 5]
    genres = ["red|blue", "", ["green", "new", 1, "red"], [], "1", ["blue"]]
    return [
        {
            "ItemID": items[rng.integers(len(items))],
            "Genres": genres[rng.integers(len(genres))],
            "Price": [0, -3, 2.5, 1000][rng.integers(4)],
        }
        for _ in range(count)
    ]


def expected(model, user, rows, encoder=ENCODER):
    """What Keras says of a request: the encoder, the net, the sigmoid."""
    padded = [*rows, *[rows[0]] * (BATCH - len(rows))]
    raw = {name: [value] * BATCH for name, value in user.items()}
    raw |= {name: [row[name] for row in padded] for name in rows[0]}
    x = keras.tree.map_structure(keras.ops.convert_to_tensor, encoder.encode(raw))
    return keras.ops.convert_to_numpy(keras.ops.sigmoid(model(x)))[: len(rows), 0]
