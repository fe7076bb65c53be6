"""Reading and re-running functional graphs, through Keras's public interface alone."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras

_SQUASHING = ("softmax", "sigmoid", "hard_sigmoid", "log_softmax", "sparsemax")


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


def output_activation(model: keras.Model) -> str | None:
    """Name the activation that turns the model's output into probabilities; None where none can be seen."""
    last = model.get_layer(model.output_names[0]) if model.output_names[0] in _names(model) else model.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(last, "activation", None), "__name__", "")
    return name if name in _SQUASHING else None


def inputs_of(model: keras.Model, x: Any) -> Any:
    """Return the columns of `x` that the model takes; anything but a dict for a model of named inputs as it is.

    Keras itself matches a dict with further columns by position, and a light net beside privileged features would read
    the wrong ones.

    Raises:
        ValueError: A column is missing.
    """
    # The graph of a Rocket or a Fleet is its `joint`, that of a SparseNet its `net`.
    structure = getattr(model, "joint", getattr(model, "net", model)).input
    if not isinstance(structure, dict) or not isinstance(x, dict):
        return x
    missing = sorted(set(structure) - set(x))
    if missing:
        raise ValueError(f"{model.name} takes the columns {sorted(structure)}. Missing: {missing}.")
    return {name: x[name] for name in structure}


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


def _names(model: keras.Model) -> set[str]:
    return {layer.name for layer in model.layers}
