"""The deep interest network: a user's history, weighed by its likeness to the item at hand."""

from collections.abc import Sequence

import keras
from keras import layers

from zoo.ctr.columns import Columns
from zoo.ctr.dense import dice_layers, head
from zoo.features import History

_UNIT = 36  # width of the local activation unit in the paper's figure 2


def din(columns: Columns, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """Target attention over every history, and an MLP with Dice: `(batch, logits)`.

    An event's weight comes from a small net, the local activation unit, over the event's embedding, the row's own
    (that of the history's `of`), their difference and their product. The weights are not normalised by a softmax, as
    in the paper, so that their sum tells how strong the interest is. The events times their weights are summed; the
    MLP reads the sums and all other columns.

    Raises:
        ValueError: No history, or `bottom_units`.

    References:
        Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, sections 4.3 (attention; the
        product of the two vectors is element by element, as in the authors' code) and 5.2 (Dice).
    """
    histories = [feature for feature in columns.features if isinstance(feature, History)]
    if not histories:
        raise ValueError(
            f"expected a `History` among the features of the DIN {name} net, received "
            f"{[feature.name for feature in columns.features]}; add one, or choose another net"
        )
    interests = [_interest(columns, history, f"{name}_{history.name}") for history in histories]
    rest = columns.joined(f"{name}_columns", [f.name for f in columns.features if f not in histories])
    x = layers.Concatenate(name=f"{name}_input")([rest, *interests])
    return head(dice_layers(x, units, name), logits, f"{name}_logits")


def _interest(columns: Columns, history: History, name: str) -> keras.KerasTensor:
    """Return the weighted sum of the history's events, `(batch, dim)`."""
    events, _ = columns.sequence(history.name)
    target = layers.RepeatVector(history.length, name=f"{name}_target")(columns.vector(history.of))
    apart = layers.Subtract(name=f"{name}_difference")([events, target])
    product = layers.Multiply(name=f"{name}_product")([events, target])
    x = layers.Concatenate(name=f"{name}_pairs")([events, target, apart, product])
    # PReLU, not Dice: statistics over the places would count the padding.
    x = layers.PReLU(shared_axes=[1], name=f"{name}_prelu")(layers.Dense(_UNIT, name=f"{name}_unit")(x))
    weights = layers.Dense(1, name=f"{name}_weights")(x)
    # The mask is in the events, which are zeros at the padding: its places add nothing, whatever their weights.
    summed = layers.Dot(axes=1, name=f"{name}_sum")([weights, events])
    return layers.Reshape((events.shape[-1],), name=f"{name}_interest")(summed)
