"""The project's own layers of click-through-rate nets, as ONNX nodes."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rocket_keras import layers
from rocket_keras.onnx_graph.dense import batch_norm_factors, clipped, numbers, reshaped, scalar, summed
from rocket_keras.onnx_graph.graph import Graph, Lookup, Parts, Value
from rocket_keras.onnx_graph.plain import check_plain

FOLDED_IDS = 1000
"""Ids of a field above which its table is not folded: the products would not stay in the processor's cache."""


def categorical_embedding(graph: Graph, layer: Any, ids: Value | list[Value], fields: Any = None) -> Value | Parts:
    """Write one look-up for all fields, or for a row of several ids of one field.

    Fields that a request has once, and fields whose tables are folded, are looked up apart from the others.
    """
    fields = list(range(len(layer.sizes))) if fields is None else fields
    if isinstance(ids, Value):
        table = graph.weight(numbers(layer.table), layer.table.path)
        rows = _table_rows(graph, layer, ids, fields)
        found = graph.node("Gather", [table, rows], (*ids.shape, layer.dim))
        return graph.node("Mul", [found, _unsqueezed(graph, _present(graph, ids), 2)], found.shape)
    groups = dict[tuple[bool, bool], list[int]]()
    for place, value in enumerate(ids):
        folded = graph.fold and not value.once and layer.sizes[fields[place]] <= FOLDED_IDS
        groups.setdefault((value.once, folded), []).append(place)
    pieces, width = list[tuple[Value, tuple[int, ...]]](), len(ids) * layer.dim
    for (_, folded), places in groups.items():
        columns = tuple(place * layer.dim + i for place in places for i in range(layer.dim))
        found = _looked_up(graph, layer, [ids[place] for place in places], [fields[place] for place in places], folded)
        pieces.append((found, columns))
    if len(pieces) == 1 and pieces[0][0].lookup is None:
        return pieces[0][0]
    return Parts(tuple(pieces), (1 if all(value.once for value in ids) else None, width))


def _looked_up(graph: Graph, layer: Any, ids: list[Value], fields: list[int], folded: bool) -> Value:
    """Return the embeddings of several fields side by side."""
    joined = _side_by_side(graph, ids)
    table = numbers(layer.table)
    ends = [layer.sizes[field] for field in fields]
    if _is_sparse(layer):
        joined, ends = _inside(graph, layer, joined, fields), [end + layer.hash_rows for end in ends]
        rows = graph.node("Add", [joined, _firsts(graph, layer, fields)], joined.shape)
    else:
        rows = _table_rows(graph, layer, joined, fields)
    path = graph.weight(table, layer.table.path)
    found = graph.node("Gather", [path, rows], (joined.shape[0], len(fields), layer.dim))
    flat = reshaped(graph, found, (None, len(fields) * layer.dim), layer.name)
    if not folded:
        return flat
    begins = [layer.offsets[field] for field in fields]
    tables = tuple(table[begin : begin + end] for begin, end in zip(begins, ends, strict=True))
    return dataclasses.replace(flat, lookup=Lookup(joined, tables, layer.path))


def sparse_linear(graph: Graph, layer: Any, ids: list[Value]) -> Value:
    """Write the sum of one weight an id."""
    kinds = [[place for place, value in enumerate(ids) if value.once == once] for once in (True, False)]
    sums = [_linear_sum(graph, layer, places, [ids[place] for place in places]) for places in kinds if places]
    return sums[0] if len(sums) == 1 else graph.node("Add", list(sums), (None, layer.units))


def _linear_sum(graph: Graph, layer: Any, places: list[int], ids: list[Value]) -> Value:
    fields = [field for field, value in zip(places, ids, strict=True) for _ in range(_length(value))]
    joined = _side_by_side(graph, ids)
    kernel = graph.weight(numbers(layer.kernel), layer.kernel.path)
    found = graph.node("Gather", [kernel, _table_rows(graph, layer, joined, fields)], (*joined.shape, layer.units))
    shares = [_shares(graph, value) if len(value.shape) == 2 else _one(graph, value) for value in ids]
    weights = graph.node("Concat", list(shares), joined.shape, axis=1) if len(shares) > 1 else shares[0]
    return summed(graph, graph.node("Mul", [found, _unsqueezed(graph, weights, 2)], found.shape), 1)


def masked_mean(graph: Graph, layer: Any, values: list[Value]) -> Value:
    """Write the mean over the places that hold an id."""
    events, ids = values
    places = _present(graph, ids)
    total = summed(graph, graph.node("Mul", [events, _unsqueezed(graph, places, 2)], events.shape), 1)
    return graph.node("Div", [total, _count(graph, places)], total.shape)


