"""The last activation of a net, where it makes logits into probabilities: found, and left away."""

from functools import cache
from typing import Any

import keras

from rocket_keras.graph import graph_model

_SQUASHING = ("softmax", "sigmoid", "hard_sigmoid", "log_softmax", "sparsemax")
_RESHAPING = (
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.ActivityRegularization,
)
# Layers whose activation comes last in their call, and not within a recurrence.
_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_ACTIVATED = (keras.layers.Dense, keras.layers.EinsumDense, *_CONVOLUTIONS)
_ACTIVATIONS = (keras.layers.Activation, keras.layers.Softmax)


def output_activation(model: keras.Model) -> str | None:
    """Name the activation that turns the model's output into probabilities; None where none can be seen.

    It is looked for through nested models, flattening, reshaping, dropout and linear activations. What arithmetic after
    it, a function or layer of one's own, a Lambda or a wrapper computes cannot be seen.
    """
    return _activation_of(model.outputs[0])


def logits_of(model: keras.Model) -> keras.Model:
    """Return the model without the softmax or sigmoid at its end: the same weights, and logits as output.

    The weights are not copied: what trains one model trains the other. A model that ends in logits comes back as it is,
    as a functional model.

    Args:
        model: Functional or built Sequential `keras.Model` of one output.

    Raises:
        ValueError: A model without a graph, of several outputs, or whose probabilities are made where no activation can
            be left away (in a recurrent layer, in a layer of one's own).

    Example:

    ```python
    teacher = keras.models.load_model("teacher.keras")  # ends in Dense(10, activation="softmax")
    booster = keras.Model(inputs, rk.layers.Frozen([rk.logits_of(teacher)])(inputs))
    ```
    """
    model = graph_model(model, "given")
    if len(model.outputs) != 1:
        raise ValueError(f"logits_of expected a model of one output, received {len(model.outputs)}; name one of them.")
    if output_activation(model) is None:
        return model
    return keras.Model(model.input, _logits(model.outputs[0]), name=model.name)


def refuse_squashed(model: Any, owner: str) -> None:
    """Raise ValueError if a net's one output is probabilities; of a net without a graph nothing is known."""
    outputs = getattr(model, "outputs", None)
    activation = output_activation(model) if outputs and len(outputs) == 1 else None
    if activation:
        raise ValueError(
            f"{owner} must end in logits, but its last layer applies {activation}. Give rk.logits_of(model) in its "
            "place: the same weights without that activation; and use a loss with from_logits=True."
        )


def _activation_of(tensor: Any) -> str | None:
    operation, arguments = _made_by(tensor)
    if isinstance(operation, keras.Model):
        outputs = getattr(operation, "outputs", None)
        return output_activation(operation) if outputs and len(outputs) == 1 else None
    if _passes_on(operation):
        return _activation_of(arguments.args[0])
    return _own_activation(operation) or None


def _passes_on(operation: Any) -> bool:
    """Return whether probabilities stay probabilities: flattening, dropping, a linear activation (for float32)."""
    linear = isinstance(operation, keras.layers.Activation) and operation.activation is keras.activations.linear
    return linear or isinstance(operation, _RESHAPING) or type(operation) in _reshaping_operations()


def _own_activation(operation: Any) -> str | None:
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    if isinstance(inner := getattr(operation, "activation", None), keras.layers.Layer):
        return _own_activation(inner)
    if type(operation) in _squashing_operations():
        return _squashing_operations()[type(operation)]
    name = getattr(getattr(operation, "activation", None), "__name__", "")
    return name if name in _SQUASHING else None


def _logits(tensor: Any) -> Any:
    """Return the tensor before the activation, with what follows that called again."""
    operation, arguments = _made_by(tensor)
    args, kwargs = arguments.args, dict(arguments.kwargs)
    if isinstance(operation, keras.Model):
        return logits_of(operation)(*args, **kwargs)
    if not _own_activation(operation):
        return operation(_logits(args[0]), *args[1:], **kwargs)
    if isinstance(operation, _ACTIVATIONS) or type(operation) in _squashing_operations():
        return args[0]
    if isinstance(operation, _ACTIVATED):
        return _linear(operation)(*args, **kwargs)
    raise ValueError(
        f"logits_of expected a last activation that can be left away, received the {_own_activation(operation)} "
        f"within {operation.name!r} ({type(operation).__name__}); end the net in a Dense or an Activation layer."
    )


def _linear(layer: Any) -> Any:
    """Return a layer of the same variables whose activation is linear.

    Keras has no way to make one: `from_config` makes variables of its own, and `copy` copies them, through a file.
    """
    twin = object.__new__(type(layer))
    own = {"activation": keras.activations.linear, "_inbound_nodes": [], "_outbound_nodes": [], "_losses": []}
    # `build` and `quantize` are bound to the other layer.
    twin.__dict__.update({k: v for k, v in vars(layer).items() if k not in ("build", "quantize")} | own)
    return twin


def _made_by(tensor: Any) -> tuple[Any, Any]:
    """Return the operation that made a symbolic tensor, and the arguments of that call."""
    operation, node, _ = tensor._keras_history
    return operation, operation._inbound_nodes[node].arguments


def _class_of(function: Any, *args: Any) -> type:
    return type(_made_by(function(keras.KerasTensor((None, 2)), *args))[0])


@cache
def _squashing_operations() -> dict[type, str]:
    """Classes of the operations that functions of `keras.ops` make in a graph, and their names."""
    ops = keras.ops
    functions = {"softmax": ops.softmax, "sigmoid": ops.sigmoid, "hard_sigmoid": ops.hard_sigmoid}
    functions |= {"log_softmax": ops.log_softmax, "sparsemax": ops.sparsemax}
    return {_class_of(function): name for name, function in functions.items()}


@cache
def _reshaping_operations() -> frozenset[type]:
    ops = keras.ops
    return frozenset([_class_of(ops.reshape, (-1, 1)), _class_of(ops.squeeze), _class_of(ops.expand_dims, 1)])
