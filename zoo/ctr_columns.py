"""The columns that a click-through-rate net reads: embeddings, looked up once for both nets, and numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
from keras import layers

from rocket_keras.layers import CategoricalEmbedding
from zoo.features import SIDES, Categorical, Feature, Numeric


@dataclass(frozen=True)
class Block:
    """Columns of several features side by side.

    Attributes:
        features: The features, in the order of their columns.
        tensor: `(batch, width)`.
        mixed: Whether dense layers stand between the features and the tensor, so that no column is of one feature.
    """

    features: tuple[Feature, ...]
    tensor: keras.KerasTensor
    mixed: bool = False

    def columns_of(self, names: set[str]) -> list[keras.KerasTensor]:
        """Return the columns of the named features: the tensor itself where all are wanted, else slices of it.

        Raises:
            ValueError: Some features, but not all, of a mixed block.
        """
        wanted = [feature.name for feature in self.features if feature.name in names]
        if len(wanted) == len(self.features):
            return [self.tensor]
        if wanted and self.mixed:
            raise ValueError(
                f"expected a net that reads all of {[f.name for f in self.features]} above `bottom_units`, received "
                f"one that reads {wanted} alone; leave `bottom_units` out"
            )
        slices, begin = [], 0
        for feature in self.features:
            if feature.name in names:
                slices.append(self.tensor[:, begin : begin + width(feature)])
            begin += width(feature)
        return slices


@dataclass(frozen=True)
class Columns:
    """What one net reads.

    Attributes:
        features: The net's features, in the order in which the builder got them.
        blocks: Their columns. A feature may lie in two blocks: a shared embedding and a private one.
    """

    features: tuple[Feature, ...]
    blocks: tuple[Block, ...]

    def joined(self, layer_name: str | None = None, only: Iterable[str] | None = None) -> keras.KerasTensor:
        """Return the columns side by side, `(batch, width)`.

        Args:
            layer_name: Name of the concatenation, where one is needed.
            only: Names of the features wanted; None for all.

        Raises:
            ValueError: A name that is none of the net's features, no name, or one of several above `bottom_units`.
        """
        known = {feature.name for feature in self.features}
        names = known if only is None else set(only)
        if not names or names - known:
            raise ValueError(
                f"expected names of the net's features {sorted(known)}, received {sorted(names)}; name at least one"
            )
        parts = [part for block in self.blocks for part in block.columns_of(names)]
        return layers.Concatenate(name=layer_name)(parts) if len(parts) > 1 else parts[0]


def width(feature: Feature) -> int:
    """Return the number of columns of a feature."""
    return feature.dim if isinstance(feature, Categorical) else 1


def make_blocks(
    owner: str, features: Sequence[Feature], inputs: Mapping[str, keras.KerasTensor], by_side: bool
) -> tuple[Block, ...]:
    """Make embedding tables for the categorical features, one a width, and put the numbers beside them.

    Args:
        owner: Prefix of the layers' names: "shared", or the net whose tables these are.
        features: Features of one owner; none makes no block.
        inputs: The inputs `(batch,)` by the features' names.
        by_side: Make tables and a block for each side, so that an item's columns need no input of the user.
    """
    if not by_side:
        return _block(owner, "", features, inputs)
    sides = [(side, [feature for feature in features if feature.side == side]) for side in SIDES]
    return tuple(block for side, of_side in sides for block in _block(owner, f"_{side}", of_side, inputs))


def _block(
    owner: str, side: str, features: Sequence[Feature], inputs: Mapping[str, keras.KerasTensor]
) -> tuple[Block, ...]:
    ordered: list[Feature] = []
    parts = []
    categorical = [feature for feature in features if isinstance(feature, Categorical)]
    for dim in sorted({feature.dim for feature in categorical}):
        fields = [feature for feature in categorical if feature.dim == dim]
        table = CategoricalEmbedding([f.size for f in fields], dim, name=f"{owner}_embedding{side}_{dim}")
        parts.append(table([inputs[f.name] for f in fields]))
        ordered += fields
    numbers = [feature for feature in features if isinstance(feature, Numeric)]
    parts += [layers.Reshape((1,), name=f"{number.name}_column")(inputs[number.name]) for number in numbers]
    ordered += numbers
    if not parts:
        return ()
    tensor = layers.Concatenate(name=f"{owner}_features{side}")(parts) if len(parts) > 1 else parts[0]
    return (Block(tuple(ordered), tensor),)
