"""Towers of click-through-rate nets: functions from a net's columns to its logits."""

from collections.abc import Sequence

import keras
from keras import layers

from zoo.ctr.attention import din
from zoo.ctr.columns import Columns
from zoo.ctr.dense import Tower, head, hidden_layers
from zoo.ctr.interactions import dcnv2, deepfm, wide_deep

_COSINE_SCALE = 5.0
_MEMBERS = 3


def mlp(columns: Columns, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """Dense layers with ReLU and a dense layer of logits: `(batch, logits)`."""
    return _mlp(columns.joined(f"{name}_input"), units, logits, name)


def mlp_ensemble(columns: Columns, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """Three MLPs over the same columns; the mean of their logits, `(batch, logits)`."""
    x = columns.joined(f"{name}_input")
    members = [_mlp(x, units, logits, f"{name}_member{i}") for i in range(_MEMBERS)]
    return layers.Average(dtype="float32", name=f"{name}_logits")(members)


def two_tower(columns: Columns, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """A user tower and an item tower; 5 times the cosine of their vectors, one logit `(batch, 1)`.

    Each tower has dense layers with ReLU, the last one linear, and normalises its vector to length 1. No layer below
    the dot product reads both sides, so the items' vectors can be computed before any user comes.

    Raises:
        ValueError: More than one logit, no units, a feature of the context, or none of the user or of the item.

    References:
        Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020, coarse-grained ranking
        (units 512, 256, 128).
    """
    if logits != 1:
        raise ValueError(f"expected 1 logit of the two-tower {name} net, received {logits}; leave `logits` at 1")
    if not units:
        raise ValueError(f"expected widths for the two-tower {name} net, received none; give `{name}_units`")
    sides = {side: [f.name for f in columns.features if f.side == side] for side in ("user", "item", "context")}
    if sides["context"]:
        raise ValueError(
            f"expected features of side 'user' or 'item' in the two-tower {name} net, received {sides['context']} of "
            "side 'context'; give them a side or leave them out: items must be computable before the request"
        )
    missing = [side for side, names in sides.items() if not names and side != "context"]
    if missing:
        raise ValueError(
            f"expected user and item features in the two-tower {name} net, received none of side {missing[0]!r}; "
            "give features their `side`"
        )
    vectors = [_tower_vector(columns, sides[side], units, f"{name}_{side}") for side in ("user", "item")]
    cosine = layers.Dot(axes=1, dtype="float32", name=f"{name}_cosine")(vectors)
    return layers.Rescaling(_COSINE_SCALE, dtype="float32", name=f"{name}_logits")(cosine)


TOWERS: dict[str, Tower] = {
    "mlp": mlp,
    "mlp_ensemble": mlp_ensemble,
    "two_tower": two_tower,
    "wide_deep": wide_deep,
    "deepfm": deepfm,
    "dcnv2": dcnv2,
    "din": din,
}


def _mlp(x: keras.KerasTensor, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    return head(hidden_layers(x, units, name), logits, f"{name}_logits")


def _tower_vector(columns: Columns, only: list[str], units: Sequence[int], name: str) -> keras.KerasTensor:
    """Return one side's vector of length 1: `(batch, units[-1])`."""
    x = hidden_layers(columns.joined(f"{name}_input", only), units[:-1], name)
    # A vector of zeros has no direction and a gradient of NaN; biases other than zero keep dead hidden units from it.
    x = layers.Dense(units[-1], bias_initializer="random_uniform", name=f"{name}_dense{len(units) - 1}")(x)
    return layers.UnitNormalization(dtype="float32", name=f"{name}_unit")(x)
