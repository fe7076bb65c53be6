"""The light nets of a fleet, each from where it leaves the booster, as one layer of the joint graph."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras

from rocket_keras.graph import Call


class LightNets(keras.layers.Layer):
    """Makes the light nets' own calls on tensors of the booster.

    It differs from a `keras.Model` in that layers of different light nets may have the same name, and in speed: under
    PyTorch a model in the graph costs as much as three dense layers, and there is one a light net.

    Args:
        calls: The calls, in an order in which they can be made.
        outputs: For each light net the result that is its output, or one of `tensors`.
        tensors: What is no result of these calls: tensors of the booster's graph, and inputs.

    Attributes:
        read: Those of the tensors that are read; what the layer is called on.

    Call arguments:
        inputs: List of their values, in this order.

    Returns:
        The outputs' values by name, `(batch, ...)` each.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        outputs: Mapping[str, keras.KerasTensor],
        tensors: Sequence[keras.KerasTensor],
        **kwargs: Any,
    ):
        super().__init__(autocast=False, **kwargs)
        given = {id(tensor): tensor for tensor in tensors}
        leaves = [leaf for call in calls for leaf in keras.tree.flatten((call.args, call.kwargs))]
        read = {id(leaf): leaf for leaf in [*leaves, *outputs.values()] if id(leaf) in given}
        # A namespace: Keras would take the calls for structures of its own.
        self._graph = SimpleNamespace(calls=list(calls), outputs=dict(outputs), read=list(read.values()))
        layers = {id(call.layer): call.layer for call in calls}.values()
        self.layers = [layer for layer in layers if isinstance(layer, keras.layers.Layer)]
        self.built = True

    @property
    def read(self) -> list[keras.KerasTensor]:
        """Tensors that the layer is called on."""
        return self._graph.read

    def call(self, inputs: list[Any], training: bool | None = None) -> dict[str, Any]:
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
        return {name: values[id(output)] for name, output in self._graph.outputs.items()}

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Return none: masks come with the tensors, and an output has the one that the layers gave it."""


def _filled(part: Any, values: dict[int, Any]) -> Any:
    """Return the arguments with values for tensors; `keras.tree` takes longer than a small layer."""
    if isinstance(part, dict):
        return {key: _filled(item, values) for key, item in part.items()}
    if isinstance(part, list | tuple):
        return type(part)([_filled(item, values) for item in part])
    return values.get(id(part), part)
