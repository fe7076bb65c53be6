"""Reading and re-running functional graphs, through Keras's public interface alone."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras

_NESTED = (dict, list, tuple)


class Call(NamedTuple):
    """One call of a layer in a graph."""

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


def graph_model(model: Any, head: str) -> keras.Model:
    """Return `model` as a functional model, or say why it has no graph.

    Args:
        model: Functional or built Sequential `keras.Model`.
        head: What the model is called in the error: `"light"` or `"booster"`.

    Raises:
        ValueError: `model` is no Keras model, is subclassed without a graph, or is a Sequential model without an input.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(f"{head} must be a keras.Model. Received: {type(model).__name__}.")
    if isinstance(model, keras.Sequential):
        if not model.built or not model.inputs:
            raise ValueError(f"The {head} Sequential model has no input yet. Begin it with keras.Input(shape=...).")
        # Not the list of its one input: the model would ask for a list.
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise ValueError(
            f"The {head} model ({type(model).__name__}) is subclassed and has no graph of layers. Build it with "
            "keras.Model(inputs, outputs)."
        )
    return model


def input_structure(model: keras.Model) -> Any:
    """Return the input tensors of a model as it was built: one, or a list or dict of them."""
    # The graph of a Rocket or a Fleet is its `joint`, that of a SparseNet its `net`.
    model = getattr(model, "joint", getattr(model, "net", model))
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def inputs_of(model: keras.Model, x: Any) -> Any:
    """Return the columns of a dict that the model takes, by name; other inputs, and those of a model without a graph.

    Raises:
        ValueError: A column is missing.
    """
    if not isinstance(x, dict) or not getattr(getattr(model, "joint", getattr(model, "net", model)), "inputs", None):
        return x
    structure = input_structure(model)
    if isinstance(structure, dict):
        return matched(structure, x, model.name)
    named = _named(structure)
    return x if named is None else matched(named, x, model.name)


def matched(structure: Any, x: Any, name: str) -> Any:
    """Return inputs in a model's own structure and order, each column of a dict found by its name.

    Args:
        structure: The model's symbolic inputs: a tensor, or lists and dicts of them. None for whatever `x` is.
        x: Inputs, or a dataset. A dict may have further columns, for which the result has no place.
        name: The model's name, for the error.

    Raises:
        ValueError: A column is missing.
    """
    if isinstance(x, dict):
        if isinstance(structure, dict):
            _check_columns(structure, x, name)
            columns = {
                key: matched(part, x[key], name) if isinstance(x[key], _NESTED) else x[key]
                for key, part in structure.items()
            }
            # Keras reads an OrderedDict in its own order, any other dict in that of its sorted keys.
            return OrderedDict(columns) if isinstance(structure, OrderedDict) else columns
        if (named := _named(structure)) is not None:
            _check_columns(named, x, name)
            flat = [x[key] for key in named]
            return flat if isinstance(structure, list | tuple) else flat[0]
    elif isinstance(structure, list | tuple) and isinstance(x, list | tuple) and len(structure) == len(x):
        flat = [matched(part, value, name) for part, value in zip(structure, x, strict=True)]
        return flat if isinstance(x, list) else tuple(flat)
    return x


def _named(structure: Any) -> dict[str, keras.KerasTensor] | None:
    """Return the tensors of a single input, or of a flat list of inputs, by name; None for another structure."""
    flat = list(structure) if isinstance(structure, list | tuple) else [structure]
    return {tensor.name: tensor for tensor in flat} if all(isinstance(t, keras.KerasTensor) for t in flat) else None


def _check_columns(named: Mapping[str, Any], x: Mapping[str, Any], name: str) -> None:
    missing = [key for key in named if key not in x]
    if missing:
        raise ValueError(
            f"expected the columns {sorted(named)} for {name!r}, received a dict without all of them. "
            f"Missing: {sorted(missing)}; add them."
        )


def run_once(
    model: keras.Model,
    inputs: dict[int, keras.KerasTensor],
    memo: dict[Any, Any],
    stand_in: Callable[[Any], Any] = lambda layer: layer,
) -> tuple[keras.KerasTensor, list[Call]]:
    """Run the model's own layers on other input tensors, each layer once per distinct argument.

    Args:
        model: Functional model with one output.
        inputs: For the id of each of the model's input tensors, the tensor to use instead.
        memo: Results so far, shared between the models of one joint graph.
        stand_in: For each layer of the model the one to call; it may be asked several times.

    Returns:
        The output tensor, `(batch, ...)`, and the calls whose results were not in `memo` before, in their order.
    """
    calls: list[Call] = []

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        key = (id(layer), *(_identity(leaf) for leaf in keras.tree.flatten((args, kwargs))))
        if key not in memo:
            memo[key] = layer(*args, **kwargs)
            calls.append(Call(layer, args, kwargs, memo[key]))
        return memo[key]

    again = run_again(model, keras.tree.map_structure(lambda tensor: inputs[id(tensor)], model.input), stand_in, call)
    return keras.tree.flatten(again)[0], calls


def run_again(
    model: keras.Model,
    inputs: Any,
    stand_in: Callable[[Any], Any],
    call: Callable[..., Any] = lambda layer, *args, **kwargs: layer(*args, **kwargs),
) -> Any:
    """Run the layers of a functional model once more and return its outputs, in their structure.

    Args:
        model: The model.
        inputs: The tensors to begin with, in the structure of its inputs.
        stand_in: For each layer of the model the one to call; asked once per layer.
        call: Calls a layer with the arguments of the model's own call.
    """
    # A second model of the same graph, because Keras compiles the clone of a compiled model anew.
    bare = keras.Model(model.input, model.output, name=model.name)
    again = keras.models.clone_model(bare, input_tensors=inputs, clone_function=stand_in, call_function=call).output
    # Under PyTorch it has the keys of a dict sorted.
    return {key: again[key] for key in model.output} if isinstance(model.output, dict) else again


def _identity(leaf: Any) -> Any:
    return id(leaf) if isinstance(leaf, keras.KerasTensor) else repr(leaf)
