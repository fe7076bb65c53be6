"""A light net and its booster as one functional graph with two named heads."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from rocket_keras.columns_by_name import by_name
from rocket_keras.graph import graph_model, run_once
from rocket_keras.logits import refuse_squashed
from rocket_keras.net_copy import copy_net

HEADS = ("light", "booster")


class Pair:
    """A light and a booster model that train as one graph and part at serving time.

    Layers that both models use are shared. A layer that both call on the same tensor runs once in `joint`, so its
    activations are computed once and a BatchNorm in it moves once a step.

    Args:
        light: Functional or Sequential `keras.Model`, the net that will serve. One output: logits `(batch, classes)`,
            or `(batch, 1)` for a click.
        booster: Functional or Sequential `keras.Model` with logits of the same shape. It may have inputs that the light
            net does not have (privileged features).
        taps: Inner tensors of either model as further outputs of `joint`, for hints on features: a dict of
            `KerasTensor` by name, or names of layers, whose outputs become taps of the same names.
        privileged: Names of inputs that will not exist at serving time. A light net that needs one is refused.

    Attributes:
        light, booster: The two models, on their own. `light` holds no variable of the booster's own. Of a dict with
            more columns than they have inputs, both take their own by name.
        joint: One functional model; outputs `{"light": logits, "booster": logits, **taps}`. Its inputs are the union.

    Raises:
        ValueError: The models have no graph, different logits, probabilities instead of logits, inputs of one name and
            two shapes, or a light net that contains the booster or needs a privileged input.

    Example:

    ```python
    inputs = keras.Input((20,))
    shared = keras.layers.Dense(32, activation="relu")(inputs)
    light = keras.Model(inputs, keras.layers.Dense(1)(shared))
    hidden = keras.layers.Dense(256, activation="relu")(shared)
    booster = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    pair = Pair(light=light, booster=booster)
    ```

    References:
        Zhou et al., Rocket Launching, AAAI 2018, figure 1.
    """

    def __init__(
        self,
        light: keras.Model,
        booster: keras.Model,
        taps: Mapping[str, keras.KerasTensor] | Sequence[str] | None = None,
        privileged: Sequence[str] = (),
    ):
        light, booster = graph_model(light, "light"), graph_model(booster, "booster")
        if not isinstance(taps, Mapping):
            taps = {name: _output(name, (light, booster)) for name in taps or ()}
        taps = dict(taps)
        _check_heads(light, booster)
        _check_taps(taps)
        _check_privileged(light, booster, privileged)
        self.light, self.booster = by_name(light), by_name(booster)
        self.privileged, self.tap_names = tuple(privileged), tuple(taps)
        common = common_inputs(light, booster)
        self.joint = by_name(_join(light, booster, taps, common))
        self._positions = {
            head: _positions(m, common, self.joint) for head, m in zip(HEADS, (light, booster), strict=True)
        }
        _check_detachable(self)

    @classmethod
    def from_joint(
        cls,
        joint: keras.Model,
        light_inputs: Any,
        booster_inputs: Any,
        light_name: str = "light",
        booster_name: str = "booster",
        privileged: Sequence[str] = (),
    ) -> "Pair":
        """Cut a joint graph into a pair again; the inverse of `get_config`, used when a Rocket is loaded.

        Args:
            joint: Functional model with the outputs `light`, `booster` and any taps.
            light_inputs, booster_inputs: For each model, positions in `joint.inputs`, in the structure of its own
                inputs.
            light_name, booster_name: Names of the two models.
            privileged: As of `Pair`.
        """
        outputs = dict(joint.output)
        positions = dict(zip(HEADS, (light_inputs, booster_inputs), strict=True))
        models = {}
        for head, name in zip(HEADS, (light_name, booster_name), strict=True):
            inputs = keras.tree.map_structure(joint.inputs.__getitem__, positions[head])
            models[head] = by_name(keras.Model(inputs, outputs[head], name=name))
        pair = cls.__new__(cls)
        pair._positions = positions
        pair.light, pair.booster, pair.joint = models["light"], models["booster"], by_name(joint)
        pair.tap_names = tuple(name for name in outputs if name not in HEADS)
        pair.privileged = tuple(privileged)
        return pair

    @property
    def shared_variables(self) -> list[keras.Variable]:
        """Trainable variables that both nets use, in the order of `joint`."""
        return self._owned_by(True, True)

    @property
    def light_variables(self) -> list[keras.Variable]:
        """Trainable variables that only the light net uses, in the order of `joint`."""
        return self._owned_by(True, False)

    @property
    def booster_variables(self) -> list[keras.Variable]:
        """Trainable variables that only the booster uses, in the order of `joint`."""
        return self._owned_by(False, True)

    @property
    def tap_variables(self) -> list[keras.Variable]:
        """Trainable variables of layers that lead to a tap alone, such as a regressor; they go with the light net's."""
        return self._owned_by(False, False)

    def with_taps(self, taps: Mapping[str, keras.KerasTensor] | Sequence[str]) -> "Pair":
        """Return a pair of the same two nets, with these taps alone."""
        return Pair(self.light, self.booster, taps, self.privileged)

    def detach(self) -> keras.Model:
        """Return a copy of the light net with variables of its own, so that the booster's memory can be freed.

        Raises:
            ValueError: A layer cannot be made anew from its `get_config()`. One line, which names it.
        """
        return by_name(copy_net(self.light))

    def copied(self, replaced: Mapping[int, keras.layers.Layer] | None = None) -> "Pair":
        """Return a copy of the pair with variables of its own, shared where they were shared.

        Args:
            replaced: For the id of a layer of `joint` the one to use instead.

        Raises:
            ValueError: As in `detach`.
        """
        return self.from_joint(copy_net(self.joint, replaced), **self._shape())

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the joint graph: of three graphs apart, training one would leave the others behind."""
        return _cut, (self.joint, self._shape())

    def get_config(self) -> dict[str, Any]:
        """Return the joint graph and how the two models lie in it; shared layers are saved once."""
        return {"joint": keras.saving.serialize_keras_object(self.joint), **self._shape()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Pair":
        """Rebuild the pair, untrained, from `get_config`."""
        config = dict(config)
        return cls.from_joint(keras.saving.deserialize_keras_object(config.pop("joint")), **config)

    def _shape(self) -> dict[str, Any]:
        """Return how the two models lie in the joint graph."""
        shape: dict[str, Any] = {}
        for head, model in zip(HEADS, (self.light, self.booster), strict=True):
            shape[f"{head}_inputs"] = self._positions[head]
            shape[f"{head}_name"] = model.name
        return {**shape, "privileged": list(self.privileged)}

    def _owned_by(self, light: bool, booster: bool) -> list[keras.Variable]:
        # Walked once a model, not once a variable: under PyTorch every routed step asks.
        of_light, of_booster = ({id(v) for v in model.trainable_variables} for model in (self.light, self.booster))
        owners = (light, booster)
        return [v for v in self.joint.trainable_variables if (id(v) in of_light, id(v) in of_booster) == owners]


def _cut(joint: keras.Model, shape: dict[str, Any]) -> Pair:
    return Pair.from_joint(joint, **shape)


def _join(light: keras.Model, booster: keras.Model, taps: dict[str, Any], inputs: dict[int, Any]) -> keras.Model:
    """Merge the two graphs on common inputs; a layer that both call on one tensor is called once."""
    structure = input_structure(booster, [inputs[id(tensor)] for tensor in light.inputs])
    if all(inputs[id(tensor)] is tensor for tensor in light.inputs):
        return keras.Model(structure, {"light": light.outputs[0], "booster": booster.outputs[0], **taps}, name="joint")
    memo: dict[Any, Any] = {}
    models = {"light": light, "booster": booster}
    models |= {name: _model_up_to(name, tensor, (light, booster)) for name, tensor in taps.items()}
    outputs = {name: run_once(model, inputs, memo)[0] for name, model in models.items()}
    return keras.Model(structure, outputs, name="joint")


def common_inputs(light: keras.Model, booster: keras.Model) -> dict[int, keras.KerasTensor]:
    """Map each input tensor of either model, by id, to the joint graph's input: the booster's where both have one."""
    single = len(light.inputs) == len(booster.inputs) == 1
    by_name = {tensor.name: tensor for tensor in booster.inputs}
    common = {id(tensor): tensor for tensor in booster.inputs}
    for tensor in light.inputs:
        twin = booster.inputs[0] if single else by_name.get(tensor.name, tensor)
        if tuple(twin.shape) != tuple(tensor.shape) or twin.dtype != tensor.dtype:
            raise ValueError(
                f"Both nets must take the input {tensor.name!r} in one shape and dtype. "
                f"Received: light={tensor.shape} {tensor.dtype}, booster={twin.shape} {twin.dtype}."
            )
        common[id(tensor)] = twin
    return common


def _positions(model: keras.Model, common: dict[int, keras.KerasTensor], joint: keras.Model) -> Any:
    order = {id(tensor): i for i, tensor in enumerate(joint.inputs)}
    return keras.tree.map_structure(lambda tensor: order[id(common[id(tensor)])], model.input)


def input_structure(booster: keras.Model, others: Sequence[keras.KerasTensor]) -> Any:
    """Return the inputs of a joint graph: the booster's structure, or a dict by name where others join them."""
    mine = {id(tensor) for tensor in booster.inputs}
    extra = [tensor for tensor in others if id(tensor) not in mine]
    return {tensor.name: tensor for tensor in [*booster.inputs, *extra]} if extra else booster.input


