"""Multiply-adds of a net, counted from its graph."""

import math
from typing import Any

import keras

from rocket_keras.layers import FeatureCross

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)


def multiply_adds(model: keras.Model) -> int:
    """Count the multiply-adds of convolutions, dense and cross layers for one example.

    Embedding look-ups, normalisations, activations and additions are not counted, as in the papers; nor are bare
    operations of `keras.ops` in the graph.

    Args:
        model: Functional or built Sequential model.

    Returns:
        Multiply-adds for one row of the batch. WRN-16-1 on 32x32x3: 26.7 million.

    Raises:
        ValueError: The model, or one inside it, is subclassed and has no graph. One line.
    """
    config = _functional(model).get_config()
    if "layers" not in config:
        raise ValueError(
            f"expected a functional or Sequential model, received {model.name!r} ({type(model).__name__}), which has "
            "no graph of layers; build it with keras.Model(inputs, outputs)"
        )
    known = {layer.name: layer for layer in model.layers}
    # The config also lists bare operations, such as a slice, which are no layers.
    entries = [entry for entry in config["layers"] if entry["name"] in known]
    return sum(_layer(known[entry["name"]], entry) for entry in entries)


def _functional(model: keras.Model) -> keras.Model:
    return keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model


def _layer(layer: keras.Layer, entry: dict[str, Any]) -> int:
    """Count one layer over all its calls in the graph; `entry` is its part of the model's config."""
    calls = [_input_shape(node) for node in entry["inbound_nodes"]]
    if isinstance(layer, keras.Model):
        return len(calls) * multiply_adds(layer)
    if isinstance(layer, FeatureCross):
        return len(calls) * math.prod(layer.cross.dense.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return sum(math.prod(shape[1:-1]) * math.prod(layer.kernel.shape) for shape in calls)
    if isinstance(layer, _CONVOLUTIONS):
        return sum(_positions(layer, shape) * math.prod(layer.kernel.shape) for shape in calls)
    return 0


def _input_shape(node: dict[str, Any]) -> tuple[int, ...]:
    tensors = [leaf["config"]["shape"] for leaf in _tensor_configs(node["args"])]
    return tuple(tensors[0]) if tensors else ()


def _tensor_configs(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [value]
        value = list(value.values())
    return [found for item in value for found in _tensor_configs(item)] if isinstance(value, list | tuple) else []


def _positions(layer: keras.Layer, input_shape: tuple[int, ...]) -> int:
    output = tuple(layer.compute_output_shape(input_shape))[1:]
    spatial = output[:-1] if layer.data_format == "channels_last" else output[1:]
    return math.prod(spatial)
