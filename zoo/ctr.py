"""Click-through-rate pairs: two nets of different size over shared embeddings."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import keras
from keras import layers

from rocket_keras.pair import Pair
from zoo.ctr_columns import Block, Columns, make_blocks
from zoo.ctr_towers import TOWERS, Tower, mlp_ensemble, two_tower
from zoo.features import Categorical, Feature

__all__ = ["TOWERS", "Columns", "Tower", "ctr_pair", "hidden_taps", "mlp_ensemble", "two_tower"]

Sharing = Literal["embeddings", "none"]


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
) -> Pair:
    """Build a light and a booster net over shared embeddings and private towers.

    Shared embeddings are looked up once for both nets, in one gather a width (beside a two-tower net, one a side and
    width). Features marked `privileged` are read by the booster alone.

    Args:
        features: `zoo.Categorical` and `zoo.Numeric` columns. Each is an input of its name, `(batch,)`.
        light, booster: A name in `zoo.ctr.TOWERS` ("mlp", "mlp_ensemble", "two_tower"), or a function
            `(columns, units, logits, name) -> logits` with `columns` a `zoo.ctr.Columns`: `columns.joined()` is all
            that the net reads, `(batch, width)`, and `columns.joined(only=["price"])` the columns of one feature.
        light_units, booster_units: Widths of the towers' hidden layers.
        bottom_units: Widths of dense layers that both nets share above the shared embeddings and the numbers.
        logits: 1 for a click; 2 for the paper's two-class head.
        sharing: `"embeddings"`: one set of tables for both nets. `"none"`: a set for each.
        share_except: Categorical features with a table in each net although the others share theirs (Xu et al.: the
            user's id).
        private_dim: Width of a private embedding of each categorical feature that the light net gets beside the shared
            one; 0 for none.

    Returns:
        The pair, untrained. A 576-wide input with light units (200, 80) and 2 logits makes 131,360 multiply-adds.

    Raises:
        ValueError: No feature for the light net, a name twice, an unknown tower or sharing, a `share_except` that is
            not a categorical feature of both nets, or options that contradict each other.

    References:
        Zhou et al., Rocket Launching, AAAI 2018, section on display advertising; Xu et al., Privileged Features
        Distillation at Taobao Recommendations, KDD 2020 (privileged features, two towers, what to share).
    """
    light_tower, booster_tower = _tower("light", light), _tower("booster", booster)
    by_side = two_tower in (light_tower, booster_tower)
    _check_features(features)
    _check_sharing(features, sharing, share_except, private_dim)
    _check_bottom(bottom_units, sharing, by_side)
    inputs = {f.name: keras.Input((), dtype=_dtype(f), name=f.name) for f in features}
    unprivileged = [feature for feature in features if not feature.privileged]
    categorical = [feature for feature in unprivileged if isinstance(feature, Categorical)]
    twice = [feature for feature in categorical if sharing == "none" or feature.name in share_except]
    shared = _bottom(make_blocks("shared", [f for f in unprivileged if f not in twice], inputs, by_side), bottom_units)
    own = make_blocks("light", twice, inputs, by_side)
    if private_dim:
        narrow = [replace(feature, dim=private_dim) for feature in categorical]
        own += make_blocks("light_private", narrow, inputs, by_side)
    hidden = make_blocks("booster", [f for f in features if f.privileged or f in twice], inputs, by_side)
    light_logits = light_tower(Columns(tuple(unprivileged), shared + own), light_units, logits, "light")
    booster_logits = booster_tower(Columns(tuple(features), shared + hidden), booster_units, logits, "booster")
    return Pair(
        light=keras.Model({f.name: inputs[f.name] for f in unprivileged}, light_logits, name="light"),
        booster=keras.Model(inputs, booster_logits, name="booster"),
        privileged=[feature.name for feature in features if feature.privileged],
    )


def hidden_taps(pair: Pair) -> tuple[tuple[str, str], ...]:
    """Name the last hidden dense layer of the light net and of the booster, for hints on features.

    Returns:
        One tuple `(light layer, booster layer)`; none where a net has no single such layer: no hidden layer, two
        towers, or an ensemble.
    """
    last = [_last_hidden(model, head) for model, head in ((pair.light, "light"), (pair.booster, "booster"))]
    return ((last[0], last[1]),) if last[0] and last[1] else ()


def _last_hidden(model: keras.Model, head: str) -> str | None:
    found = [int(match[1]) for layer in model.layers if (match := re.fullmatch(rf"{head}_dense(\d+)", layer.name))]
    return f"{head}_dense{max(found)}" if found else None


def _dtype(feature: Feature) -> str:
    return "int32" if isinstance(feature, Categorical) else "float32"


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
    return (Block(block.features, x, mixed=True),)


def _tower(argument: str, tower: str | Tower) -> Tower:
    if not isinstance(tower, str):
        return tower
    if tower not in TOWERS:
        raise ValueError(
            f"expected `{argument}` to be one of {sorted(TOWERS)} or a function, received {tower!r}; choose one of them"
        )
    return TOWERS[tower]


def _check_features(features: Sequence[Feature]) -> None:
    names = [feature.name for feature in features]
    if len(set(names)) < len(names):
        raise ValueError(f"expected each feature with a name of its own, received {names}; rename the doubles")
    if all(feature.privileged for feature in features):
        raise ValueError(
            f"expected at least one feature that is not privileged, received {names}; the light net reads only such"
        )


def _check_sharing(features: Sequence[Feature], sharing: str, share_except: Sequence[str], private_dim: int) -> None:
    if sharing not in ("embeddings", "none"):
        raise ValueError(
            f"expected `sharing` to be 'embeddings' or 'none', received {sharing!r}; choose one of the two"
        )
    if not isinstance(private_dim, int) or isinstance(private_dim, bool) or private_dim < 0:
        raise ValueError(
            f"expected `private_dim` to be a width of 0 or more, received {private_dim!r}; give 0 for none"
        )
    if sharing == "none" and (share_except or private_dim):
        raise ValueError(
            f"expected `share_except` and `private_dim` with sharing='embeddings' alone, received {share_except!r} and "
            f"{private_dim} with sharing='none'; leave them out, every table is private already"
        )
    possible = [f.name for f in features if isinstance(f, Categorical) and not f.privileged]
    unknown = [name for name in share_except if name not in possible]
    if unknown:
        raise ValueError(
            f"expected `share_except` to name categorical features of both nets, {possible}, received {unknown}; "
            "correct the names"
        )


def _check_bottom(bottom_units: Sequence[int], sharing: str, by_side: bool) -> None:
    if bottom_units and (sharing == "none" or by_side):
        why = "sharing='none'" if sharing == "none" else "a two-tower net, whose sides must not mix"
        raise ValueError(f"expected no `bottom_units` beside {why}, received {bottom_units!r}; leave them out")
