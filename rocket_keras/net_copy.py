"""Copies of nets in memory, each with variables and a state of its own.

Keras's `from_config` looks classes and functions up by their names and leaves what was learnt behind. Here a layer is
made anew by its own class with its own functions, and is then given all that the original has learnt.
"""

import functools
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from rocket_keras.columns_by_name import by_name, functional_class, goes_by_name
from rocket_keras.graph import run_again
from rocket_keras.layers.frozen import Frozen
from rocket_keras.net_state import copy_state, pairs_inside


def copy_net(net: keras.Model, replaced: Mapping[int, Any] | None = None) -> keras.Model:
    """Return a copy of a net that computes the same and has variables of its own.

    Args:
        net: Any model that is built.
        replaced: For the id of a layer of its graph the one to use instead.

    Raises:
        ValueError: A layer cannot be made anew. One line, which names it.
    """
    copier = Copier(replaced)
    copied = copier.copy(net)
    copier.copy_states()
    if not replaced and len(copied.weights) != len(net.weights):
        raise ValueError(
            f"expected a copy of {net.name!r} with {len(net.weights)} weights, received {len(copied.weights)}; a layer "
            "that another layer keeps and that the graph calls as well is copied twice: call it in one of them"
        )
    return copied


class Copier:
    """Makes layers anew, each once, and gives them what the originals have learnt when it is asked to.

    Args:
        made: For the id of a layer the one that stands in for it; further ones are added.
        rename: From a layer to the name of its copy; by default its own.
    """

    def __init__(self, made: Mapping[int, Any] | None = None, rename: Callable[[Any], str] = lambda layer: layer.name):
        self.made = dict(made or {})
        self.rename = rename
        self.pairs: list[tuple[keras.layers.Layer, keras.layers.Layer]] = []
        self.originals: list[Any] = []  # kept, so that no other object gets the id of one

    def copy(self, operation: Any) -> Any:
        """Return the copy of a layer, a net, or another operation of a graph; its state is fresh."""
        if id(operation) not in self.made:
            self.originals.append(operation)
            self.made[id(operation)] = self._copied(operation)
        return self.made[id(operation)]

    def copy_states(self) -> None:
        """Give the copies what the originals have learnt; they are built by then."""
        # From the outside to the inside, as a layer that is frozen freezes those in it.
        for layer, copied in reversed(self.pairs):
            _set_trainable(layer, copied)
            if is_graph(layer):
                continue  # its layers are pairs themselves
            copy_state(layer, copied)
            for inner, twin in pairs_inside(layer, copied):
                _set_trainable(inner, twin)
            for variable, twin in zip(layer.variables, copied.variables, strict=True):
                _set_trainable(variable, twin)

    def _copied(self, operation: Any) -> Any:
        if not isinstance(operation, keras.layers.Layer):
            return _operation(operation)
        copied = self._net(operation) if is_graph(operation) else self._layer(operation)
        self.pairs.append((operation, copied))
        return copied

    def _net(self, net: Any) -> keras.Model:
        """Copy a functional or Sequential model layer by layer."""
        name = self.rename(net)
        if isinstance(net, keras.Sequential):
            inputs = [_input(net.inputs[0])] if getattr(net, "inputs", None) else []
            return keras.Sequential([*inputs, *(self.copy(layer) for layer in net.layers)], name=name)
        inputs = keras.tree.map_structure(_input, net.input)
        kind = functional_class() if goes_by_name(net) else type(net)
        copied = kind(inputs, run_again(net, inputs, self.copy), name=name)
        return by_name(copied) if goes_by_name(net) else copied

    def _layer(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Make one layer anew by its own class."""
        try:
            copied = self._made(layer)
        except Exception as error:  # whatever the class of a user raises
            cause = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ValueError(
                f"expected layers that can be copied, received {type(layer).__name__} {layer.name!r} ({cause}); give "
                "it a get_config() from which its class makes it anew"
            ) from error
        copied.name = self.rename(layer)
        if copied.dtype_policy != layer.dtype_policy:
            copied.dtype_policy = layer.dtype_policy
        for inner, twin in _pairs_so_far(layer, copied):
            twin.name = inner.name if inner is not layer else twin.name
            for name, function in functions_of(inner).items():
                if vars(twin).get(name) is not function:
                    setattr(twin, name, function)
        return copied

    def _made(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = type(layer)
        if isinstance(layer, Frozen):
            return kind([self.copy(net) for net in layer.nets], name=layer.name, dtype=layer.dtype_policy)
        if isinstance(layer, keras.layers.Lambda) and _same(kind, keras.layers.Lambda, "__init__"):
            base = keras.layers.Layer.get_config(layer)
            options = {key: vars(layer)[name] for key, name in _LAMBDA.items()}
            return kind(**base, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lambdas, which are dangerous in files alone
            config = _accepted(kind, layer.get_config())
        if isinstance(layer, keras.layers.Wrapper) and _same(kind, keras.layers.Wrapper, "from_config"):
            return kind(self.copy(layer.layer), **{key: value for key, value in config.items() if key != "layer"})
        with keras.saving.custom_object_scope(_own_objects(layer)):
            try:
                return kind.from_config(dict(config))
            except Exception:
                # A lambda has no name to be looked up by: the constructor takes it as it is.
                live = {key: function for key, function in functions_of(layer).items() if key in config}
                if not live:
                    raise
                return kind.from_config({**config, **live})


_EVERY_LAYER = ("name", "trainable", "dtype")
_LAMBDA = {"function": "function", "output_shape": "_output_shape", "mask": "mask", "arguments": "arguments"}


def _pairs_so_far(layer: keras.layers.Layer, copied: keras.layers.Layer) -> list[tuple[Any, Any]]:
    """Return what `pairs_inside` does; of a copy that makes the layers in it when it is built, the two alone."""
    try:
        return pairs_inside(layer, copied)
    except ValueError:
        if copied.built:
            raise
        return [(layer, copied)]


def _set_trainable(source: Any, target: Any) -> None:
    if target.trainable != source.trainable:
        target.trainable = source.trainable


def is_graph(layer: Any) -> bool:
    """Return whether a layer is a net that computes what its graph says, and that its class makes of tensors."""
    if type(layer) is keras.Sequential or goes_by_name(layer):
        return True
    functional = functional_class()
    return isinstance(layer, functional) and _same(type(layer), functional, "__init__", "from_config", "call")


def _same(kind: type, base: type, *methods: str) -> bool:
    """Return whether a class has its base's methods of these names."""
    found = ((getattr(one, name) for one in (kind, base)) for name in methods)
    return all(getattr(mine, "__func__", mine) is getattr(other, "__func__", other) for mine, other in found)


def _accepted(kind: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Keras's own get_config says of every layer and the constructor of a user's class does not take."""
    parameters = inspect.signature(kind.__init__).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return config
    return {key: value for key, value in config.items() if key in parameters or key not in _EVERY_LAYER}


def _operation(operation: Any) -> Any:
    """Make anew what is no layer, such as `keras.ops.add`: the old one would hold the whole old graph in memory."""
    kind: Any = type(operation)
    try:
        copied = kind.from_config(operation.get_config())
    except (NotImplementedError, TypeError, ValueError):
        # It was given a function. It learns nothing, so its attributes serve as they are, without its calls so far.
        copied = kind.__new__(kind)
        vars(copied).update(vars(operation), _inbound_nodes=[], _outbound_nodes=[])
    copied.name = operation.name
    return copied


def _input(tensor: keras.KerasTensor) -> keras.KerasTensor:
    config = tensor._keras_history.operation.get_config()
    return keras.layers.InputLayer.from_config(config).output


def _own_objects(layer: keras.layers.Layer) -> dict[str, Any]:
    """Return the classes and functions that a layer's configuration may name, by these names."""
    found: dict[str, Any] = {}
    for inner in layer._flatten_layers():
        values = [inner, *vars(inner).values()]
        values += [item for value in values if isinstance(value, list | tuple) for item in value]
        values += [item for value in values if isinstance(value, dict) for item in value.values()]
        for value in values:
            named = value if _is_function(value) else type(value)
            if not getattr(named, "__module__", "").startswith(("keras.", "builtins")):
                found[getattr(named, "__name__", type(named).__name__)] = named
    return found


def functions_of(layer: Any) -> dict[str, Any]:
    """Return the functions among a layer's attributes that do not depend on the layer itself."""
    return {name: value for name, value in vars(layer).items() if _is_function(value) and not _holds(value, layer)}


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, type) and not hasattr(value, "get_config")


def _holds(function: Any, layer: Any) -> bool:
    """Return whether a function is bound to the layer or encloses it: the copy has one of its own."""
    seen: set[int] = set()  # a recursive function encloses itself
    parts = [function]
    while parts:
        part = parts.pop()
        if part is layer:
            return True
        if _is_function(part) and id(part) not in seen:
            seen.add(id(part))
            parts += _enclosed(part)
    return False


def _enclosed(function: Any) -> Iterator[Any]:
    yield getattr(function, "__self__", None)
    if isinstance(function, functools.partial):
        yield from (function.func, *function.args, *function.keywords.values())
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # an empty cell
            continue
