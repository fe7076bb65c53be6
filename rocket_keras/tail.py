"""A light net from where it leaves the booster, as one layer of a fleet's joint graph."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras

from rocket_keras.graph import Call


class Tail(keras.layers.Layer):
    """Makes a light net's own calls on tensors of the booster.

    It differs from a nested `keras.Model` in that its layers may have the names of other nets' layers, and in speed:
    under PyTorch such a model costs as much as three dense layers beside its own layers.

    Args:
        calls: The calls, in an order in which they can be made.
        output: The result that is the net's output, or one of the tensors that are not results of these calls.
        tensors: All tensors of the booster's graph that the calls may read, and its inputs.
        name: The layer's name.

    Attributes:
        read: Those of the tensors that are read; what the layer is called on.

    Call arguments:
        inputs: List of their values, in this order.

    Returns:
        The output's value, `(batch, ...)`.
    """

    def __init__(
        self, calls: Sequence[Call], output: keras.KerasTensor, tensors: Sequence[keras.KerasTensor], name: str
    ):
        super().__init__(name=name, autocast=False)
        given = {id(tensor): tensor for tensor in tensors}
        leaves = [*(leaf for call in calls for leaf in keras.tree.flatten((call.args, call.kwargs))), output]
        read = {id(leaf): leaf for leaf in leaves if id(leaf) in given}
        # A namespace: Keras would take the calls for structures of its own.
        self._graph = SimpleNamespace(calls=list(calls), output=output, read=list(read.values()))
        self.layers = [layer for layer in {id(c.layer): c.layer for c in calls}.values() if _is_layer(layer)]
        self.built = True

    @property
    def read(self) -> list[keras.KerasTensor]:
        """Tensors that the layer is called on."""
        return self._graph.read

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        """Make the calls."""
        values = {id(tensor): value for tensor, value in zip(self._graph.read, inputs, strict=True)}

        for layer, args, kwargs, result in self._graph.calls:
            options = _filled(kwargs, values)
            # As in a functional model: Keras noted the mode in which the graph was built.
            if training is not None and "training" in options:
                options["training"] = training
            found = layer(*_filled(args, values), **options)
            for tensor, value in zip(keras.tree.flatten(result), keras.tree.flatten(found), strict=True):
                values[id(tensor)] = value
        return values[id(self._graph.output)]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Return none: masks come with the tensors, and the output has the one that the layers gave it."""


def _is_layer(operation: Any) -> bool:
    return isinstance(operation, keras.layers.Layer)


def _filled(part: Any, values: dict[int, Any]) -> Any:
    """Return the arguments with values for tensors; `keras.tree` takes longer than a small layer."""
    if isinstance(part, dict):
        return {key: _filled(item, values) for key, item in part.items()}
    if isinstance(part, list | tuple):
        return type(part)([_filled(item, values) for item in part])
    return values.get(id(part), part)
