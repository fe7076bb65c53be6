"""The columns that a click-through-rate net reads: embeddings and numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
from keras import layers, ops

from zoo.features import PAD, Categorical, Feature, History, MultiCategorical, Numeric


@dataclass(frozen=True)
class Part:
    """Columns of features of one width, side by side.

    Attributes:
        features: The features, in the order of their columns.
        width: Columns of each feature.
        tensor: `(batch, len(features) * width)`.
        events: Of a feature of several ids a row, the embeddings `(batch, length, width)` whose mean `tensor` is, zeros
            at the padding.
    """

    features: tuple[Feature, ...]
    width: int
    tensor: keras.KerasTensor
    events: keras.KerasTensor | None = None

    def columns_of(self, names: set[str]) -> list[keras.KerasTensor]:
        """Return the columns of the named features: the tensor itself where all are wanted, else slices of it."""
        wanted = [i for i, feature in enumerate(self.features) if feature.name in names]
        if len(wanted) == len(self.features):
            return [self.tensor]
        return [self.tensor[:, i * self.width : (i + 1) * self.width] for i in wanted]


@dataclass(frozen=True)
class Block:
    """Columns of one owner's features side by side.

    Attributes:
        parts: The columns by width, before they are joined.
        tensor: `(batch, width)`.
        mixed: Whether dense layers stand between the features and the tensor, so that no column is of one feature.
    """

    parts: tuple[Part, ...]
    tensor: keras.KerasTensor
    mixed: bool = False

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features, in the order of their columns."""
        return tuple(feature for part in self.parts for feature in part.features)

    def columns_of(self, names: set[str]) -> list[keras.KerasTensor]:
        """Return the columns of the named features: the tensor itself where all are wanted, else parts of it.

        Raises:
            ValueError: Some features, but not all, of a mixed block.
        """
        wanted = [feature.name for feature in self.features if feature.name in names]
        if len(wanted) == len(self.features):
            return [self.tensor]
        if wanted:
            self.check_apart(wanted)
        return [columns for part in self.parts for columns in part.columns_of(names)]

    def check_apart(self, wanted: Sequence[str]) -> None:
        """Raise ValueError where no column is of one feature."""
        if self.mixed:
            raise ValueError(
                f"expected a net that reads all of {[f.name for f in self.features]} above `bottom_units`, received "
                f"one that reads {list(wanted)} alone; leave `bottom_units` out"
            )


@dataclass(frozen=True)
class Columns:
    """What one net reads.

    Attributes:
        features: The net's features, in the order in which the builder got them.
        blocks: Their columns. A feature may lie in two blocks: a shared embedding and a private one.
        inputs: The ids and numbers themselves, by the features' names: `(batch,)`, or `(batch, length)` with
            `zoo.features.PAD` where a row has fewer ids.
        sparse: Whether tables train row by row, so that a net's own tables should, too.
    """

    features: tuple[Feature, ...]
    blocks: tuple[Block, ...]
    inputs: Mapping[str, keras.KerasTensor]
    sparse: bool = False

    def joined(self, layer_name: str | None = None, only: Iterable[str] | None = None) -> keras.KerasTensor:
        """Return the columns side by side, `(batch, width)`; of a feature of several ids a row, their mean.

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

    def sequence(self, name: str) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return a feature's embeddings one by one, for a net that attends to them.

        Returns:
            The embeddings `(batch, length, dim)`, zeros at the padding, and the mask `(batch, length)`, bool, True
            where there is an id. Of a shared and a private embedding, the first.

        Raises:
            ValueError: No feature of several ids a row of that name, or one above `bottom_units`.
        """
        events = self._part(name, (MultiCategorical, History)).events
        return events, ops.not_equal(self.inputs[name], PAD)

    def vector(self, name: str) -> keras.KerasTensor:
        """Return the embedding of a feature of one id a row, `(batch, dim)`; of a shared and a private one, the first.

        Raises:
            ValueError: No categorical feature of that name, or one above `bottom_units`.
        """
        return self._part(name, (Categorical,)).columns_of({name})[0]

    def vectors(self) -> dict[int, list[keras.KerasTensor]]:
        """Return the embeddings of all features by their width: tensors `(batch, fields * width)`.

        A feature of several ids a row is the mean of their embeddings, one with two embeddings is two fields.

        Raises:
            ValueError: Features above `bottom_units`.
        """
        found: dict[int, list[keras.KerasTensor]] = {}
        for block in self.blocks:
            for part in block.parts:
                names = [feature.name for feature in part.features if not isinstance(feature, Numeric)]
                if names:
                    block.check_apart(names)
                    found.setdefault(part.width, []).append(part.tensor)
        return found

    def numbers(self) -> list[keras.KerasTensor]:
        """Return the numeric features' columns, `(batch, 1)` each."""
        parts = [part for block in self.blocks for part in block.parts]
        return [part.tensor for part in parts if isinstance(part.features[0], Numeric)]

    def sizes(self) -> dict[str, int]:
        """Return the number of ids of each feature that has ids, by name; a history has those of its `of`."""
        own = {f.name: f.size for f in self.features if isinstance(f, Categorical | MultiCategorical)}
        return {f.name: own[table_of(f)] for f in self.features if not isinstance(f, Numeric)}

    def _part(self, name: str, kinds: tuple[type, ...]) -> Part:
        for block in self.blocks:
            for part in block.parts:
                if any(feature.name == name and isinstance(feature, kinds) for feature in part.features):
                    block.check_apart([name])
                    return part
        known = [feature.name for feature in self.features if isinstance(feature, kinds)]
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(
            f"expected the name of a {expected} feature of the net, {known}, received {name!r}; name one of these"
        )


def table_of(feature: Feature) -> str:
    """Return the name of the feature whose rows a feature of ids reads: its own, or a history's `of`."""
    return feature.of if isinstance(feature, History) else feature.name
