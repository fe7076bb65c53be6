"""Keras's layers of rows and sequences, as ONNX nodes: each a function `(graph, layer, *call arguments) -> Value`."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from rocket_keras.onnx_graph.graph import Graph, Unwritable, Value

_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus"}
_ELEMENTWISE = {"Add": "Add", "Multiply": "Mul", "Subtract": "Sub", "Average": "Mean"}


def numbers(variable: Any) -> np.ndarray:
    """Return a variable's values, float32."""
    return keras.ops.convert_to_numpy(variable).astype("float32")


def activate(graph: Graph, layer: Any, value: Value) -> Value:
    """Apply the layer's `activation`."""
    name = getattr(layer.activation, "__name__", str(layer.activation)) if layer.activation else "linear"
    if name == "linear":
        return value
    if name not in _ACTIVATIONS:
        raise Unwritable(f"the activation {name!r} of the layer {layer.name!r}")
    return graph.node(_ACTIVATIONS[name], [value], value.shape, channels_first=value.channels_first)


def dense(graph: Graph, layer: keras.layers.Dense, x: Value) -> Value:
    """Write a matrix product, with its bias and activation."""
    x = graph.plain(x)
    shape = (*x.shape[:-1], layer.units)
    kernel = graph.weight(numbers(layer.kernel), layer.kernel.path)
    bias = [graph.weight(numbers(layer.bias), layer.bias.path)] if layer.use_bias else []
    if len(x.shape) == 2:
        return activate(graph, layer, graph.node("Gemm", [x, kernel, *bias], shape))
    product = graph.node("MatMul", [x, kernel], shape)
    return activate(graph, layer, graph.node("Add", [product, *bias], shape) if bias else product)


def unchanged(graph: Graph, layer: Any, x: Value) -> Value:
    """Write nothing: what the layer does, it does in training."""
    return x


def activation(graph: Graph, layer: keras.layers.Activation, x: Value) -> Value:
    """Write an activation."""
    return activate(graph, layer, x)


def elementwise(graph: Graph, layer: Any, values: list[Value]) -> Value:
    """Write a sum, product, difference or mean of values, whose shapes are broadcast."""
    values = graph.alike(values)
    if any(len(value.shape) != len(values[0].shape) for value in values):
        raise Unwritable(f"shapes of several ranks in the layer {layer.name!r}")
    shape = tuple(None if None in sizes else max(sizes) for sizes in zip(*(v.shape for v in values), strict=True))
    op, first = _ELEMENTWISE[type(layer).__name__], values[0].channels_first
    if op == "Mean":
        return graph.node(op, list(values), shape, channels_first=first)
    result = values[0]
    for value in values[1:]:
        result = graph.node(op, [result, value], shape, channels_first=first)
    return result


def concatenate(graph: Graph, layer: keras.layers.Concatenate, values: list[Value]) -> Value:
    """Write a concatenation."""
    rank = len(values[0].shape)
    axis = layer.axis % rank
    values = graph.alike(values) if axis == rank - 1 else [graph.plain(value) for value in values]
    first = values[0].channels_first
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] or 0 for value in values)
    return graph.node("Concat", list(values), shape, axis=1 if first else axis, channels_first=first)


def reshape(graph: Graph, layer: keras.layers.Reshape, x: Value) -> Value:
    """Write a new shape."""
    shape = layer.compute_output_shape(x.shape)
    return reshaped(graph, x, shape, layer.name)


def flatten(graph: Graph, layer: keras.layers.Flatten, x: Value) -> Value:
    """Write a flattening."""
    return reshaped(graph, x, layer.compute_output_shape(x.shape), layer.name)


def reshaped(graph: Graph, x: Value, shape: Any, name: str) -> Value:
    """Return the value in another shape, of which the batch alone is open."""
    if any(size is None for size in shape[1:]):
        raise Unwritable(f"the open shape {tuple(shape)} in the layer {name!r}")
    target = graph.weight(np.array([-1, *shape[1:]], "int64"), f"{name}/shape")
    return graph.node("Reshape", [graph.plain(x), target], (None, *shape[1:]))


def permute(graph: Graph, layer: keras.layers.Permute, x: Value) -> Value:
    """Write another order of the axes."""
    order = [0, *layer.dims]
    return graph.node("Transpose", [graph.plain(x)], [x.shape[i] for i in order], perm=order)


def repeat(graph: Graph, layer: keras.layers.RepeatVector, x: Value) -> Value:
    """Write a row's vector several times: `(batch, n, width)`."""
    one = reshaped(graph, x, (None, 1, x.shape[-1]), layer.name)
    times = graph.weight(np.array([1, layer.n, 1], "int64"), f"{layer.name}/times")
    return graph.node("Tile", [one, times], (None, layer.n, x.shape[-1]))


