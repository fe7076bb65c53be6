"""A net's architecture as plain values, by which two builds, two processes and two versions of a script are compared.

Names that Keras counts up, random seeds and weights are left out; layers, settings, connections and the code of the
user's own layers and functions are in.
"""

import base64
import contextlib
import hashlib
import inspect
import itertools
import json
import marshal
import types
import warnings
from collections.abc import Mapping
from typing import Any

import keras

LONG = 32
"""Items of a list of numbers above which its hash stands for it: pretrained tables are settings, too."""
SHOWN = 80
"""Characters of a value in a message."""
_OURS = ("keras", "rocket_keras", "zoo", "tuning", "builtins", "abc", "typing")
_UNSAVED = (NotImplementedError, OSError)
"""What `get_config` raises for a layer that has none, and for a lambda that was typed into a shell."""
_DROPPED = ("module", "seed", "compile_config", "build_config")


def describe_net(net: keras.Model) -> dict[str, Any]:
    """Return a net's architecture as JSON values: two nets that compute the same from the same weights have the same.

    Args:
        net: A functional or sequential model.

    Returns:
        By number and class of each layer its settings and what it is called on; then `inputs` and `outputs`. A layer
        without `get_config` has the shapes of its weights for settings, and the connections are left out.
    """
    graph = keras.Model(net.inputs, net.outputs) if isinstance(net, keras.Sequential) else net
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of every lambda, which is not loaded here
        try:
            config: dict[str, Any] = graph.get_config()
        except _UNSAVED:
            config = {"layers": [_without_graph(layer) for layer in graph.layers]}
    keys = {entry["name"]: f"layer {i} {entry['class_name']}" for i, entry in enumerate(config["layers"])}
    # Requests are fed by the names of the inputs, so these are kept.
    names = {**keys, **{tensor.name: tensor.name for tensor in graph.inputs}}
    found: dict[str, Any] = {}
    for entry in config["layers"]:
        settings = _plain({key: value for key, value in entry["config"].items() if key != "name"}, names)
        found[keys[entry["name"]]] = {**settings, "called on": _plain(entry.get("inbound_nodes"), names)}
    for layer in graph.layers:
        code = _own_code(layer)
        if code and layer.name in keys:
            found[keys[layer.name]]["code"] = code
    inputs = {tensor.name: [list(tensor.shape[1:]), str(tensor.dtype)] for tensor in graph.inputs}
    return {**found, "inputs": inputs, "outputs": _plain(_references(config.get("output_layers"), names), names)}


def architecture(net: keras.Model) -> str:
    """Return a hash of a net's architecture, whatever its layers are called."""
    return digest(describe_net(net))


def digest(value: Any) -> str:
    """Return a hash of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:32]


def first_difference(before: Any, now: Any, where: str = "") -> str:
    """Say where two plain values differ, "" if nowhere: `layer 2 Dense, activation: relu before, tanh now`."""
    if before == now:
        return ""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in [*before, *(key for key in now if key not in before)]:
            if before.get(key) != now.get(key):
                return first_difference(before.get(key), now.get(key), f"{where}, {key}" if where else str(key))
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return next(found for a, b in zip(before, now, strict=True) if (found := first_difference(a, b, where)))
    return f"{where}: {_short(before)} before, {_short(now)} now"


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _without_graph(layer: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"weights": [list(variable.shape) for variable in layer.variables]}
    with contextlib.suppress(*_UNSAVED):
        config = layer.get_config()
    return {"name": layer.name, "class_name": type(layer).__name__, "config": config}


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    """Return a part of a configuration without names that are counted up, seeds and long lists.

    Args:
        value: The part.
        names: What stands for the name of each layer of the graph around it.
    """
    if isinstance(value, Mapping):
        if value.get("class_name") == "__lambda__":
            return {"lambda": _lambda_code(value["config"])}
        nested = value.get("layers")
        if isinstance(nested, list) and all(isinstance(entry, dict) and "config" in entry for entry in nested):
            names = {_name_of(entry): f"layer {i}" for i, entry in enumerate(nested)}
            nested = [{**entry, "name": "", "config": {**entry["config"], "name": ""}} for entry in nested]
            value = {**value, "layers": nested}
        found = {}
        for key, item in value.items():
            # Only layers are named freely: the name of a dtype policy is what it is.
            if key in _DROPPED or (key == "name" and ("trainable" in value or "inbound_nodes" in value)):
                continue
            if key in ("keras_history", "input_layers", "output_layers"):
                item = _references(item, names)
            found[str(key)] = _plain(item, names)
        return found
    if isinstance(value, list | tuple):
        if len(value) > LONG or (value and isinstance(value[0], list | tuple) and _numbers(value) > LONG):
            return f"{len(value)} items, {digest([_plain(item, names) for item in value])}"
        return [_plain(item, names) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), names)
    return value if value is None or isinstance(value, bool | int | float | str) else type(value).__name__


def _numbers(value: Any) -> int:
    return sum(map(_numbers, value)) if isinstance(value, list | tuple) else 1


def _name_of(entry: Mapping[str, Any]) -> str:
    return entry.get("name") or entry["config"].get("name", "")


def _references(value: Any, names: Mapping[str, str]) -> Any:
    """Replace the names of layers in what refers to tensors: `[layer, node, tensor]` in any structure."""
    if isinstance(value, Mapping):
        return {key: _references(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_references(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _own_code(layer: Any) -> str:
    """Return a hash of the user's code in a layer and the layers in it: their classes, and functions they hold."""
    parts = []
    for item in [layer, *getattr(layer, "layers", ())]:
        functions = [value for _, value in sorted(vars(item).items()) if isinstance(value, types.FunctionType)]
        for kind in itertools.takewhile(_is_users, type(item).__mro__):
            functions += [value for _, value in sorted(vars(kind).items()) if isinstance(value, types.FunctionType)]
        parts += [_code(inspect.unwrap(function).__code__) for function in functions if _is_users(function)]
    return digest(parts) if parts else ""


def _is_users(item: Any) -> bool:
    return (getattr(item, "__module__", None) or "").partition(".")[0] not in _OURS


def _lambda_code(config: Any) -> Any:
    """Return the code of a Keras `Lambda` without the file and line where it stands."""
    if not isinstance(config, Mapping):
        config = dict(zip(("code", "defaults", "closure"), config, strict=False))
    # Keras marshalled this code in this process, out of the layer's own function.
    code = marshal.loads(base64.b64decode(config["code"]))
    return [_code(code), digest([config.get("defaults"), config.get("closure")])]


def _code(code: types.CodeType) -> str:
    constants = [_code(item) if isinstance(item, types.CodeType) else repr(item) for item in code.co_consts]
    return digest([code.co_code.hex(), constants, code.co_names])
