"""An ONNX graph in three: what is computed of a candidate alone, of the user alone, and what needs both.

It is meant for graphs that `write_onnx` wrote: an operator that is not known to compute each row for itself counts as
one that needs both.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rocket_keras.extras import require

CONSTANT, CANDIDATE, USER, BOTH = "constant", "candidate", "user", "both"
ROW_BY_ROW = frozenset({
    "Add", "Cast", "Concat", "Div", "Gather", "Gemm", "GreaterOrEqual", "Identity", "Less", "MatMul", "Max", "Mean",
    "Min", "Mod", "Mul", "PRelu", "ReduceSum", "Relu", "Reshape", "Sigmoid", "Slice", "Softplus", "Sqrt", "Sub", "Tanh",
    "Tile", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
"""Operators that, as `write_onnx` uses them, compute each row (axis 0) of their result from the same row."""
WORTH_IT = 4096
"""Multiply-adds a candidate that take longer than to run the graph in three parts, of hundreds of candidates."""


@dataclass(frozen=True)
class Sides:
    """A graph in three: a candidate's own part, the user's own part, and the rest.

    Attributes:
        candidate: Tensors that are computed of a candidate alone, one row each; inputs may be among them.
        user: Tensors that are computed of the user alone.
    """

    candidate: tuple[str, ...]
    user: tuple[str, ...]
    _model: Any
    _nodes: tuple[Any, ...]
    _rest: tuple[Any, ...]

    @property
    def output(self) -> tuple[str, ...]:
        """The net's output."""
        return (self._model.graph.output[0].name,)

    def input_types(self) -> dict[str, tuple[Any, list[Any]]]:
        """Return NumPy type and shape of each input."""
        to_numpy = require("onnx", "serve").helper.tensor_dtype_to_np_dtype
        kinds = {value.name: value.type.tensor_type for value in self._model.graph.input}
        return {
            name: (to_numpy(kind.elem_type), [size.dim_param or size.dim_value for size in kind.shape.dim])
            for name, kind in kinds.items()
        }

    def part(self, ends: Sequence[str]) -> Any:
        """Return the model that computes those of these tensors that are no inputs; None where all are."""
        values = {value.name: value for value in self._model.graph.input}
        ends = [name for name in ends if name not in values]
        nodes = _needed(self._nodes, ends)
        used = {name for node in nodes for name in node.input}
        value_info = require("onnx", "serve").ValueInfoProto
        outputs = [value_info(name=name) for name in ends]
        return self._written(nodes, [values[name] for name in values if name in used], outputs) if ends else None

    def rest(self, types: Mapping[str, tuple[Any, Sequence[Any]]]) -> Any:
        """Return the model from those tensors to the output.

        Args:
            types: NumPy type and shape of each of them.
        """
        helper = require("onnx", "serve").helper
        kinds = {name: helper.np_dtype_to_tensor_dtype(np.dtype(types[name][0])) for name in types}
        inputs = [helper.make_tensor_value_info(n, kinds[n], types[n][1]) for n in (*self.candidate, *self.user)]
        return self._written(self._rest, inputs, self._model.graph.output[:1])

    def _written(self, nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        helper, model = require("onnx", "serve").helper, self._model
        used = {name for node in nodes for name in node.input}
        weights = [weight for weight in model.graph.initializer if weight.name in used]
        graph = helper.make_graph(nodes, model.graph.name, inputs, outputs, weights)
        return helper.make_model(graph, opset_imports=list(model.opset_import), ir_version=model.ir_version)


def split_by_side(model: Any, mine: Collection[str]) -> Sides | None:
    """Split a model of one output; None where a candidate's own part is not worth it.

    Args:
        model: The ONNX model.
        mine: Names of the inputs that each candidate has its own row of; the others are the user's, of one row.
    """
    graph = model.graph
    weights = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    side = dict.fromkeys(weights, CONSTANT)
    side |= {value.name: CANDIDATE if value.name in mine else USER for value in graph.input}
    nodes = list[Any]()
    for whole in graph.node:
        for node in _terms(whole, side):
            nodes.append(node)
            side.update(dict.fromkeys(node.output, _side(node, side)))
    output = graph.output[0].name
    rest = _needed([node for node in nodes if side[node.output[0]] in (BOTH, CONSTANT)], [output])
    rows = {name for node in rest if node.op_type != "Shape" for name in node.input if side[name] == CANDIDATE}
    kernels = [
        weights.get(node.input[1], ())
        for node in nodes
        if node.op_type in ("Gemm", "MatMul") and side[node.output[0]] == CANDIDATE
    ]
    multiply_adds = sum(math.prod(shape) for shape in kernels if shape)
    if side[output] != BOTH or not rows or multiply_adds < WORTH_IT:
        return None
    rest = [_of_rows(node, side, min(rows)) for node in rest]
    used = {name for node in rest for name in node.input}
    candidate, user = (tuple(sorted(name for name in used if side[name] == kind)) for kind in (CANDIDATE, USER))
    return Sides(candidate, user, model, tuple(nodes), tuple(rest))


def _of_rows(node: Any, side: Mapping[str, str], rows: str) -> Any:
    """Return a node that asks how many candidates there are as one that asks it of their own part."""
    if node.op_type != "Shape" or side[node.input[0]] != CANDIDATE:
        return node
    asked = type(node)()
    asked.CopyFrom(node)
    asked.input[0] = rows
    return asked


def _terms(node: Any, side: Mapping[str, str]) -> Iterator[Any]:
    """Give a node; or a product and a sum for a product whose bias is of another side."""
    if node.op_type != "Gemm" or len(node.input) < 3 or node.attribute:
        yield node
        return
    x, kernel, bias = node.input
    if side[kernel] != CONSTANT or side[bias] in (CONSTANT, side[x]):
        yield node
        return
    helper, product = require("onnx", "serve").helper, f"{node.output[0]}/product"
    yield helper.make_node("MatMul", [x, kernel], [product], product)
    yield helper.make_node("Add", [product, bias], node.output, node.name)


def _side(node: Any, side: Mapping[str, str]) -> str:
    found = {side[name] for name in node.input if name} - {CONSTANT}
    if len(found) > 1 or BOTH in found:
        return BOTH
    if found == {CANDIDATE} and node.op_type not in ROW_BY_ROW:
        return BOTH
    return found.pop() if found else CONSTANT


def _needed(nodes: Sequence[Any], ends: Collection[str]) -> list[Any]:
    """Return the nodes that these tensors need, in their order."""
    needed, kept = set(ends), list[Any]()
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.insert(0, node)
            needed.update(node.input)
    return kept
