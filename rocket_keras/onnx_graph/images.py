"""Keras's layers of images, and BatchNorm, as ONNX nodes; convolutions have their channels in the second place."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from rocket_keras.onnx_graph.dense import activate, batch_norm_factors, numbers, scalar
from rocket_keras.onnx_graph.graph import Graph, Unwritable, Value


def convolution(graph: Graph, layer: keras.layers.Conv2D, x: Value) -> Value:
    """Write a convolution, plain or depthwise, with its bias and activation."""
    kernel = numbers(layer.kernel)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        height, width, channels, multiplier = kernel.shape
        kernel, groups = kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width), channels
    else:
        kernel, groups = kernel.transpose(3, 2, 0, 1), layer.groups
    weights = [graph.weight(np.ascontiguousarray(kernel), f"{layer.path}/kernel")]
    weights += [graph.weight(numbers(layer.bias), layer.bias.path)] if layer.use_bias else []
    attributes = {
        **_window(layer, layer.kernel_size, x),
        "dilations": list(layer.dilation_rate) if isinstance(layer.dilation_rate, tuple) else [1, 1],
        "group": groups,
    }
    shape = layer.compute_output_shape(x.shape)
    return activate(graph, layer, graph.node("Conv", [graph.image(x), *weights], shape, **attributes))


def max_pool(graph: Graph, layer: keras.layers.MaxPooling2D, x: Value) -> Value:
    """Write a max-pooling."""
    shape = layer.compute_output_shape(x.shape)
    return graph.node("MaxPool", [graph.image(x)], shape, **_window(layer, layer.pool_size, x))


def _window(layer: Any, size: tuple[int, int], x: Value) -> dict[str, Any]:
    """Attributes that every sliding window has."""
    if layer.data_format != "channels_last" or layer.padding not in ("same", "valid") or len(x.shape) != 4:
        raise Unwritable(f"the data format or padding of the layer {layer.name!r}")
    padding = "SAME_UPPER" if layer.padding == "same" else "VALID"
    return {
        "kernel_shape": list(size),
        "strides": list(layer.strides),
        "auto_pad": padding,
        "channels_first": True,
    }


def batch_norm(graph: Graph, layer: keras.layers.BatchNormalization, x: Value) -> Value:
    """Write a finished BatchNorm of the last axis: its scale and its offset."""
    if layer.axis not in (-1, len(x.shape) - 1, [-1], [len(x.shape) - 1]):
        raise Unwritable(f"the axis of the layer {layer.name!r}")
    scale, offset = batch_norm_factors(layer)
    if not x.channels_first:
        product = graph.node("Mul", [x, graph.weight(scale, f"{layer.path}/scale")], x.shape)
        return graph.node("Add", [product, graph.weight(offset, f"{layer.path}/offset")], x.shape)
    # As the operator of that name, which the runtime folds into a convolution before it.
    names = [
        graph.weight(array, f"{layer.path}/{name}")
        for name, array in (
            ("scale", scale),
            ("offset", offset),
            ("mean", np.zeros_like(scale)),
            ("variance", np.ones_like(scale)),
        )
    ]
    return graph.node("BatchNormalization", [x, *names], x.shape, epsilon=0.0, channels_first=True)


def relu(graph: Graph, layer: keras.layers.ReLU, x: Value) -> Value:
    """Write a rectifier, with a limit or without."""
    if layer.negative_slope or layer.threshold:
        raise Unwritable(f"the slope or threshold of the layer {layer.name!r}")
    if layer.max_value is None:
        return graph.node("Relu", [x], x.shape, channels_first=x.channels_first)
    limits = [scalar(graph, value) for value in (0.0, float(layer.max_value))]
    return graph.node("Clip", [x, *limits], x.shape, channels_first=x.channels_first)


def global_average(graph: Graph, layer: keras.layers.GlobalAveragePooling2D, x: Value) -> Value:
    """Write the mean over an image's positions."""
    if layer.keepdims or layer.data_format != "channels_last":
        raise Unwritable(f"the form of the layer {layer.name!r}")
    axes = [2, 3] if x.channels_first else [1, 2]
    return graph.node("ReduceMean", [x], (None, x.shape[-1]), axes=axes, keepdims=0)


def zero_padding(graph: Graph, layer: keras.layers.ZeroPadding2D, x: Value) -> Value:
    """Write a frame of zeros."""
    _check_channels(layer)
    (top, bottom), (left, right) = layer.padding
    frame = graph.weight(np.array([0, 0, top, left, 0, 0, bottom, right], "int64"), f"{layer.name}/frame")
    shape = layer.compute_output_shape(x.shape)
    return graph.node("Pad", [graph.image(x), frame], shape, channels_first=True)


def _check_channels(layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise Unwritable(f"the data format of the layer {layer.name!r}")


def cropping(graph: Graph, layer: keras.layers.Cropping2D, x: Value) -> Value:
    """Write a part of the image."""
    _check_channels(layer)
    shape = layer.compute_output_shape(x.shape)
    (top, _), (left, _) = layer.cropping
    axes = [2, 3] if x.channels_first else [1, 2]
    bounds = (("begin", [top, left]), ("end", [top + shape[1], left + shape[2]]), ("axes", axes))
    names = [graph.weight(np.array(value, "int64"), f"{layer.name}/{name}") for name, value in bounds]
    return graph.node("Slice", [x, *names], shape, channels_first=x.channels_first)


IMAGE_LAYERS: dict[type, Callable[..., Value]] = {
    keras.layers.BatchNormalization: batch_norm,
    keras.layers.Conv2D: convolution,
    keras.layers.Cropping2D: cropping,
    keras.layers.DepthwiseConv2D: convolution,
    keras.layers.GlobalAveragePooling2D: global_average,
    keras.layers.MaxPooling2D: max_pool,
    keras.layers.ReLU: relu,
    keras.layers.ZeroPadding2D: zero_padding,
}
