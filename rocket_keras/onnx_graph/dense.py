"""Keras's layers of rows and sequences, as ONNX nodes: each a function `(graph, layer, *call arguments) -> Value`."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras.src.ops import numpy as operations  # as in the module of that name

from rocket_keras.onnx_graph.graph import Graph, Parts, Unwritable, Value

_ACTIVATIONS: dict[Any, str | None] = {
    None: None,
    keras.activations.linear: None,
    keras.activations.relu: "Relu",
    keras.activations.sigmoid: "Sigmoid",
    keras.activations.softplus: "Softplus",
    keras.activations.tanh: "Tanh",
}
"""Operator of each activation: a user's own function of the same name is another object."""
_ELEMENTWISE = {
    keras.layers.Add: "Add",
    keras.layers.Average: "Mean",
    keras.layers.Multiply: "Mul",
    keras.layers.Subtract: "Sub",
}


def numbers(variable: Any) -> np.ndarray:
    """Return a variable's values, float32."""
    return keras.ops.convert_to_numpy(variable).astype("float32")


def activate(graph: Graph, layer: Any, value: Value) -> Value:
    """Apply the layer's `activation`."""
    try:
        operator = _ACTIVATIONS[layer.activation]
    except (KeyError, TypeError):  # another one, or an object without a hash
        name = getattr(layer.activation, "__name__", str(layer.activation))
        raise Unwritable(f"the activation {name!r} of the layer {layer.name!r}") from None
    return (
        value if operator is None else graph.node(operator, [value], value.shape, channels_first=value.channels_first)
    )


def dense(graph: Graph, layer: keras.layers.Dense, x: Value | Parts) -> Value:
    """Write a matrix product, with its bias and activation.

    Of columns in parts each kind is multiplied with its own rows of the kernel: what a request has once is multiplied
    once, and its product takes the place of the bias; a folded table holds products already.
    """
    # With LoRA `kernel` is a sum, a tensor without a path.
    kernel, path = numbers(layer.kernel), f"{layer.path}/kernel"
    bias = graph.weight(numbers(layer.bias), layer.bias.path) if layer.use_bias else None
    if isinstance(x, Value):
        return activate(graph, layer, _product(graph, graph.plain(x), graph.weight(kernel, path), bias))
    total: Value | str | None = bias
    for kind in ("once", "each"):
        pieces = [piece for piece in x.pieces if _kind(graph, piece[0]) == kind]
        if pieces:
            part = graph.weight(kernel[[column for _, columns in pieces for column in columns]], f"{path}/{kind}")
            total = _product(graph, graph.joined(graph.parts([value for value, _ in pieces])), part, total)
    for value, columns in x.pieces:
        if _kind(graph, value) == "folded":
            found = _folded(graph, value, kernel[list(columns)], path)
            total = found if total is None else graph.node("Add", [found, total], found.shape)
    if not isinstance(total, Value):
        raise Unwritable(f"the layer {layer.name!r} without columns")
    return activate(graph, layer, total)


def _kind(graph: Graph, value: Value) -> str:
    if value.once:
        return "once"
    return "folded" if graph.fold and value.lookup is not None else "each"


def _product(graph: Graph, x: Value, kernel: str, add: Value | str | None) -> Value:
    """Return `x @ kernel + add`."""
    shape = (*x.shape[:-1], graph.weights[kernel].shape[1])
    added = [] if add is None else [add]
    if len(x.shape) == 2:
        return graph.node("Gemm", [x, kernel, *added], shape)
    product = graph.node("MatMul", [x, kernel], shape)
    return graph.node("Add", [product, *added], shape) if added else product


def _folded(graph: Graph, value: Value, kernel: np.ndarray, path: str) -> Value:
    """Return the sum over the fields of their embeddings' products, which were computed ahead of time."""
    lookup = value.lookup
    assert lookup is not None
    parts = np.split(kernel, np.cumsum([table.shape[1] for table in lookup.tables])[:-1])
    products = [table @ part for table, part in zip(lookup.tables, parts, strict=True)]
    table = graph.weight(np.concatenate(products), f"{path}/{lookup.path}")
    rows = clipped(graph, lookup.ids, [len(part) for part in products], f"{lookup.path}/folded")
    found = graph.node("Gather", [table, rows], (*rows.shape, kernel.shape[1]))
    return summed(graph, found, 1)


def clipped(graph: Graph, ids: Value, sizes: Sequence[int], name: str, offsets: Sequence[int] | None = None) -> Value:
    """Return rows of a table of several fields: each column's ids drawn into its field, and moved to its first row."""
    starts = np.cumsum([0, *sizes[:-1]]) if offsets is None else np.array(offsets)
    last = graph.weight(np.array([size - 1 for size in sizes], "int32"), f"{name}/last")
    first = graph.weight(starts.astype("int32"), f"{name}/first")
    ids = graph.node("Cast", [ids], ids.shape, to=int(graph.helper.np_dtype_to_tensor_dtype(np.dtype("int32"))))
    low = graph.node("Max", [ids, graph.weight(np.int32(0), "id_0")], ids.shape)
    return graph.node("Add", [graph.node("Min", [low, last], ids.shape), first], ids.shape)


def unchanged(graph: Graph, layer: Any, x: Value | Parts) -> Value | Parts:
    """Write nothing: what the layer does, it does in training."""
    return x


def activation(graph: Graph, layer: keras.layers.Activation, x: Value) -> Value:
    """Write an activation."""
    return activate(graph, layer, x)


