"""An ONNX graph that grows node by node."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rocket_keras.extras import require

OPSET, IR = 17, 9


class Unwritable(Exception):
    """Something of a net that has no form here; the message names it."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: Its name.
        shape: As Keras has it: channels last, None for the batch.
        channels_first: Whether the ONNX tensor has the channels in the second place, as convolutions want them.
    """

    name: str
    shape: tuple[int | None, ...]
    channels_first: bool = False


class Graph:
    """Nodes, weights, inputs and the output of one net."""

    def __init__(self) -> None:
        self.helper = require("onnx", "serve").helper
        self.nodes: list[Any] = []
        self.weights: dict[str, np.ndarray] = {}
        self.inputs: dict[str, Value] = {}
        self.signature: list[Any] = []
        self.output: Any = None

    def add_input(self, name: str, shape: tuple[int | None, ...], dtype: str) -> None:
        """Add an input of the net's."""
        self.inputs[name] = Value(name, tuple(shape))
        self.signature.append(self._typed(name, tuple(shape), dtype))

    def add_output(self, value: Value, name: str, shape: tuple[int | None, ...]) -> None:
        """Make a value the net's output."""
        name = f"{name}_output" if name in self.inputs else name
        self.nodes.append(self.helper.make_node("Identity", [self.plain(value).name], [name], name))
        self.output = self._typed(name, tuple(shape), "float32")

    def node(self, op: str, inputs: list[Value | str], shape: Any, **attributes: Any) -> Value:
        """Add a node of one output; `attributes` may hold `channels_first` for the value."""
        channels_first = attributes.pop("channels_first", False)
        name = f"{op}_{len(self.nodes)}"
        names = [value.name if isinstance(value, Value) else value for value in inputs]
        self.nodes.append(self.helper.make_node(op, names, [name], name, **attributes))
        return Value(name, tuple(shape), channels_first)

    def weight(self, array: Any, name: str) -> str:
        """Add a constant under that name; one of the same name and content is there once."""
        array = np.asarray(array)
        unique, number = name, 1
        while unique in self.weights and not _same(self.weights[unique], array):
            unique, number = f"{name}_{number}", number + 1
        self.weights[unique] = array
        return unique

    def plain(self, value: Value) -> Value:
        """Return the value with its channels last."""
        if not value.channels_first:
            return value
        return self.node("Transpose", [value], value.shape, perm=[0, 2, 3, 1])

    def image(self, value: Value) -> Value:
        """Return an image's value with its channels in the second place."""
        if value.channels_first:
            return value
        if len(value.shape) != 4:
            raise Unwritable(f"an image of shape {value.shape}")
        return self.node("Transpose", [value], value.shape, perm=[0, 3, 1, 2], channels_first=True)

    def alike(self, values: list[Value]) -> list[Value]:
        """Return values that go into one node, all with their channels in the same place."""
        if all(value.channels_first for value in values):
            return values
        return [self.plain(value) for value in values]

    def to_model(self, name: str) -> Any:
        """Return the checked ONNX model."""
        onnx = require("onnx", "serve")
        weights = [onnx.numpy_helper.from_array(array, key) for key, array in self.weights.items()]
        graph = self.helper.make_graph(self.nodes, name, self.signature, [self.output], weights)
        opset = [self.helper.make_opsetid("", OPSET)]
        model = self.helper.make_model(graph, opset_imports=opset, ir_version=IR, producer_name="rocket_keras")
        onnx.checker.check_model(model)
        return model

    def _typed(self, name: str, shape: tuple[int | None, ...], dtype: str) -> Any:
        kind = self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        sizes = ["batch", *(f"{name}_{i}" if size is None else size for i, size in enumerate(shape[1:], 1))]
        return self.helper.make_tensor_value_info(name, kind, sizes)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)
