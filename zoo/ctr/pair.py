"""The builder of click-through-rate pairs."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import keras
from keras import layers

from rocket_keras.pair import Pair
from zoo.ctr.checks import check_bottom, check_embedding, check_features, check_sharing
from zoo.ctr.columns import Block, Columns, table_of
from zoo.ctr.dense import Tower
from zoo.ctr.lookups import dense_table, make_blocks, make_tables, sparse_table
from zoo.ctr.towers import TOWERS, two_tower
from zoo.features import Feature, History, MultiCategorical, Numeric
from zoo.pretrained import pretrained

Sharing = Literal["embeddings", "none"]
Embedding = Literal["dense", "sparse"]
TABLES = {"dense": dense_table, "sparse": sparse_table}


def ctr_pair(
    features: Sequence[Feature],
    light: str | Tower = "mlp",
    booster: str | Tower = "mlp",
    light_units: Sequence[int] = (200, 80),
    booster_units: Sequence[int] = (720, 360, 240, 180, 90),
    bottom_units: Sequence[int] = (),
    logits: int = 1,
    sharing: Sharing = "embeddings",
    share_except: Sequence[str] = (),
    private_dim: int = 0,
    embedding: Embedding = "dense",
    weights: str | Path | None = None,
) -> Pair:
    """Build a light and a booster net over shared embeddings and private towers.

    Shared embeddings are looked up once for both nets, in one gather a width (beside a two-tower net, one a side and
    width) and one a feature of several ids. Features marked `privileged` are read by the booster alone.

    Args:
        features: `zoo.Categorical` and `zoo.Numeric` columns, each an input of its name, `(batch,)`;
            `zoo.MultiCategorical` and `zoo.History` columns, inputs `(batch, length)`. A history reads the table of its
            `of`, whoever owns that.
        light, booster: A name in `zoo.ctr.TOWERS` ("mlp", "mlp_ensemble", "two_tower", "wide_deep", "deepfm", "dcnv2",
            "din"), or a function `(columns, units, logits, name) -> logits` with `columns` a `zoo.ctr.Columns`:
            `columns.joined()` is all that the net reads, `(batch, width)`, `columns.joined(only=["price"])` the columns
            of one feature, and `columns.sequence("history")` the events of a history one by one.
        light_units, booster_units: Widths of the towers' hidden layers.
        bottom_units: Widths of dense layers that both nets share above the shared embeddings and the numbers.
        logits: 1 for a click; 2 for the paper's two-class head.
        sharing: `"embeddings"`: one set of tables for both nets. `"none"`: a set for each.
        share_except: Features of ids with a table in each net although the others share theirs (Xu et al.: the user's
            id). A history goes with its `of`.
        private_dim: Width of a private embedding of each feature of ids that the light net gets beside the shared one;
            0 for none.
        embedding: `"sparse"` for tables that train row by row (`rk.layers.SparseEmbedding`): a step does not grow with
            their ids, and `rk.grow_rows` adds ids by the feature's name. `"dense"` for tables that train in full.
        weights: What `zoo.load` takes, of a pair of the same features and arguments; heads of another number of logits
            stay fresh. None: all is fresh.

    Returns:
        The pair. A 576-wide input with light units (200, 80) and 2 logits makes 131,360 multiply-adds.

    Raises:
        ValueError: No feature for the light net, a name twice, a history of no categorical feature, an unknown tower,
            sharing or embedding, a `share_except` that is not a feature of ids of both nets, or options that contradict
            each other.

    References:
        Zhou et al., Rocket Launching, AAAI 2018, section on display advertising; Xu et al., Privileged Features
        Distillation at Taobao Recommendations, KDD 2020 (privileged features, two towers, what to share).
    """
    light_tower, booster_tower = _tower("light", light), _tower("booster", booster)
    by_side = two_tower in (light_tower, booster_tower)
    check_features(features)
    check_sharing(features, sharing, share_except, private_dim)
    check_bottom(bottom_units, sharing, by_side)
    check_embedding(embedding)
    make = TABLES[embedding]
    inputs = {f.name: keras.Input(_shape(f), dtype=_dtype(f), name=f.name) for f in features}
    unprivileged = [feature for feature in features if not feature.privileged]
    of_ids = [feature for feature in unprivileged if not isinstance(feature, Numeric)]
    twice = [feature for feature in of_ids if sharing == "none" or table_of(feature) in share_except]
    once = [feature for feature in unprivileged if feature not in twice]
    shared_tables = make_tables("shared", once, by_side, make)
    shared = _bottom(make_blocks("shared", once, inputs, shared_tables, by_side), bottom_units)
    own = make_blocks("light", twice, inputs, make_tables("light", twice, by_side, make), by_side)
    if private_dim:
        narrow = [feature if isinstance(feature, History) else replace(feature, dim=private_dim) for feature in of_ids]
        tables = make_tables("light_private", narrow, by_side, make)
        own += make_blocks("light_private", narrow, inputs, tables, by_side)
    hidden = [feature for feature in features if feature.privileged or feature in twice]
    # A privileged history of a shared feature reads the shared rows.
    booster_tables = {**shared_tables, **make_tables("booster", hidden, by_side, make)}
    beside = make_blocks("booster", hidden, inputs, booster_tables, by_side)
    light_columns = Columns(tuple(unprivileged), shared + own, inputs, embedding == "sparse")
    booster_columns = Columns(tuple(features), shared + beside, inputs, embedding == "sparse")
    light_logits = light_tower(light_columns, light_units, logits, "light")
    booster_logits = booster_tower(booster_columns, booster_units, logits, "booster")
    pair = Pair(
        light=keras.Model({f.name: inputs[f.name] for f in unprivileged}, light_logits, name="light"),
        booster=keras.Model(inputs, booster_logits, name="booster"),
        privileged=[feature.name for feature in features if feature.privileged],
    )
    return pretrained(pair, weights)


def hidden_taps(pair: Pair) -> tuple[tuple[str, str], ...]:
    """Name the last hidden dense layer of the light net and of the booster, for hints on features.

    Returns:
        One tuple `(light layer, booster layer)`; none where a net has no single such layer: no hidden layer, two
        towers, or an ensemble. Where Dice follows the dense layer, it is the Dice layer.
    """
    last = [_last_hidden(model, head) for model, head in ((pair.light, "light"), (pair.booster, "booster"))]
    return ((last[0], last[1]),) if last[0] and last[1] else ()


def _last_hidden(model: keras.Model, head: str) -> str | None:
    names = {layer.name for layer in model.layers}
    found = [int(match[1]) for name in names if (match := re.fullmatch(rf"{head}_dense(\d+)", name))]
    if not found:
        return None
    active = f"{head}_dice{max(found)}"
    return active if active in names else f"{head}_dense{max(found)}"


def _dtype(feature: Feature) -> str:
    return "float32" if isinstance(feature, Numeric) else "int32"


def _shape(feature: Feature) -> tuple[int, ...]:
    return (feature.length,) if isinstance(feature, MultiCategorical | History) else ()


def _bottom(shared: tuple[Block, ...], units: Sequence[int]) -> tuple[Block, ...]:
    """Put dense layers on the one block that both nets read."""
    if not units:
        return shared
    if not shared:
        raise ValueError(
            "expected a feature that both nets share below `bottom_units`, received none; shorten `share_except`"
        )
    (block,) = shared
    x = block.tensor
    for i, width in enumerate(units):
        x = layers.Dense(width, activation="relu", name=f"shared_dense{i}")(x)
    return (replace(block, tensor=x, mixed=True),)


def _tower(argument: str, tower: str | Tower) -> Tower:
    if not isinstance(tower, str):
        return tower
    if tower not in TOWERS:
        raise ValueError(
            f"expected `{argument}` to be one of {sorted(TOWERS)} or a function, received {tower!r}; choose one of them"
        )
    return TOWERS[tower]
