"""Whether another process can load a net from a file that names its layers."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras

from rocket_keras.net_copy import functions_of, is_graph

# What the classes of users raise, beside Keras.
_OF_CLASSES = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def check_loadable(net: keras.Model) -> None:
    """Make sure that a file with the net's configuration can be loaded where its registered layers are imported.

    Raises:
        ValueError: A layer holds a Python function or is of a class that is not registered. One line, which names it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lambdas: they are refused
        for layer in _made_apart(net):
            if cause := _cause(layer):
                _refuse(f"{type(layer).__name__} {layer.name!r} ({cause})")
        for name in _called_with_functions(net.get_config()):
            _refuse(f"{name!r} (it is called with a function)")


def _refuse(received: str) -> None:
    raise ValueError(
        f"expected layers that a file can name, received {received}; register its class and functions with "
        "keras.saving.register_keras_serializable, and write a Lambda as a layer of its own"
    )


def _made_apart(net: Any) -> list[Any]:
    """Return the layers and other operations of a net and of nets in it, each of which its own class makes."""
    if not is_graph(net):
        return [net]
    inner = [inner for layer in getattr(net, "operations", net.layers) for inner in _made_apart(layer)]
    return inner if type(net).__module__.startswith("keras.") else [*inner, net]


def _called_with_functions(config: Any) -> Iterator[str]:
    """Yield the names of the operations that a net's configuration says are called with a Python function."""
    if isinstance(config, dict):
        if "inbound_nodes" in config and _has_function(config["inbound_nodes"]):
            yield config["name"]
        config = list(config.values())
    if isinstance(config, list | tuple):
        for part in config:
            yield from _called_with_functions(part)


def _has_function(value: Any) -> bool:
    if isinstance(value, dict):
        if value.get("class_name") in ("__lambda__", "function"):
            return True
        value = list(value.values())
    return isinstance(value, list | tuple) and any(_has_function(part) for part in value)


def _cause(layer: Any) -> str:
    """Say why a layer cannot be made from its configuration; "" where it can."""
    try:
        config = keras.saving.serialize_keras_object(layer)
        # Neither built nor compiled: only what makes it is of interest.
        parts = {key: value for key, value in config.items() if key not in ("build_config", "compile_config")}
        again = keras.saving.deserialize_keras_object(parts, safe_mode=True)
    except _OF_CLASSES as error:
        return _short(error)
    if type(again) is not type(layer):
        return f"a file names another class, {type(again).__module__}.{type(again).__name__}"
    others = functions_of(again)
    for name, function in functions_of(layer).items():
        if name in others and _code(others[name]) is not _code(function):
            return f"its {name} is not the function of that name that a file leads to"
    return ""


def _code(function: Any) -> Any:
    return getattr(function, "__code__", function)


def _short(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line.split(". ", maxsplit=1)[0].rstrip(".")
