"""Bare operations of `keras.ops` in a graph, as ONNX nodes.

Keras exports the functions of these operations, but not their classes, several of which have the names of layers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras.src.ops import numpy as operations

from rocket_keras.onnx_graph.dense import broadcast, scalar
from rocket_keras.onnx_graph.graph import Graph, Unwritable, Value

_ARITHMETIC = {operations.Add: "Add", operations.Multiply: "Mul", operations.Subtract: "Sub"}
_ARRAYS = ("__numpy__", "__tensor__")
"""What the config of a graph calls an array among the arguments of an operation."""


def arithmetic(graph: Graph, operation: Any, x1: Any, x2: Any) -> Value:
    """Write a sum, product or difference of two values, or of a value and a constant."""
    operator = _ARITHMETIC[type(operation)]
    if isinstance(x1, Value) and isinstance(x2, Value):
        values, shape = broadcast(graph, operation, [x1, x2])
        return graph.node(operator, list(values), shape, channels_first=values[0].channels_first)
    value = graph.plain(x1 if isinstance(x1, Value) else x2)
    other = _constant(operation, x2 if isinstance(x1, Value) else x1)
    if other.ndim >= len(value.shape) or _broadcast(other, value) != value.shape[1:]:
        raise Unwritable(f"the shape of the constant of the operation {operation.name!r}")
    name = graph.weight(other, f"{operation.name}/constant") if other.ndim else scalar(graph, float(other))
    return graph.node(operator, [value, name] if isinstance(x1, Value) else [name, value], value.shape)


def matrix_product(graph: Graph, operation: Any, x1: Any, x2: Any) -> Value:
    """Write the product of rows and a constant matrix."""
    if not isinstance(x1, Value) or isinstance(x2, Value):
        raise Unwritable(f"the arguments of the operation {operation.name!r}")
    matrix = _constant(operation, x2)
    if matrix.ndim != 2 or len(x1.shape) < 2:
        raise Unwritable(f"the shape of the constant of the operation {operation.name!r}")
    name = graph.weight(matrix, f"{operation.name}/constant")
    return graph.node("MatMul", [graph.plain(x1), name], (*x1.shape[:-1], matrix.shape[1]))


def get_item(graph: Graph, operation: Any, x: Value, key: Any) -> Value:
    """Write a slice of columns, `x[:, a:b]`, as the config of a graph has it."""
    rows, *rest = [_slice(part) for part in key] if isinstance(key, list) else [None]
    if rows != (None, None, None) or len(rest) != 1 or rest[0] is None or rest[0][2] not in (None, 1):
        raise Unwritable(f"the key of the slice {operation.name!r}")
    begin, end, _ = slice(*rest[0]).indices(x.shape[1] or 0)
    bounds = [graph.weight(np.array([value], "int64"), f"{operation.name}/{value}") for value in (begin, end, 1)]
    return graph.node("Slice", [graph.plain(x), *bounds], (x.shape[0], end - begin, *x.shape[2:]))


def _constant(operation: Any, value: Any) -> np.ndarray:
    """Return a number or an array among the arguments of an operation, float32."""
    if isinstance(value, dict) and value.get("class_name") in _ARRAYS:
        value = value["config"]["value"]
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise Unwritable(f"the arguments of the operation {operation.name!r}")
    return np.asarray(value, "float32")


def _broadcast(other: np.ndarray, value: Value) -> tuple[int, ...]:
    return np.broadcast_shapes(other.shape, tuple(size or 0 for size in value.shape[1:]))


def _slice(part: Any) -> tuple[Any, Any, Any] | None:
    if isinstance(part, slice):
        return (part.start, part.stop, part.step)
    if isinstance(part, dict) and part.get("class_name") == "__slice__":
        parts = part["config"]
        return (parts["start"], parts["stop"], parts["step"])
    return None


OPERATIONS: dict[type, Callable[..., Value]] = {
    operations.Add: arithmetic,
    operations.Dot: matrix_product,
    operations.GetItem: get_item,
    operations.Matmul: matrix_product,
    operations.Multiply: arithmetic,
    operations.Subtract: arithmetic,
}
