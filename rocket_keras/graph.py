"""Reading and re-running functional graphs, through Keras's public interface alone."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras.src.ops import nn  # Keras exports the functions of these operations, but not the classes

_SQUASHING = ("softmax", "sigmoid", "hard_sigmoid", "log_softmax", "sparsemax")
_SQUASHING_OPERATIONS = {
    nn.HardSigmoid: "hard_sigmoid",
    nn.LogSoftmax: "log_softmax",
    nn.Sigmoid: "sigmoid",
    nn.Softmax: "softmax",
    nn.Sparsemax: "sparsemax",
}


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
    if isinstance(model, keras.Sequential):
        last = model.layers[-1]
    else:  # the output may be that of a bare operation
        last = next(operation for operation in model.operations if operation.name == model.output_names[0])
    if isinstance(last, keras.Model) and getattr(last, "outputs", None):
        return output_activation(last)
    if type(last) in _SQUASHING_OPERATIONS:
        return _SQUASHING_OPERATIONS[type(last)]
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(last, "activation", None), "__name__", "")
    return name if name in _SQUASHING else None


def input_structure(model: keras.Model) -> Any:
    """Return the input tensors of a model as it was built: one, or a list or dict of them."""
    # The graph of a Rocket or a Fleet is its `joint`, that of a SparseNet its `net`.
    model = getattr(model, "joint", getattr(model, "net", model))
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def inputs_of(model: keras.Model, x: Any) -> Any:
    """Return the columns of `x` that the model takes; anything but a dict for a model of named inputs as it is.

    Keras itself matches a dict with further columns by position, and a light net beside privileged features would read
    the wrong ones.

    Raises:
        ValueError: A column is missing.
    """
    structure = input_structure(model)
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

    again = keras.models.clone_model(
        model,
        input_tensors=keras.tree.map_structure(lambda tensor: inputs[id(tensor)], model.input),
        clone_function=stand_in,
        call_function=call,
    )
    return again.outputs[0], calls


def _identity(leaf: Any) -> Any:
    return id(leaf) if isinstance(leaf, keras.KerasTensor) else repr(leaf)
