"""Runs a functional graph on values of another kind, in the order of its layers' calls."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from rocket_keras.columns_by_name import functional_class, goes_by_name
from rocket_keras.onnx_graph.graph import Unwritable

Place = tuple[str, int, int]


def run_graph(model: keras.Model, inputs: Sequence[Any], call: Callable[..., Any]) -> list[Any]:
    """Return the values of the model's outputs.

    Args:
        model: Functional model; a Sequential one is run layer by layer.
        inputs: A value for each of `model.inputs`.
        call: `(layer, *args, **kwargs) -> value`, with values in the place of tensors.

    Raises:
        Unwritable: The model has no graph.
    """
    if isinstance(model, keras.Sequential):
        (value,) = inputs
        for layer in model.layers:
            value = call(layer, value)
        return [value]
    config = model.get_config()
    if "output_layers" not in config:
        raise Unwritable(f"the subclassed model {model.name!r}")
    operations = {operation.name: operation for operation in model.operations}
    nodes = {entry["name"]: entry["inbound_nodes"] for entry in config["layers"]}
    # An input without a name of its own is called otherwise than its layer.
    places = {id(o.output): (o.name, 0, 0) for o in model.operations if isinstance(o, keras.layers.InputLayer)}
    values: dict[Place, Any] = {places[id(t)]: value for t, value in zip(model.inputs, inputs, strict=True)}
    # In this list alone Keras counts the calls of a functional net from 1: the first is its own graph.
    outputs = [
        (name, number - isinstance(operations[name], functional_class()), output)
        for name, number, output in _places(config["output_layers"])
    ]
    if any(output for *_, output in outputs):
        raise Unwritable("the second output of a layer as that of the net")
    waiting = list(outputs)
    while waiting:
        place = waiting[-1]
        name, number, _ = place
        node = nodes[name][number] if place not in values else None
        missing = [] if node is None else [p for p in _tensors([node["args"], node["kwargs"]]) if p not in values]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if node is not None:
            args, kwargs = _filled(node["args"], values), _filled(node["kwargs"], values)
            values[(name, number, 0)] = call(operations[name], *args, **kwargs)
    return [values[place] for place in outputs]


def has_own_call(model: keras.Model) -> bool:
    """Return whether a model's class does something else than to run its graph."""
    return type(model).call not in (functional_class().call, keras.Sequential.call) and not goes_by_name(model)


def _places(structure: Any) -> list[Place]:
    """Read a config's `output_layers`: one place, or a list or dict of them."""
    if isinstance(structure, dict):
        return [place for value in structure.values() for place in _places(value)]
    if len(structure) == 3 and isinstance(structure[0], str):
        return [(structure[0], structure[1], structure[2])]
    return [place for value in structure for place in _places(value)]


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _place(value: dict[str, Any]) -> Place:
    name, number, output = value["config"]["keras_history"]
    if output:
        raise Unwritable(f"the second output of the layer {name!r}")
    return (name, number, output)


def _tensors(value: Any) -> list[Place]:
    if _is_tensor(value):
        return [_place(value)]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [place for part in parts for place in _tensors(part)]


def _filled(value: Any, values: dict[Place, Any]) -> Any:
    """Put values in the place of tensors."""
    if _is_tensor(value):
        return values[_place(value)]
    if isinstance(value, dict):
        return {key: _filled(part, values) for key, part in value.items()}
    return [_filled(part, values) for part in value] if isinstance(value, list | tuple) else value
