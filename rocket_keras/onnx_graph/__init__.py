"""The ONNX graph of a Keras net, written straight from its functional graph: one graph on every backend.

`keras.Model.export` traces a net through its backend, which takes seconds and gives another graph on each. Here every
layer is a few lines. Nets with layers that have none go the general way.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras

from rocket_keras.extras import require
from rocket_keras.onnx_graph.batch_norm import fold_batch_norms
from rocket_keras.onnx_graph.columns import COLUMN_LAYERS
from rocket_keras.onnx_graph.dense import DENSE_LAYERS, TAKE_PARTS
from rocket_keras.onnx_graph.graph import USER_BATCH, Graph, Parts, Unwritable
from rocket_keras.onnx_graph.images import IMAGE_LAYERS
from rocket_keras.onnx_graph.sides import split_by_side
from rocket_keras.onnx_graph.walk import run_graph

__all__ = ["USER_BATCH", "Unwritable", "has_tables", "write_onnx"]

LARGEST = 2**31 - 1
"""Bytes of a protobuf message, and so of an ONNX file that holds its weights."""
WRITERS = {**DENSE_LAYERS, **COLUMN_LAYERS, **IMAGE_LAYERS}


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
    return any(type(layer).__name__ in ("CategoricalEmbedding", "SparseEmbedding") for layer in model.layers)


def _check_size(graph: Graph, path: Path) -> None:
    used = {name for node in graph.nodes for name in node.input}
    size = sum(weight.nbytes for name, weight in graph.weights.items() if name in used)
    if size > LARGEST:
        raise ValueError(
            f"{path}: expected weights of at most {LARGEST:,} bytes, as an ONNX file holds them, received {size:,}; "
            "make the tables smaller: fewer ids, or narrower embeddings"
        )


def _call(graph: Graph, layer: keras.Layer, *args: object, **kwargs: object) -> object:
    """Write one call of a layer, or of a net inside the net."""
    kwargs = {key: value for key, value in kwargs.items() if value is not None and key != "training"}
    if "mask" in kwargs:
        raise Unwritable(f"the mask of the layer {layer.name!r}")
    if isinstance(layer, keras.Model):
        values = keras.tree.flatten(args[0])
        (output,) = run_graph(layer, values, lambda inner, *a, **k: _call(graph, inner, *a, **k))
        return output
    writer = WRITERS.get(type(layer).__name__)
    if writer is None:
        raise Unwritable(f"the layer {layer.name!r} ({type(layer).__name__})")
    if type(layer).__name__ not in TAKE_PARTS:
        args = keras.tree.map_structure(lambda value: graph.joined(value) if isinstance(value, Parts) else value, args)
    return writer(graph, layer, *args, **kwargs)