def elementwise(graph: Graph, layer: Any, values: list[Value]) -> Value:
    """Write a sum, product, difference or mean of values, whose shapes are broadcast."""
    values, shape = broadcast(graph, layer, values)
    op, first = _ELEMENTWISE[type(layer)], values[0].channels_first
    if op == "Mean":
        return graph.node(op, list(values), shape, channels_first=first)
    result = values[0]
    for value in values[1:]:
        result = graph.node(op, [result, value], shape, channels_first=first)
    return result


def broadcast(graph: Graph, layer: Any, values: list[Value]) -> tuple[list[Value], tuple[int | None, ...]]:
    """Return values that may go into one node, and the shape of their sum."""
    values = graph.alike(values)
    if any(len(value.shape) != len(values[0].shape) for value in values):
        raise Unwritable(f"shapes of several ranks in the layer {layer.name!r}")
    return values, tuple(
        None if None in sizes else max(sizes) for sizes in zip(*(v.shape for v in values), strict=True)
    )


def concatenate(graph: Graph, layer: keras.layers.Concatenate, values: list[Value | Parts]) -> Value | Parts:
    """Write a concatenation, or keep columns of several kinds apart until a node needs them side by side."""
    rank = len(values[0].shape)
    axis = layer.axis % rank
    if axis == rank - 1:
        parts = graph.parts(values)
        if len({_kind(graph, piece) for piece, _ in parts.pieces}) > 1:
            return parts
    return _concatenated(graph, axis, [graph.joined(value) for value in values])


def _concatenated(graph: Graph, axis: int, values: list[Value]) -> Value:
    rank = len(values[0].shape)
    if len({value.once for value in values}) > 1:
        values = [graph.repeated(value) for value in values]
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
    if layer.data_format != "channels_last" and len(x.shape) > 2:
        raise Unwritable(f"the data format of the layer {layer.name!r}")
    return reshaped(graph, x, layer.compute_output_shape(x.shape), layer.name)


def reshaped(graph: Graph, x: Value, shape: Any, name: str) -> Value:
    """Return the value in another shape, of which the batch alone is open."""
    if any(size is None for size in shape[1:]):
        raise Unwritable(f"the open shape {tuple(shape)} in the layer {name!r}")
    target = graph.weight(np.array([-1, *shape[1:]], "int64"), f"{name}/shape")
    return graph.node("Reshape", [graph.plain(x), target], (x.shape[0], *shape[1:]))


def permute(graph: Graph, layer: keras.layers.Permute, x: Value) -> Value:
    """Write another order of the axes."""
    order = [0, *layer.dims]
    return graph.node("Transpose", [graph.plain(x)], [x.shape[i] for i in order], perm=order)


def repeat(graph: Graph, layer: keras.layers.RepeatVector, x: Value) -> Value:
    """Write a row's vector several times: `(batch, n, width)`."""
    one = reshaped(graph, x, (None, 1, x.shape[-1]), layer.name)
    times = graph.weight(np.array([1, layer.n, 1], "int64"), f"{layer.name}/times")
    return graph.node("Tile", [one, times], (x.shape[0], layer.n, x.shape[-1]))


def dot(graph: Graph, layer: keras.layers.Dot, values: list[Value]) -> Value:
    """Write the dot product over axis 1 of two rows or two sequences."""
    one, other = values
    axes = {layer.axes} if isinstance(layer.axes, int) else set(layer.axes)
    if axes != {1} or layer.normalize or len(one.shape) != len(other.shape) or len(one.shape) > 3:
        raise Unwritable(f"the axes of the layer {layer.name!r}")
    first = 1 if one.once and other.once else None
    if len(one.shape) == 2:
        return summed(graph, graph.node("Mul", [one, other], (first, one.shape[1])), 1, keep=True)
    turned = graph.node("Transpose", [one], (one.shape[0], one.shape[2], one.shape[1]), perm=[0, 2, 1])
    return graph.node("MatMul", [turned, other], (first, one.shape[2], other.shape[2]))


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


def scalar(graph: Graph, value: float) -> str:
    """Return a float32 constant."""
    return graph.weight(np.float32(value), f"number_{value:g}")


TAKE_PARTS = frozenset({keras.layers.Concatenate, keras.layers.Dense, keras.layers.Dropout, keras.layers.Identity})
"""Layers whose writers take columns in parts."""

MOVE_VALUES = frozenset({
    keras.layers.Concatenate, keras.layers.Dropout, keras.layers.Flatten, keras.layers.Identity, keras.layers.Permute,
    keras.layers.RepeatVector, keras.layers.Reshape, operations.GetItem,
})  # fmt: skip
"""Layers that leave values of any type as they are."""

DENSE_LAYERS: dict[type, Callable[..., Value | Parts]] = {
    keras.layers.Activation: activation,
    keras.layers.Add: elementwise,
    keras.layers.Average: elementwise,
    keras.layers.Concatenate: concatenate,
    keras.layers.Dense: dense,
    keras.layers.Dot: dot,
    keras.layers.Dropout: unchanged,
    keras.layers.Embedding: embedding,
    keras.layers.Flatten: flatten,
    keras.layers.Identity: unchanged,
    keras.layers.Multiply: elementwise,
    keras.layers.PReLU: prelu,
    keras.layers.Permute: permute,
    keras.layers.RepeatVector: repeat,
    keras.layers.Rescaling: rescaling,
    keras.layers.Reshape: reshape,
    keras.layers.Subtract: elementwise,
    keras.layers.UnitNormalization: unit,
}
