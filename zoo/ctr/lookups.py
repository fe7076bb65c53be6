"""Embedding tables, and the columns that are looked up in them once for both nets."""

from collections.abc import Callable, Mapping, Sequence

import keras
from keras import layers

from rocket_keras.layers import CategoricalEmbedding, MaskedMean, SparseEmbedding
from zoo.ctr.columns import Block, Part, table_of
from zoo.features import SIDES, Categorical, Feature, MultiCategorical, Numeric

# Where a feature's rows lie: a table, and the feature's place among its fields.
Tables = Mapping[str, tuple[CategoricalEmbedding, int]]

MakeTable = Callable[[Sequence[Categorical | MultiCategorical], int, str], CategoricalEmbedding]


def dense_table(fields: Sequence[Categorical | MultiCategorical], dim: int, name: str) -> CategoricalEmbedding:
    """Make a table that trains in full."""
    return CategoricalEmbedding([field.size for field in fields], dim, name=name)


def sparse_table(fields: Sequence[Categorical | MultiCategorical], dim: int, name: str) -> CategoricalEmbedding:
    """Make a table that trains row by row; its fields have the features' names."""
    names = [field.name for field in fields]
    return SparseEmbedding([field.size for field in fields], dim, field_names=names, name=name)


def make_tables(owner: str, features: Sequence[Feature], by_side: bool, make: MakeTable = dense_table) -> Tables:
    """Make one embedding table for each width of the features that have rows of their own.

    Args:
        owner: Prefix of the layers' names: "shared", or the net whose tables these are.
        features: Features of one owner.
        by_side: Make tables for each side, so that an item's columns need no input of the user.
        make: Makes a table of features, a width and a name.
    """
    tables: dict[str, tuple[CategoricalEmbedding, int]] = {}
    for suffix, of_side in _sides(features, by_side):
        # Features of one id first, for they are looked up together.
        fields = [f for kind in (Categorical, MultiCategorical) for f in of_side if isinstance(f, kind)]
        for dim in sorted({field.dim for field in fields}):
            of_dim = [field for field in fields if field.dim == dim]
            table = make(of_dim, dim, f"{owner}_embedding{suffix}_{dim}")
            tables.update({field.name: (table, place) for place, field in enumerate(of_dim)})
    return tables


def make_blocks(
    owner: str, features: Sequence[Feature], inputs: Mapping[str, keras.KerasTensor], tables: Tables, by_side: bool
) -> tuple[Block, ...]:
    """Look the features up and put the numbers beside them.

    Args:
        owner: Prefix of the layers' names.
        features: Features of one owner; none makes no block.
        inputs: The inputs by the features' names.
        tables: Where the features' rows lie; a history's events are rows of its `of`, whoever owns them.
        by_side: Make a block for each side, so that an item's columns need no input of the user.
    """
    sides = [(suffix, of_side) for suffix, of_side in _sides(features, by_side) if of_side]
    return tuple(_block(owner, suffix, of_side, inputs, tables) for suffix, of_side in sides)


def _sides(features: Sequence[Feature], by_side: bool) -> list[tuple[str, Sequence[Feature]]]:
    if not by_side:
        return [("", features)]
    return [(f"_{side}", [feature for feature in features if feature.side == side]) for side in SIDES]


def _block(
    owner: str, suffix: str, features: Sequence[Feature], inputs: Mapping[str, keras.KerasTensor], tables: Tables
) -> Block:
    of_ids = [feature for feature in features if not isinstance(feature, Numeric)]
    parts = []
    for dim in sorted({tables[table_of(feature)][0].dim for feature in of_ids}):
        of_dim = [feature for feature in of_ids if tables[table_of(feature)][0].dim == dim]
        single = [feature for feature in of_dim if isinstance(feature, Categorical)]
        parts += [_single(single, inputs, tables)] if single else []
        parts += [_several(owner, f, inputs[f.name], tables) for f in of_dim if not isinstance(f, Categorical)]
    for number in features:
        if isinstance(number, Numeric):
            column = layers.Reshape((1,), name=f"{number.name}_column")(inputs[number.name])
            parts.append(Part((number,), 1, column))
    tensors = [part.tensor for part in parts]
    joined = layers.Concatenate(name=f"{owner}_features{suffix}")(tensors) if len(tensors) > 1 else tensors[0]
    return Block(tuple(parts), joined)


def _single(fields: Sequence[Feature], inputs: Mapping[str, keras.KerasTensor], tables: Tables) -> Part:
    """Look features of one id up, which lie in one table."""
    table, places = tables[fields[0].name][0], [tables[field.name][1] for field in fields]
    ids = [inputs[field.name] for field in fields]
    found = table(ids) if len(places) == len(table.sizes) else table(ids, fields=places)
    return Part(tuple(fields), table.dim, found)


def _several(owner: str, feature: Feature, ids: keras.KerasTensor, tables: Tables) -> Part:
    """Look a feature of several ids up and take the mean."""
    table, place = tables[table_of(feature)]
    events = table(ids, fields=[place])
    mean = MaskedMean(name=f"{owner}_{feature.name}_mean")([events, ids])
    return Part((feature,), table.dim, mean, events)