def dot(graph: Graph, layer: keras.layers.Dot, values: list[Value]) -> Value:
    """Write the dot product over axis 1 of two rows or two sequences."""
    one, other = values
    axes = {layer.axes} if isinstance(layer.axes, int) else set(layer.axes)
    if axes != {1} or layer.normalize or len(one.shape) != len(other.shape) or len(one.shape) > 3:
        raise Unwritable(f"the axes of the layer {layer.name!r}")
    if len(one.shape) == 2:
        return summed(graph, graph.node("Mul", [one, other], one.shape), 1, keep=True)
    turned = graph.node("Transpose", [one], (None, one.shape[2], one.shape[1]), perm=[0, 2, 1])
    return graph.node("MatMul", [turned, other], (None, one.shape[2], other.shape[2]))


def summed(graph: Graph, x: Value, axis: int, keep: bool = False) -> Value:
    """Return the sum over an axis."""
    axes = graph.weight(np.array([axis], "int64"), f"axis_{axis}")
    shape = [1 if i == axis else size for i, size in enumerate(x.shape) if keep or i != axis]
    return graph.node("ReduceSum", [x, axes], shape, keepdims=int(keep))


def unit(graph: Graph, layer: keras.layers.UnitNormalization, x: Value) -> Value:
    """Write rows of length 1."""
    if layer.axis not in (-1, [-1]) or len(x.shape) != 2:
        raise Unwritable(f"the axis of the layer {layer.name!r}")
    square = summed(graph, graph.node("Mul", [x, x], x.shape), 1, keep=True)
    least = graph.weight(np.float32(1e-24), f"{layer.name}/least")
    length = graph.node("Sqrt", [graph.node("Max", [square, least], square.shape)], square.shape)
    return graph.node("Div", [x, length], x.shape)


def rescaling(graph: Graph, layer: keras.layers.Rescaling, x: Value) -> Value:
    """Write a scale and an offset."""
    x = graph.plain(x)
    scale = graph.weight(np.asarray(layer.scale, "float32"), f"{layer.name}/scale")
    offset = graph.weight(np.asarray(layer.offset, "float32"), f"{layer.name}/offset")
    return graph.node("Add", [graph.node("Mul", [x, scale], x.shape), offset], x.shape)


def prelu(graph: Graph, layer: keras.layers.PReLU, x: Value) -> Value:
    """Write a rectifier with learned slopes."""
    return graph.node("PRelu", [graph.plain(x), graph.weight(numbers(layer.alpha), layer.alpha.path)], x.shape)


def batch_norm_factors(layer: keras.layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and offset of a finished BatchNorm, `(channels,)` each."""
    scale = 1 / np.sqrt(numbers(layer.moving_variance) + layer.epsilon)
    scale = scale * numbers(layer.gamma) if layer.scale else scale
    offset = (numbers(layer.beta) if layer.center else 0.0) - numbers(layer.moving_mean) * scale
    return scale.astype("float32"), offset.astype("float32")


def embedding(graph: Graph, layer: keras.layers.Embedding, ids: Value) -> Value:
    """Write a look-up."""
    if layer.mask_zero:
        raise Unwritable(f"the mask of the layer {layer.name!r}")
    table = graph.weight(numbers(layer.embeddings), layer.path + "/embeddings")
    return graph.node("Gather", [table, ids], (*ids.shape, layer.output_dim))


def get_item(graph: Graph, operation: Any, x: Value, key: Any) -> Value:
    """Write a slice of columns, `x[:, a:b]`, as the config of a graph has it."""
    rows, *rest = [_slice(part) for part in key] if isinstance(key, list) else [None]
    if rows != (None, None, None) or len(rest) != 1 or rest[0] is None or rest[0][2] not in (None, 1):
        raise Unwritable(f"the key of the slice {operation.name!r}")
    begin, end, _ = slice(*rest[0]).indices(x.shape[1] or 0)
    bounds = [graph.weight(np.array([value], "int64"), f"{operation.name}/{value}") for value in (begin, end, 1)]
    return graph.node("Slice", [graph.plain(x), *bounds], (x.shape[0], end - begin, *x.shape[2:]))


def _slice(part: Any) -> tuple[Any, Any, Any] | None:
    if isinstance(part, slice):
        return (part.start, part.stop, part.step)
    if isinstance(part, dict) and part.get("class_name") == "__slice__":
        parts = part["config"]
        return (parts["start"], parts["stop"], parts["step"])
    return None


def scalar(graph: Graph, value: float) -> str:
    """Return a float32 constant."""
    return graph.weight(np.float32(value), f"number_{value:g}")


DENSE_LAYERS: dict[str, Callable[..., Value]] = {
    "Activation": activation,
    "Add": elementwise,
    "Average": elementwise,
    "Concatenate": concatenate,
    "Dense": dense,
    "Dot": dot,
    "Dropout": unchanged,
    "Embedding": embedding,
    "Flatten": flatten,
    "GetItem": get_item,
    "Identity": unchanged,
    "Multiply": elementwise,
    "PReLU": prelu,
    "Permute": permute,
    "RepeatVector": repeat,
    "Rescaling": rescaling,
    "Reshape": reshape,
    "Subtract": elementwise,
    "UnitNormalization": unit,
}
