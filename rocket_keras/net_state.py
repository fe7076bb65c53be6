"""What a layer has learnt: its variables, and what else it keeps, such as a vocabulary."""

import tempfile
from pathlib import Path
from typing import Any

import keras


def copy_state(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Give a layer or net all that another one of the same architecture has learnt; each keeps variables of its own.

    Weights alone would leave a `Normalization` unadapted, which computes with constants made of them, and lookups
    without their vocabularies, which are no weights.

    Args:
        source, target: Built from one configuration, so that their inner layers have one order.

    Raises:
        ValueError: They have other inner layers or variables. One line, which names the layer.
    """
    for inner, twin in pairs_inside(source, target):
        _copy_kept(inner, twin)
    _assign(source, target)


def pairs_inside(source: keras.layers.Layer, target: keras.layers.Layer) -> list[tuple[Any, Any]]:
    """Return the layers of two nets of one configuration that stand at one position, themselves and inner ones.

    Raises:
        ValueError: They have other inner layers. One line.
    """
    kinds = [[type(layer).__name__ for layer in _flat(net)] for net in (source, target)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"expected two layers {source.name!r} with the same layers inside, received {kinds[0]} and {kinds[1]}; let "
            "its get_config() return all that they depend on"
        )
    return list(zip(_flat(source), _flat(target), strict=True))


def layers_with_assets(net: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return the layers, inner ones included, that keep something which no variable holds, such as a vocabulary.

    Nets that were built from one configuration have them in one order.
    """
    # Keras itself asks so: its own base class of layers has no such method.
    return [layer for layer in _flat(net) if hasattr(layer, "save_assets") and layer.built]


def save_assets(net: keras.layers.Layer, folder: Path) -> bool:
    """Write what no variable holds, one folder per layer that has such; return whether there is any."""
    found = layers_with_assets(net)
    for index, layer in enumerate(found):
        (folder / str(index)).mkdir(parents=True)
        layer.save_assets(str(folder / str(index)))
    return bool(found)


def load_assets(net: keras.layers.Layer, folder: Path) -> None:
    """Read what `save_assets` wrote of a net that was built from the same configuration."""
    for index, layer in enumerate(layers_with_assets(net)):
        layer.load_assets(str(folder / str(index)))


def has_learnt(layer: keras.layers.Layer) -> bool:
    """Return whether a layer has weights or anything that `save_assets` writes; a Dropout's seed is neither."""
    return bool(layer.weights or layers_with_assets(layer))


def _copy_kept(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copy one layer's own state, by the methods with which it saves and loads itself."""
    if not source.built:
        return
    store: dict[str, Any] = {}
    source.save_own_variables(store)
    # The base class only assigns variables, as `_assign` does.
    if type(target).load_own_variables is not keras.layers.Layer.load_own_variables:
        # NumPy arrays, as from a file: a layer may keep what it is given.
        target.load_own_variables({key: keras.ops.convert_to_numpy(value) for key, value in store.items()})
    if hasattr(source, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            source.save_assets(folder)
            target.load_assets(folder)


def _assign(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    mine, theirs = source.variables, target.variables
    shapes = [[tuple(variable.shape) for variable in variables] for variables in (mine, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"expected the layer {source.name!r} and its copy to have variables of the same shapes, received "
            f"{shapes[0]} and {shapes[1]}; let its get_config() return all that its variables depend on"
        )
    for variable, twin in zip(mine, theirs, strict=True):
        # A tensor of its own: under JAX training gives the memory of a variable's value away.
        twin.assign(keras.ops.copy(variable))


def _flat(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    # Without inputs, which a Sequential model gets when it is built.
    return [inner for inner in layer._flatten_layers() if not isinstance(inner, keras.layers.InputLayer)]
