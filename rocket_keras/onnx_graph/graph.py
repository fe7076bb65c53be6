"""An ONNX graph that grows node by node."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rocket_keras.extras import require

OPSET, IR = 17, 9
KEEP_TYPE = frozenset({"Concat", "Expand", "Gather", "Reshape", "Slice", "Tile", "Transpose", "Unsqueeze"})
"""Operators whose result has the type of their first input."""
USER_BATCH = "user_batch"
"""Size of a batch that has one row, or as many as the other inputs."""


class Unwritable(Exception):
    """Something of a net that has no form here; the message names it."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: Its name.
        shape: As Keras has it: channels last, None for the batch; 1 in the batch's place for what a request has once,
            or may have once.
        channels_first: Whether the ONNX tensor has the channels in the second place, as convolutions want them.
        lookup: Where its columns were looked up, if they were and may be folded into the dense layer that reads them.
    """

    name: str
    shape: tuple[int | None, ...]
    channels_first: bool = False
    lookup: "Lookup | None" = field(default=None, compare=False)

    @property
    def once(self) -> bool:
        """Whether a request has it once, for all its candidates, or may have it so."""
        return self.shape[0] == 1


@dataclass(frozen=True)
class Lookup:
    """Embeddings of several fields side by side.

    Attributes:
        ids: Their ids, `(batch, fields)`.
        tables: Each field's rows of the table, `(ids, dim)`.
        path: Path of the layer.
    """

    ids: Value
    tables: tuple[np.ndarray, ...]
    path: str


@dataclass(frozen=True)
class Parts:
    """Columns that are not put side by side as long as no node needs them so.

    Attributes:
        pieces: Values, and the places of each one's columns (last axis) among all.
        shape: Shape of the whole.
    """

    pieces: tuple[tuple[Value, tuple[int, ...]], ...]
    shape: tuple[int | None, ...]


class Graph:
    """Nodes, weights, inputs and the output of one net.

    Args:
        once: Names of the inputs that a request has once, one row for all its candidates.
        fold: Whether small embedding tables are multiplied with the first dense layer ahead of time.
        either: Names of the inputs that have one row, or as many as the others. Every node that brings the two together
            repeats a single row, and takes many as they are.
    """

    def __init__(self, once: Collection[str] = (), fold: bool = False, either: Collection[str] = ()) -> None:
        self.helper = require("onnx", "serve").helper
        self.either, self.fold = frozenset(either), fold
        self.once = frozenset(once) | self.either
        self._joined: dict[Parts, Value] = {}
        self._batch: str | None = None
        self._other_types = set[str]()
        self.nodes: list[Any] = []
        self.weights: dict[str, np.ndarray] = {}
        self.inputs: dict[str, Value] = {}
        self.signature: list[Any] = []
        self.output: Any = None

    def add_input(self, name: str, shape: tuple[int | None, ...], dtype: str) -> None:
        """Add an input of the net's."""
        shape = (1 if name in self.once else None, *shape[1:])
        self.inputs[name] = Value(name, shape)
        if dtype != "float32":
            self._other_types.add(name)
        self.signature.append(self._typed(name, shape, dtype))

    def add_output(self, value: Value, name: str, shape: tuple[int | None, ...]) -> None:
        """Make a value the net's output."""
        name = f"{name}_output" if name in self.inputs else name
        value = self.repeated(self.plain(value))
        self.nodes.append(self.helper.make_node("Identity", [value.name], [name], name))
        self.output = self._typed(name, (None, *shape[1:]), "float32")

    def node(self, op: str, inputs: list[Value | str], shape: Any, **attributes: Any) -> Value:
        """Add a node of one output; `attributes` may hold `channels_first` for the value."""
        channels_first = attributes.pop("channels_first", False)
        name = f"{op}_{len(self.nodes)}"
        names = [value.name if isinstance(value, Value) else value for value in inputs]
        self.nodes.append(self.helper.make_node(op, names, [name], name, **attributes))
        if op in KEEP_TYPE and names[0] in self._other_types:
            self._other_types.add(name)
        return Value(name, tuple(shape), channels_first)

    def weight(self, array: Any, name: str) -> str:
        """Add a constant under that name; one of the same name and content is there once."""
        array = np.asarray(array)
        unique, number = name, 1
        while unique in self.weights and not _same(self.weights[unique], array):
            unique, number = f"{name}_{number}", number + 1
        self.weights[unique] = array
        return unique

    def parts(self, values: Sequence[Value | Parts]) -> Parts:
        """Return columns side by side along the last axis, without a node for it."""
        pieces, begin = list[tuple[Value, tuple[int, ...]]](), 0
        for value in values:
            width = value.shape[-1] or 0
            mine = value.pieces if isinstance(value, Parts) else ((value, tuple(range(width))),)
            pieces += [(piece, tuple(begin + column for column in columns)) for piece, columns in mine]
            begin += width
        first = 1 if all(piece.once for piece, _ in pieces) else None
        return Parts(tuple(pieces), (first, *pieces[0][0].shape[1:-1], begin))

    def joined(self, value: Value | Parts) -> Value:
        """Return the columns as one tensor."""
        if isinstance(value, Value):
            return value
        if value not in self._joined:
            rows = [piece if value.shape[0] == 1 else self.repeated(piece) for piece, _ in value.pieces]
            order = [column for _, columns in value.pieces for column in columns]
            axis = len(value.shape) - 1
            whole = self.node("Concat", list(rows), value.shape, axis=axis) if len(rows) > 1 else rows[0]
            if order != sorted(order):
                index = self.weight(np.argsort(order), f"columns_{len(self._joined)}")
                whole = self.node("Gather", [whole, index], value.shape, axis=axis)
            self._joined[value] = whole
        return self._joined[value]

    def repeated(self, value: Value) -> Value:
        """Return what a request has once as one row a candidate; every other value as it is."""
        if not value.once or not self.once:
            return value
        if self._batch is None:
            many = next((name for name in self.inputs if name not in self.once), None)
            if many is None:
                raise Unwritable("a net whose inputs are all given once a request")
            self._batch = self.node("Shape", [many], (1,), start=0, end=1).name
        sizes = [self.weight(np.array([size], "int64"), f"size_{size}") for size in value.shape[1:]]
        target = self.node("Concat", [self._batch, *sizes], (len(value.shape),), axis=0) if sizes else self._batch
        return self.node("Expand", [value, target], (None, *value.shape[1:]))

    def is_float32(self, value: Value) -> bool:
        """Return whether a value is known to be no input of another type, nor a part of one."""
        return value.name not in self._other_types

    def as_float32(self, value: Value) -> Value:
        """Return the value as layers of float32 take it: Keras casts what else comes."""
        if self.is_float32(value):
            return value
        float32 = int(self.helper.np_dtype_to_tensor_dtype(np.dtype("float32")))
        return self.node("Cast", [value], value.shape, to=float32, channels_first=value.channels_first)

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
        """Return the checked ONNX model: the nodes that the output needs, and their weights."""
        onnx = require("onnx", "serve")
        needed, nodes = {self.output.name}, list[Any]()
        for node in reversed(self.nodes):
            if needed & set(node.output):
                nodes.insert(0, node)
                needed.update(node.input)
        weights = [onnx.numpy_helper.from_array(array, key) for key, array in self.weights.items() if key in needed]
        graph = self.helper.make_graph(nodes, name, self.signature, [self.output], weights)
        opset = [self.helper.make_opsetid("", OPSET)]
        model = self.helper.make_model(graph, opset_imports=opset, ir_version=IR, producer_name="rocket_keras")
        onnx.checker.check_model(model)
        return model

    def _typed(self, name: str, shape: tuple[int | None, ...], dtype: str) -> Any:
        kind = self.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        batch = USER_BATCH if name in self.either else 1 if shape[0] == 1 else "batch"
        sizes = [batch, *(f"{name}_{i}" if size is None else size for i, size in enumerate(shape[1:], 1))]
        return self.helper.make_tensor_value_info(name, kind, sizes)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)
