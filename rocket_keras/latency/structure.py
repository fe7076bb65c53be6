"""The structure of an exported graph: nets that have it in common take the same time, whatever their weights are."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.extras import require


def graph_structure(path: str | Path) -> str:
    """Return a hash of an ONNX file's graph: operators, connections, shapes and types, whatever the tensors are called.

    Weights count with their shapes alone; whole numbers, such as the axes of a sum, with their values.
    """
    onnx = require("onnx", "serve")
    graph = onnx.load(str(path)).graph
    numbers = dict[str, int]()

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    def constant(weight: Any) -> tuple[int, int, list[int], str]:
        array = onnx.numpy_helper.to_array(weight)
        values = array.tobytes().hex() if np.issubdtype(array.dtype, np.integer) and array.ndim < 2 else ""
        return number(weight.name), weight.data_type, list(weight.dims), values

    kinds = [(value.name, value.type.tensor_type) for value in graph.input]
    inputs = [(number(n), kind.elem_type, [d.dim_param or d.dim_value for d in kind.shape.dim]) for n, kind in kinds]
    nodes = [
        (
            node.op_type,
            list(map(number, node.input)),
            list(map(number, node.output)),
            sorted(attribute.SerializeToString().hex() for attribute in node.attribute),
        )
        for node in graph.node
    ]
    whole = [inputs, nodes, sorted(map(constant, graph.initializer)), [number(value.name) for value in graph.output]]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]
