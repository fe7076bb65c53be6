"""How candidates start: what a builder draws at random is the same in every trial, what it loads stays as it is."""

import contextlib
import dataclasses
import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np

from rocket_keras import Pair
from rocket_keras.architecture import architecture


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """A candidate before its training.

    Attributes:
        candidate: The pair or model.
        booster: Name of the booster's architecture and initial values: pairs of one name may be trained in one fleet.
            Empty where the builder compiles its models.
        referenced: Variables that belong to the user: the builder returns the same objects whenever it is called.
    """

    candidate: Pair | keras.Model
    booster: str
    referenced: list[keras.Variable]


def started(build: Callable[[], Pair | keras.Model], seed: int) -> Start:
    """Build a candidate whose booster starts like that of every candidate with a booster of the same shape.

    A builder draws the light net's weights and the booster's from one stream, so two light nets would otherwise have
    boosters of two starts. Only what was drawn is drawn again, from the booster's shape and the seed alone. What was
    drawn is known from a second candidate, built under another seed: a weight that is the same in both was loaded,
    adapted, set to a constant or drawn under a seed of the builder's own, and is left alone, as is every variable that
    both candidates hold in common, such as those of a `rocket_keras.layers.Frozen` teacher.

    Args:
        build: Makes the candidate; called twice.
        seed: Of the initial weights.

    Returns:
        The candidate and what is known of it. A layer of the booster that cannot be made from its own configuration
        starts as the builder drew it.
    """
    keras.utils.set_random_seed(seed + 1)
    twin = build()
    keras.utils.set_random_seed(seed)
    candidate = build()
    common = {id(variable) for variable in _variables(twin)}
    referenced = [variable for variable in _variables(candidate) if id(variable) in common]
    if not isinstance(candidate, Pair) or not isinstance(twin, Pair):
        return Start(candidate, "", referenced)
    keras.utils.set_random_seed(seed)
    _draw_again(candidate.booster, _drawn(candidate.booster, twin.booster))
    return Start(candidate, f"{architecture(candidate.booster)} {_values_hash(candidate.booster)}", referenced)


def kept_weights(build: Callable[[], Pair | keras.Model], seed: int) -> dict[str, str]:
    """Return a few digits of each weight that a builder does not draw: by these, two calls see that it loads the same.

    Rounded, since statistics that are adapted anew may differ in their last bits.
    """
    keras.utils.set_random_seed(seed + 1)
    twin = _variables(build())
    keras.utils.set_random_seed(seed)
    found = {}
    for i, (a, b) in enumerate(zip(_variables(build()), twin, strict=False)):
        value = np.asarray(keras.ops.convert_to_numpy(a), "float64")
        if tuple(a.shape) == tuple(b.shape) and np.array_equal(value, keras.ops.convert_to_numpy(b)):
            weighted = value.ravel() * np.linspace(1, 2, value.size)
            found[f"weight {i}"] = f"{np.linalg.norm(value.ravel()):.4g} {np.linalg.norm(weighted):.4g}"
    return found


class Originals:
    """Values that the user's own objects had before the search, to give them back after each training."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[keras.Variable, np.ndarray]] = {}

    @contextlib.contextmanager
    def kept(self, variables: Iterable[keras.Variable]) -> Iterator[None]:
        """Give all variables that were met so far their first values again when the training ends, however it ends."""
        for variable in variables:
            if id(variable) not in self._values:
                self._values[id(variable)] = variable, np.array(keras.ops.convert_to_numpy(variable))
        try:
            yield
        finally:
            for variable, value in self._values.values():
                if not np.array_equal(keras.ops.convert_to_numpy(variable), value):
                    variable.assign(value)


def _variables(candidate: Pair | keras.Model) -> list[keras.Variable]:
    return (candidate.joint if isinstance(candidate, Pair) else candidate).variables


def _values_hash(net: keras.Model) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for variable in net.variables:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).tobytes())
    return digest.hexdigest()


def _drawn(net: keras.Model, twin: keras.Model) -> set[int]:
    """Return the ids of the net's variables that have another value in its twin, built under another seed."""
    pairs = list(zip(net.variables, twin.variables, strict=False))
    if len(net.variables) != len(twin.variables) or any(tuple(a.shape) != tuple(b.shape) for a, b in pairs):
        return set()  # the builder itself is random: its nets cannot be compared
    values = keras.ops.convert_to_numpy
    return {id(a) for a, b in pairs if a is not b and not np.array_equal(values(a), values(b))}


def _draw_again(net: keras.Model, drawn: set[int], visited: set[int] | None = None) -> None:
    """Give these variables of the net initial values from fresh copies of their layers, layer by layer."""
    visited = set() if visited is None else visited
    for layer in net.layers:
        if id(layer) in visited or not any(id(variable) in drawn for variable in layer.variables):
            continue
        visited.add(id(layer))
        if isinstance(layer, keras.Model) and getattr(layer, "inputs", None):
            _draw_again(layer, drawn, visited)
            continue
        for variable, fresh in zip(layer.variables, _fresh_variables(layer), strict=False):
            if id(variable) in drawn:
                variable.assign(fresh)


def _fresh_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Return the variables of an untrained layer of the same configuration; none where it cannot be made."""
    shapes = [tuple(variable.shape) for variable in layer.variables]

    def built(copy: keras.layers.Layer) -> bool:
        return [tuple(variable.shape) for variable in copy.variables] == shapes

    def called(copy: keras.layers.Layer) -> None:
        copy(keras.tree.map_structure(lambda tensor: keras.KerasTensor(tensor.shape, tensor.dtype), layer.input))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of a layer without a `build` of its own: it is called then
        for build in (lambda copy: copy.build_from_config(layer.get_build_config() or {}), called):
            with contextlib.suppress(AttributeError, NotImplementedError, TypeError, ValueError):
                copy = type(layer).from_config(layer.get_config())
                if not built(copy):
                    build(copy)
                if built(copy):
                    return copy.variables
    return []
