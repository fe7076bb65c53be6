"""The ONNX graph of a Keras net, written straight from its functional graph: one graph on every backend.

`keras.Model.export` traces a net through its backend, which takes seconds and gives another graph on each. Here every
layer is a few lines, chosen by its class itself: a class of the user's that has the name of a layer, or inherits from
one, is another layer. Nets with layers that have no lines here go the general way.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras

from rocket_keras.extras import require
from rocket_keras.onnx_graph.batch_norm import fold_batch_norms
from rocket_keras.onnx_graph.columns import COLUMN_LAYERS, TABLES
from rocket_keras.onnx_graph.dense import DENSE_LAYERS, MOVE_VALUES, TAKE_PARTS
from rocket_keras.onnx_graph.graph import USER_BATCH, Graph, Parts, Unwritable, Value
from rocket_keras.onnx_graph.images import IMAGE_LAYERS
from rocket_keras.onnx_graph.operations import OPERATIONS
from rocket_keras.onnx_graph.plain import check_plain, other_float
from rocket_keras.onnx_graph.sides import split_by_side
from rocket_keras.onnx_graph.walk import has_own_call, run_graph

__all__ = ["USER_BATCH", "Unwritable", "has_tables", "other_float", "write_onnx"]

LARGEST = 2**31 - 1
"""Bytes of a protobuf message, and so of an ONNX file that holds its weights."""
TAKE_IDS = frozenset({*COLUMN_LAYERS, keras.layers.Embedding})
"""Layers whose writers take whole numbers."""
WRITERS: dict[type, Any] = {**DENSE_LAYERS, **COLUMN_LAYERS, **IMAGE_LAYERS, **OPERATIONS}


def write_onnx(
    model: keras.Model,
    path: Path,
    once: Collection[str] = (),
    fold: bool = False,
    batch_norm: bool = True,
    either: Collection[str] = (),
) -> None:
    """Write a net's ONNX file: inputs by name, dynamic batch, float32 weights by their Keras paths.

    Args:
        model: A functional or Sequential model of one output.
        path: The file.
        once: Names of the inputs that a request has once for all its candidates: they have one row, and what is
            computed from them alone, their part of the first dense layer included, is computed once.
        fold: Multiply embedding tables of small vocabularies with their part of the first dense layer ahead of time.
        batch_norm: Fold each BatchNorm into the dense layer or convolution beside it.
        either: Names of the inputs that may have one row, or as many as the others: their part of the first dense layer
            is computed apart, as that of `once` is. Of a small net they have as many as the others, since the part is
            not worth it.

    Raises:
        Unwritable: The net has a layer, or a form of one, that is not written here.
        ValueError: Its weights have more bytes than an ONNX file may have. One line.
        ImportError: The package onnx is missing.
    """
    onnx = require("onnx", "serve")
    if has_own_call(model):
        raise Unwritable(f"the model {model.name!r} ({type(model).__name__}), which has a call of its own")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not getattr(model, "inputs", None):
        raise Unwritable(f"the subclassed model {model.name!r}")
    written = _written(model, Graph(once, fold, either), path, batch_norm)
    if either and split_by_side(written, {value.name for value in written.graph.input} - set(either)) is None:
        written = _written(model, Graph(once, fold), path, batch_norm)
    onnx.save(written, str(path))


def _written(model: keras.Model, graph: Graph, path: Path, batch_norm: bool) -> Any:
    """Return the ONNX model of a net."""
    for tensor in model.inputs:
        graph.add_input(tensor.name, tensor.shape, tensor.dtype)
    values = [graph.inputs[tensor.name] for tensor in model.inputs]
    outputs = run_graph(model, values, lambda layer, *args, **kwargs: _call(graph, layer, *args, **kwargs))
    if len(outputs) != 1:
        raise Unwritable(f"a net of {len(outputs)} outputs")
    graph.add_output(graph.joined(outputs[0]), model.output_names[0], model.outputs[0].shape)
    if batch_norm:
        fold_batch_norms(graph)
    _check_size(graph, path)
    return graph.to_model(model.name)


def has_tables(model: keras.Model) -> bool:
    """Return whether a net looks ids up in a table that may be folded."""
    return any(type(layer) in TABLES for layer in model.layers)


def _check_size(graph: Graph, path: Path) -> None:
    used = {name for node in graph.nodes for name in node.input}
    size = sum(weight.nbytes for name, weight in graph.weights.items() if name in used)
    if size > LARGEST:
        raise ValueError(
            f"{path}: expected weights of at most {LARGEST:,} bytes, as an ONNX file holds them, received {size:,}; "
            "make the tables smaller: fewer ids, or narrower embeddings"
        )


def _call(graph: Graph, layer: Any, *args: Any, **kwargs: Any) -> Any:
    """Write one call of a layer or operation, or of a net inside the net."""
    if kwargs.get("training"):
        raise Unwritable(f"the layer {layer.name!r}, which is called with training=True")
    kwargs = {key: value for key, value in kwargs.items() if value is not None and key != "training"}
    if "mask" in kwargs:
        raise Unwritable(f"the mask of the layer {layer.name!r}")
    if isinstance(layer, keras.Model):
        return _call_net(graph, layer, args, kwargs)
    writer = WRITERS.get(type(layer))
    if writer is None:
        raise Unwritable(f"the layer {layer.name!r} ({type(layer).__name__})")
    check_plain(layer)
    if type(layer) not in TAKE_PARTS:
        args = keras.tree.map_structure(lambda value: graph.joined(value) if isinstance(value, Parts) else value, args)
    if type(layer) not in TAKE_IDS:
        args = _as_floats(graph, layer, args)
    return writer(graph, layer, *args, **kwargs)


def _as_floats(graph: Graph, layer: Any, args: Any) -> Any:
    """Return the arguments in float32; as they are for a layer that moves values alone and gets no other type."""
    values = [value for value in keras.tree.flatten(args) if isinstance(value, Value | Parts)]
    if type(layer) in MOVE_VALUES and not any(isinstance(v, Parts) or graph.is_float32(v) for v in values):
        return args
    return keras.tree.map_structure(lambda v: graph.as_float32(v) if isinstance(v, Value) else v, args)


def _call_net(graph: Graph, net: keras.Model, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    values = keras.tree.flatten(args)
    ranks = [len(tensor.shape) for tensor in getattr(net, "inputs", None) or ()]
    if has_own_call(net) or kwargs or ranks != [len(value.shape) for value in values]:
        raise Unwritable(f"the call of the net {net.name!r} ({type(net).__name__})")
    outputs = run_graph(net, values, lambda inner, *a, **k: _call(graph, inner, *a, **k))
    if len(outputs) != 1:
        raise Unwritable(f"the net {net.name!r} of {len(outputs)} outputs")
    return outputs[0]
