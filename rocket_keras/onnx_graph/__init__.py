"""The ONNX graph of a Keras net, written straight from its functional graph: one graph on every backend.

`keras.Model.export` traces a net through its backend, which takes seconds and gives another graph on each. Here every
layer is a few lines. Nets with layers that have none go the general way.
"""

from pathlib import Path

import keras

from rocket_keras.extras import require
from rocket_keras.onnx_graph.columns import COLUMN_LAYERS
from rocket_keras.onnx_graph.dense import DENSE_LAYERS
from rocket_keras.onnx_graph.graph import Graph, Unwritable
from rocket_keras.onnx_graph.images import IMAGE_LAYERS
from rocket_keras.onnx_graph.walk import run_graph

__all__ = ["Unwritable", "write_onnx"]

WRITERS = {**DENSE_LAYERS, **COLUMN_LAYERS, **IMAGE_LAYERS}


def write_onnx(model: keras.Model, path: Path) -> None:
    """Write a net's ONNX file: inputs by name, dynamic batch, float32 weights by their Keras paths.

    Args:
        model: A functional or Sequential model of one output.
        path: The file.

    Raises:
        Unwritable: The net has a layer, or a form of one, that is not written here.
        ImportError: The package onnx is missing.
    """
    onnx = require("onnx", "serve")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not getattr(model, "inputs", None):
        raise Unwritable(f"the subclassed model {model.name!r}")
    graph = Graph()
    for tensor in model.inputs:
        graph.add_input(tensor.name, tensor.shape, tensor.dtype)
    values = [graph.inputs[tensor.name] for tensor in model.inputs]
    outputs = run_graph(model, values, lambda layer, *args, **kwargs: _call(graph, layer, *args, **kwargs))
    if len(outputs) != 1:
        raise Unwritable(f"a net of {len(outputs)} outputs")
    graph.add_output(outputs[0], model.output_names[0], model.outputs[0].shape)
    onnx.save(graph.to_model(model.name), str(path))


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
    return writer(graph, layer, *args, **kwargs)
