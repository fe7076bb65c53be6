"""Folds a finished BatchNorm, a scale and an offset a channel, into the product before or after it."""

from collections import Counter
from typing import Any

import numpy as np

from rocket_keras.onnx_graph.graph import Graph


def fold_batch_norms(graph: Graph) -> None:
    """Rewrite the graph's nodes; what is computed stays the same up to rounding.

    A convolution or dense layer takes up the BatchNorm that alone reads it, and a dense layer the one that it alone
    reads. An activation or a padding between the two keeps them apart.
    """
    while any(_fold(graph, node) for node in list(graph.nodes)):
        pass


def _fold(graph: Graph, node: Any) -> bool:
    """Fold what begins at this node; return whether there was something."""
    if node.op_type == "BatchNormalization":
        scale, offset = (graph.weights[name] for name in node.input[1:3])
        return _into_the_product_before(graph, node.input[0], [node], scale, offset)
    if node.op_type != "Mul" or not _is_factor(graph, node, 1):
        return False
    (add, *others) = _readers(graph, node.output[0])
    if others or add.op_type != "Add" or not _is_factor(graph, add, 1):
        return False
    scale, offset = graph.weights[node.input[1]], graph.weights[add.input[1]]
    before = _into_the_product_before(graph, node.input[0], [node, add], scale, offset)
    return before or _into_the_product_after(graph, [node, add], scale, offset)


def _into_the_product_before(graph: Graph, name: str, norm: list[Any], scale: np.ndarray, offset: np.ndarray) -> bool:
    product = next((node for node in graph.nodes if name in node.output), None)
    if product is None or product.op_type not in ("Conv", "Gemm") or len(_readers(graph, name)) > 1:
        return False
    constants = list(product.input)[1:]
    if not all(constant in graph.weights for constant in constants):
        return False
    kernel, *bias = (graph.weights[constant] for constant in constants)
    # Channels of a product are its kernel's last axis, those of a convolution its first.
    kernel = kernel * scale if product.op_type == "Gemm" else kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
    _set_constants(graph, product, kernel, (bias[0] if bias else 0.0) * scale + offset)
    product.output[0] = norm[-1].output[0]
    _remove(graph, norm)
    return True


def _into_the_product_after(graph: Graph, norm: list[Any], scale: np.ndarray, offset: np.ndarray) -> bool:
    (product, *others) = _readers(graph, norm[-1].output[0])
    if others or product.op_type != "Gemm" or product.input[0] != norm[-1].output[0]:
        return False
    constants = list(product.input)[1:]
    if not all(constant in graph.weights for constant in constants):
        return False
    kernel, *bias = (graph.weights[constant] for constant in constants)
    _set_constants(graph, product, kernel * scale[:, None], (bias[0] if bias else 0.0) + offset @ kernel)
    product.input[0] = norm[0].input[0]
    _remove(graph, norm)
    return True


def _is_factor(graph: Graph, node: Any, place: int) -> bool:
    """Return whether that input is a constant a channel."""
    constant = graph.weights.get(node.input[place])
    return constant is not None and constant.ndim == 1


def _readers(graph: Graph, name: str) -> list[Any]:
    return [node for node in graph.nodes for _ in range(Counter(node.input)[name])]


def _set_constants(graph: Graph, product: Any, kernel: np.ndarray, bias: np.ndarray) -> None:
    names = [graph.weight(kernel.astype("float32"), f"{product.input[1]}/normalised")]
    names += [graph.weight(bias.astype("float32"), f"{product.input[1]}/offset")]
    first = product.input[0]
    del product.input[:]
    product.input.extend([first, *names])


def _remove(graph: Graph, nodes: list[Any]) -> None:
    for node in nodes:
        graph.nodes.remove(node)
