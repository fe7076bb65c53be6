"""The project's own layers of click-through-rate nets, as ONNX nodes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rocket_keras.onnx_graph.dense import batch_norm_factors, numbers, reshaped, scalar, summed
from rocket_keras.onnx_graph.graph import Graph, Value


def categorical_embedding(graph: Graph, layer: Any, ids: Value | list[Value], fields: Any = None) -> Value:
    """Write one look-up for all fields, or for a row of several ids of one field."""
    fields = list(range(len(layer.sizes))) if fields is None else fields
    table = graph.weight(numbers(layer.table), layer.table.path)
    if isinstance(ids, Value):
        rows = _table_rows(graph, layer, ids, fields)
        found = graph.node("Gather", [table, rows], (*ids.shape, layer.dim))
        return graph.node("Mul", [found, _unsqueezed(graph, _present(graph, ids), 2)], found.shape)
    rows = _table_rows(graph, layer, _side_by_side(graph, ids), fields)
    found = graph.node("Gather", [table, rows], (None, len(fields), layer.dim))
    return reshaped(graph, found, (None, len(fields) * layer.dim), layer.name)


def sparse_linear(graph: Graph, layer: Any, ids: list[Value]) -> Value:
    """Write the sum of one weight an id."""
    fields = [field for field, value in enumerate(ids) for _ in range(_length(value))]
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
    width = sum(value.shape[-1] or 0 for value in values)
    joined = graph.node("Concat", list(values), (None, width), axis=1) if len(values) > 1 else values[0]
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
    weights = [graph.weight(numbers(v), v.path) for v in (dense.kernel, dense.bias)]
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
    return graph.node("Concat", list(columns), (None, sum(map(_length, columns))), axis=1)


def _table_rows(graph: Graph, layer: Any, ids: Value, fields: Sequence[int]) -> Value:
    """Return the table's rows of ids, each moved into its field first; `fields` has one place a column, or one."""
    last = graph.weight(np.array([layer.sizes[f] - 1 for f in fields], "int32"), f"{layer.path}/last")
    first = graph.weight(np.array([layer.offsets[f] for f in fields], "int32"), f"{layer.path}/first")
    ids = graph.node("Cast", [ids], ids.shape, to=int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("int32"))))
    low = graph.node("Max", [ids, graph.weight(np.int32(0), "id_0")], ids.shape)
    return graph.node("Add", [graph.node("Min", [low, last], ids.shape), first], ids.shape)


def _present(graph: Graph, ids: Value) -> Value:
    """Return 1 where a place holds an id, 0 at the padding."""
    ids = graph.node("Cast", [ids], ids.shape, to=int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("int32"))))
    there = graph.node("GreaterOrEqual", [ids, graph.weight(np.int32(0), "id_0")], ids.shape)
    return graph.node("Cast", [there], ids.shape, to=int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("float32"))))


def _count(graph: Graph, places: Value) -> Value:
    """Return the number of ids of each row, at least 1, `(batch, 1)`."""
    return graph.node("Max", [summed(graph, places, 1, keep=True), scalar(graph, 1.0)], (None, 1))


def _shares(graph: Graph, ids: Value) -> Value:
    """Return what each place adds to the row's mean."""
    places = _present(graph, ids)
    return graph.node("Div", [places, _count(graph, places)], places.shape)


def _one(graph: Graph, ids: Value) -> Value:
    """Return a column of ones, one a row of `ids`."""
    float32 = int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("float32")))
    column = graph.node("Cast", [reshaped(graph, ids, (None, 1), "column")], (None, 1), to=float32)
    nothing = graph.node("Mul", [column, scalar(graph, 0.0)], (None, 1))
    return graph.node("Add", [nothing, scalar(graph, 1.0)], (None, 1))


def _unsqueezed(graph: Graph, x: Value, axis: int) -> Value:
    axes = graph.weight(np.array([axis], "int64"), f"axis_{axis}")
    return graph.node("Unsqueeze", [x, axes], (*x.shape[:axis], 1, *x.shape[axis:]))


COLUMN_LAYERS: dict[str, Callable[..., Value]] = {
    "CategoricalEmbedding": categorical_embedding,
    "Dice": dice,
    "FactorizationMachine": factorization_machine,
    "FeatureCross": feature_cross,
    "MaskedMean": masked_mean,
    "SparseLinear": sparse_linear,
}