def _model_up_to(name: str, tensor: Any, models: tuple[keras.Model, ...]) -> keras.Model:
    for model in models:
        try:
            return keras.Model(model.inputs, tensor)
        except ValueError:
            continue
    raise ValueError(f"The tap {name!r} must be a tensor of the light or the booster graph. Received: {tensor}.")


def _check_heads(light: keras.Model, booster: keras.Model) -> None:
    for head, model in zip(HEADS, (light, booster), strict=True):
        if len(model.outputs) != 1:
            raise ValueError(f"The {head} model must have one output, its logits. Received: {len(model.outputs)}.")
        refuse_squashed(model, f"The {head} model")
    shapes = [tuple(model.outputs[0].shape) for model in (light, booster)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"light and booster must have logits of one shape. Received: light={shapes[0]}, booster={shapes[1]}."
        )


def _check_taps(taps: dict[str, Any]) -> None:
    clash = [name for name in taps if name in HEADS]
    if clash:
        raise ValueError(f"A tap must not be called {clash[0]!r}: that is the name of a head. Rename the tap.")


def _check_privileged(light: keras.Model, booster: keras.Model, privileged: Sequence[str]) -> None:
    names = {tensor.name for tensor in booster.inputs}
    unknown = [name for name in privileged if name not in names]
    if unknown:
        raise ValueError(f"privileged names inputs of the booster, {sorted(names)}. Received: {unknown}.")
    needed = sorted({tensor.name for tensor in light.inputs} & set(privileged))
    if needed:
        raise ValueError(f"The light net must serve without the privileged inputs, but it needs {needed}.")


def _check_detachable(pair: Pair) -> None:
    of_light = {id(variable) for variable in pair.light.weights}
    # A booster without any weight is one whose logits come as an input: computed before, once.
    if pair.booster.weights and all(id(variable) in of_light for variable in pair.booster.weights):
        raise ValueError(
            "The light net holds every variable of the booster: detaching would remove nothing. Build the light net "
            "from shared layers and a head of its own, not on the booster's output."
        )


def _output(name: str, models: tuple[keras.Model, ...]) -> keras.KerasTensor:
    for model in models:
        for layer in model.layers:
            if layer.name == name:
                return layer.output
    raise ValueError(f"taps names layers of the light or the booster net. Received: {name!r}, which is in neither.")
