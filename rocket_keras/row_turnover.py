"""Ids that come and go: tables of `SparseEmbedding` get rows, and rows of ids that are gone become new ones.

Both functions leave all else as it is: other rows and their slots bit by bit, the other weights, the optimizers, the
step and the schedules. Call them between two calls of `fit`. Fresh rows are drawn from the layer's initializer with
Keras's random seed, not with one of the initializer's own, which would draw the same rows every time: set it
(`keras.utils.set_random_seed`) where a repetition must draw the same ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from rocket_keras.layers.drawn_rows import drawn_rows
from rocket_keras.layers.sparse_embedding import SparseEmbedding
from rocket_keras.row_optimizers import RowOptimizer
from rocket_keras.row_training import sparse_layers
from rocket_keras.train_step.rows import set_rows


def grow_rows(model: keras.Model, sizes: Mapping[str, int]) -> dict[str, int]:
    """Give fields more rows. Ids keep their rows; the new ones are the ids from the old size on.

    Args:
        model: A Rocket, Fleet or SparseNet, or a net that serves. Of a net that is part of another model give the
            latter, so that the slots of the rows grow with them.
        sizes: The new number of ids by the field's name (`SparseEmbedding(field_names=...)`), in all tables that have
            such a field. Names of fields that the model has not are passed over: a light net may lack some.

    Returns:
        The number of rows that were added, by name, in all tables; without the fields that stay as they are.

    Raises:
        ValueError: A size smaller than the present one.
    """
    added: dict[str, int] = {}
    for layer in sparse_layers(model):
        wanted = [sizes.get(name, size) for name, size in zip(layer.field_names, layer.sizes, strict=True)]
        for name, old, new in zip(layer.field_names, layer.sizes, wanted, strict=True):
            if new < old:
                raise ValueError(
                    f"The table of {name!r} has {old} ids and cannot have fewer. Received: {new}. Free rows that are "
                    "not needed with free_rows, and give them to new ids."
                )
            if new > old:
                added[name] = added.get(name, 0) + new - old
        if tuple(wanted) != layer.sizes:
            _grow(layer, wanted, getattr(model, "row_optimizer", None))
    if added:
        _forget_functions(model)
    return added


def free_rows(model: keras.Model, ids: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Make rows of ids that are gone like new ones, slots included, so that they can be other ids'.

    Args:
        model: As of `grow_rows`.
        ids: Ids, each once, by the field's name; names of fields that the model has not are passed over.

    Returns:
        The number of rows that were freed, by name, in all tables.

    Raises:
        ValueError: An id that the field does not have, or one twice.
    """
    freed: dict[str, int] = {}
    for layer in sparse_layers(model):
        rows = [np.zeros(0, "int64")]
        for place, name in enumerate(layer.field_names):
            mine = np.asarray(ids.get(name, ()), "int64").reshape(-1)
            if len(np.unique(mine)) != len(mine) or (
                len(mine) and not 0 <= mine.min() <= mine.max() < layer.sizes[place]
            ):
                raise ValueError(
                    f"free_rows takes ids from 0 to {layer.sizes[place] - 1} of {name!r}, each once. Received others."
                )
            rows.append(mine + layer.offsets[place])
            if len(mine):
                freed[name] = freed.get(name, 0) + len(mine)
        _free(layer, np.concatenate(rows).astype("int32"), getattr(model, "row_optimizer", None))
    return freed


def _grow(layer: SparseEmbedding, sizes: Sequence[int], optimizer: RowOptimizer | None) -> None:
    parts, fresh = list(_parts(layer, sizes)), _fresh_initializer(layer)

    def grown(variable: keras.Variable, fill: Any) -> np.ndarray:
        old = keras.ops.convert_to_numpy(variable.value)
        new = np.empty((sum(sizes) + layer.hash_rows * len(sizes), old.shape[1]), old.dtype)
        # All at once: an initializer that is asked again says the same, and two fields would begin alike.
        added = fill((sum(rows for _, rows in parts if isinstance(rows, int)), old.shape[1]))
        for begin, rows in parts:
            if isinstance(rows, int):
                new[begin : begin + rows], added = added[:rows], added[rows:]
            else:
                new[begin : begin + rows.stop - rows.start] = old[rows]
        return new

    table = grown(layer.table, lambda shape: keras.ops.convert_to_numpy(drawn_rows(fresh, shape, layer.table.dtype)))
    values = []
    if optimizer is not None and optimizer.has(layer):
        kinds = zip(optimizer.slots, optimizer.slots_of(layer), strict=True)
        values = [grown(variable, lambda shape, slot=slot: np.full(shape, slot.initial)) for slot, variable in kinds]
    layer.resize(sizes, table)
    if optimizer is not None and optimizer.has(layer):
        optimizer.resize(layer, values)


def _parts(layer: SparseEmbedding, sizes: Sequence[int]) -> Iterator[tuple[int, slice | int]]:
    """Say what the new table is made of: where each part begins, and a slice of the old one or a number of new rows."""
    begin = 0
    for old, new, offset in zip(layer.sizes, sizes, layer.offsets, strict=True):
        yield begin, slice(offset, offset + old)
        yield begin + old, new - old
        yield begin + new, slice(offset + old, offset + old + layer.hash_rows)
        begin += new + layer.hash_rows


def _free(layer: SparseEmbedding, rows: np.ndarray, optimizer: RowOptimizer | None) -> None:
    if not len(rows):
        return
    values = _fresh_initializer(layer)((len(rows), layer.dim), dtype=layer.table.dtype)
    set_rows(layer.table, rows, values)
    if optimizer is not None and optimizer.has(layer):
        for slot, variable in zip(optimizer.slots, optimizer.slots_of(layer), strict=True):
            set_rows(variable, rows, np.full((len(rows), variable.shape[1]), slot.initial, "float32"))


def _fresh_initializer(layer: SparseEmbedding) -> Any:
    """Return the layer's initializer with a seed that is drawn now: a used one repeats itself."""
    initializer = layer.embeddings_initializer
    config = initializer.get_config()
    return type(initializer).from_config({**config, **({"seed": None} if "seed" in config else {})})


def _forget_functions(model: keras.Model) -> None:
    """Let the model and its nets be compiled anew: under TensorFlow a compiled step holds the old table."""
    pairs = getattr(model, "pairs", {}).values() if hasattr(model, "pairs") else [getattr(model, "pair", None)]
    nets = [net for pair in pairs if pair is not None for net in (pair.light, pair.booster, pair.joint)]
    for one in [*nets, *model._flatten_layers()]:
        if isinstance(one, keras.Model):
            one.train_function = one.test_function = one.predict_function = None
