"""Light nets of several pairs on one booster, as one graph in which what they share with it runs once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from rocket_keras.columns_by_name import by_name
from rocket_keras.counterparts import counterparts
from rocket_keras.graph import Call, run_once
from rocket_keras.light_nets import LightNets
from rocket_keras.net_copy import Copier
from rocket_keras.pair import Pair, common_inputs, input_structure


def grafted(pairs: Mapping[str, Pair]) -> tuple[dict[str, Pair], keras.Model]:
    """Put the light nets of all pairs on the first pair's booster.

    A layer of a light net that is its booster's becomes the first booster's layer at the same position, on the same
    tensor. Of a pair with another booster object, the light net's own layers are copied with their values, so that
    nothing keeps that booster in memory; of a pair with the first booster itself they are used as they are.

    Args:
        pairs: Pairs by name, at least one. Taps are left out.

    Returns:
        The grafted pairs by name, and their joint graph: all inputs to `{"booster": logits, name: logits, ...}`. The
        light nets lie in it as one layer, from the tensors where they leave the booster to their logits.

    Raises:
        ValueError: Boosters of different architecture, a layer that cannot be followed into the first booster, a shared
            layer with a state that a light net would move, or light nets with a variable in common.
    """
    first = next(iter(pairs))
    host = pairs[first].booster
    memo: dict[Any, Any] = {}
    logits, calls = run_once(host, {id(tensor): tensor for tensor in host.inputs}, memo)
    tensors, own_calls = keras.tree.flatten([call.result for call in calls]), []
    booster = keras.Model(host.input, logits, name=host.name)
    inputs: dict[str, keras.KerasTensor] = {}  # that the booster does not have
    found = {}
    for name, pair in pairs.items():
        copier = _copier(name, pair, first, host)
        light, calls = _light(pair, _fed(pair, host, inputs), memo, copier.copy if copier else _itself)
        _check_states(name, calls, host)
        if copier:
            copier.copy_states()
        found[name] = Pair(light, booster, privileged=pair.privileged)
        _check_shared(name, pair, found[name])
        own_calls += calls
        tensors += light.inputs
    _check_apart(found)
    outputs = {name: pair.light.outputs[0] for name, pair in found.items()}
    names = {layer.name for layer in host.operations}
    light_nets = LightNets(own_calls, outputs, tensors, name=_free("light_nets", names))
    outputs = {"booster": logits, **light_nets(light_nets.read)}
    return found, by_name(keras.Model(input_structure(booster, list(inputs.values())), outputs, name="joint"))


def _light(
    pair: Pair, fed: dict[int, keras.KerasTensor], memo: Mapping[Any, Any], stand_in: Callable[[Any], Any]
) -> tuple[keras.Model, list[Call]]:
    """Return the light net on the booster's tensors, and the calls that it makes beside the booster's.

    Args:
        pair: The pair as it was given.
        fed: For the id of each of the light net's inputs, the tensor to use instead.
        memo: What `run_once` noted of the booster.
        stand_in: For each of the light net's layers the one to call.
    """
    logits, calls = run_once(pair.light, fed, dict(memo), stand_in)
    inputs = keras.tree.map_structure(lambda tensor: fed[id(tensor)], pair.light.input)
    return keras.Model(inputs, logits, name=pair.light.name), calls


def _copier(name: str, pair: Pair, first: str, host: keras.Model) -> Copier | None:
    """Return what gives the layer to call for each of a pair's light net; None where these are the first booster's."""
    if pair.booster is host:
        return None
    try:
        stand_ins = counterparts(pair.booster, host)
    except ValueError as error:
        raise ValueError(
            f"All pairs of a fleet must have one booster, but between the boosters of the pairs {name!r} and {first!r} "
            f"{error}. Build the pairs with the same arguments for the booster."
        ) from None
    taken = {layer.name for layer in host.operations}

    def rename(layer: Any) -> str:
        # Automatic names may be those of the first booster, where they were counted anew for each pair.
        free = _free(layer.name, taken)
        taken.add(free)
        return free

    return Copier(stand_ins, rename)


def _itself(layer: Any) -> Any:
    return layer


def _fed(pair: Pair, host: keras.Model, inputs: dict[str, keras.KerasTensor]) -> dict[int, keras.KerasTensor]:
    """Map the light net's inputs, by id, to the first booster's; further ones by name to those of earlier pairs."""
    common = common_inputs(pair.light, pair.booster)
    hosts = {id(mine): theirs for mine, theirs in zip(pair.booster.inputs, host.inputs, strict=True)}
    fed = {}
    for tensor in pair.light.inputs:
        key = id(common[id(tensor)])
        twin = hosts[key] if key in hosts else inputs.setdefault(tensor.name, tensor)
        if tuple(twin.shape) != tuple(tensor.shape) or twin.dtype != tensor.dtype:
            raise ValueError(
                f"All light nets must take the input {tensor.name!r} in one shape and dtype. "
                f"Received: {tensor.shape} {tensor.dtype} and {twin.shape} {twin.dtype}."
            )
        fed[id(tensor)] = twin
    return fed


def _variables(layer: Any) -> list[keras.Variable]:
    return list(getattr(layer, "variables", ()))


def _free(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _check_states(name: str, calls: Iterable[Call], host: keras.Model) -> None:
    """Raise for a shared layer that keeps a state (BatchNorm, Dropout) and sees a tensor of the light net's own."""
    states = {id(variable) for layer in host.layers if layer.trainable for variable in layer.non_trainable_variables}
    for layer in (call.layer for call in calls):
        if any(id(variable) in states for variable in _variables(layer)):
            raise ValueError(
                f"The light net of {name!r} calls the booster's layer {layer.name!r} on a tensor of its own, and would "
                f"move the state that this {type(layer).__name__} keeps. Give the light net a layer of its own."
            )


def _check_shared(name: str, pair: Pair, new: Pair) -> None:
    """Raise where a light net came out with fewer shared variables, or another number of its own."""
    (shared, own), expected = _counts(new), _counts(pair)
    if (shared, own) != expected:
        raise ValueError(
            f"The light net of {name!r} shares {expected[0]} variables with its booster, but {shared} could be "
            "followed into the booster of the fleet. Share layers of the booster's graph, not layers inside of others."
        )


def _counts(pair: Pair) -> tuple[int, int]:
    of_booster = {id(variable) for variable in pair.booster.variables}
    light = {id(variable) for variable in pair.light.variables}
    return len(light & of_booster), len(light - of_booster)


def _check_apart(pairs: Mapping[str, Pair]) -> None:
    """Raise where two light nets have a variable in common that is not the booster's."""
    owners: dict[int, str] = {}
    for name, pair in pairs.items():
        of_booster = {id(variable) for variable in pair.booster.variables}
        for variable in pair.light.variables:
            if id(variable) not in of_booster and owners.setdefault(id(variable), name) != name:
                raise ValueError(
                    f"The light nets {owners[id(variable)]!r} and {name!r} have {variable.path!r} in common, which is "
                    "not the booster's. Give each light net layers of its own."
                )