def factorization_machine(graph: Graph, layer: Any, values: list[Value]) -> Value:
    """Write half the difference of the squared sum and the sum of squares."""
    joined = graph.joined(graph.parts(values))
    width = joined.shape[-1] or 0
    fields = reshaped(graph, joined, (None, width // layer.dim, layer.dim), layer.name)
    total = summed(graph, fields, 1)
    square = graph.node("Mul", [total, total], total.shape)
    squares = summed(graph, graph.node("Mul", [fields, fields], fields.shape), 1)
    apart = summed(graph, graph.node("Sub", [square, squares], total.shape), 1, keep=True)
    return graph.node("Mul", [apart, scalar(graph, 0.5)], apart.shape)


def feature_cross(graph: Graph, layer: Any, values: list[Value]) -> Value:
    """Write `x0 * (W x + b) + x`."""
    x0, x = values
    dense = layer.cross.dense
    check_plain(dense)
    weights = [graph.weight(numbers(getattr(dense, name)), f"{dense.path}/{name}") for name in ("kernel", "bias")]
    crossed = graph.node("Mul", [x0, graph.node("Gemm", [x, *weights], x.shape)], x.shape)
    return graph.node("Add", [crossed, x], x.shape)


def dice(graph: Graph, layer: Any, x: Value) -> Value:
    """Write `x (p + alpha (1 - p))`, p the sigmoid of the normalised value."""
    scale, offset = batch_norm_factors(layer.norm)
    alpha = numbers(layer.alpha)
    names = {"scale": scale, "offset": offset, "rest": 1 - alpha, "alpha": alpha}
    weights = {name: graph.weight(array, f"{layer.path}/{name}") for name, array in names.items()}
    normal = graph.node("Add", [graph.node("Mul", [x, weights["scale"]], x.shape), weights["offset"]], x.shape)
    share = graph.node("Sigmoid", [normal], x.shape)
    slope = graph.node("Add", [graph.node("Mul", [share, weights["rest"]], x.shape), weights["alpha"]], x.shape)
    return graph.node("Mul", [x, slope], x.shape)


def _length(ids: Value) -> int:
    """Ids a row."""
    return 1 if len(ids.shape) == 1 else ids.shape[1] or 0


def _side_by_side(graph: Graph, ids: Sequence[Value]) -> Value:
    """Return ids of several fields as one `(batch, places)`."""
    columns = [reshaped(graph, value, (None, 1), "column") if len(value.shape) == 1 else value for value in ids]
    if len(columns) == 1:
        return columns[0]
    return graph.node("Concat", list(columns), (columns[0].shape[0], sum(map(_length, columns))), axis=1)


def _table_rows(graph: Graph, layer: Any, ids: Value, fields: Sequence[int]) -> Value:
    """Return the table's rows of ids, each moved into its field first; `fields` has one place a column, or one."""
    if _is_sparse(layer):
        ids = _inside(graph, layer, ids, fields)
        return graph.node("Add", [ids, _firsts(graph, layer, fields)], ids.shape)
    sizes, offsets = ([numbers[field] for field in fields] for numbers in (layer.sizes, layer.offsets))
    return clipped(graph, ids, sizes, layer.path, offsets)


def _is_sparse(layer: Any) -> bool:
    return isinstance(layer, layers.SparseEmbedding)


def _inside(graph: Graph, layer: Any, ids: Value, fields: Sequence[int]) -> Value:
    """Return where in its field's rows each id of a `SparseEmbedding` is: unseen ids at 0, or in the hash rows."""
    ids = graph.node("Cast", [ids], ids.shape, to=int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("int32"))))
    sizes = graph.weight(np.array([layer.sizes[field] for field in fields], "int32"), f"{layer.path}/sizes")
    zero = graph.weight(np.int32(0), "id_0")
    known, unseen = graph.node("Less", [ids, sizes], ids.shape), zero
    if layer.hash_rows:
        hashed = graph.node("Mod", [ids, graph.weight(np.int32(layer.hash_rows), f"{layer.path}/hash")], ids.shape)
        unseen = graph.node("Add", [hashed, sizes], ids.shape).name
    return graph.node("Where", [known, graph.node("Max", [ids, zero], ids.shape), unseen], ids.shape)


def _firsts(graph: Graph, layer: Any, fields: Sequence[int]) -> str:
    return graph.weight(np.array([layer.offsets[field] for field in fields], "int32"), f"{layer.path}/first")


def _present(graph: Graph, ids: Value) -> Value:
    """Return 1 where a place holds an id, 0 at the padding."""
    ids = graph.node("Cast", [ids], ids.shape, to=int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("int32"))))
    there = graph.node("GreaterOrEqual", [ids, graph.weight(np.int32(0), "id_0")], ids.shape)
    return graph.node("Cast", [there], ids.shape, to=int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("float32"))))


def _count(graph: Graph, places: Value) -> Value:
    """Return the number of ids of each row, at least 1, `(batch, 1)`."""
    return graph.node("Max", [summed(graph, places, 1, keep=True), scalar(graph, 1.0)], (places.shape[0], 1))


def _shares(graph: Graph, ids: Value) -> Value:
    """Return what each place adds to the row's mean."""
    places = _present(graph, ids)
    return graph.node("Div", [places, _count(graph, places)], places.shape)


def _one(graph: Graph, ids: Value) -> Value:
    """Return a column of ones, one a row of `ids`."""
    float32 = int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("float32")))
    column = graph.node("Cast", [reshaped(graph, ids, (None, 1), "column")], (ids.shape[0], 1), to=float32)
    nothing = graph.node("Mul", [column, scalar(graph, 0.0)], column.shape)
    return graph.node("Add", [nothing, scalar(graph, 1.0)], column.shape)


def _unsqueezed(graph: Graph, x: Value, axis: int) -> Value:
    axes = graph.weight(np.array([axis], "int64"), f"axis_{axis}")
    return graph.node("Unsqueeze", [x, axes], (*x.shape[:axis], 1, *x.shape[axis:]))


COLUMN_LAYERS: dict[type, Callable[..., Value | Parts]] = {
    layers.CategoricalEmbedding: categorical_embedding,
    layers.Dice: dice,
    layers.FactorizationMachine: factorization_machine,
    layers.FeatureCross: feature_cross,
    layers.MaskedMean: masked_mean,
    layers.SparseEmbedding: categorical_embedding,
    layers.SparseLinear: sparse_linear,
}
TABLES = (layers.CategoricalEmbedding, layers.SparseEmbedding)
"""Layers whose tables may be folded."""
