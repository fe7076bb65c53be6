"""Which layer of one net stands where in another net of the same architecture."""

import warnings
from collections.abc import Iterator
from typing import Any

import keras

# Lists that name layers: there a name must be that of the layer at the same position.
_REFERENCES = ("keras_history", "input_layers", "output_layers")

# Only the configuration of a layer has one of these; an input's has a shape.
_OF_LAYERS = {"trainable", "inbound_nodes", "batch_shape"}


def counterparts(net: keras.Model, other: keras.Model) -> dict[int, Any]:
    """Return the layer (or other operation) of `other` for the id of each of `net`'s, matched by position.

    Layers inside of nested models are matched as well.

    Args:
        net, other: Functional models whose configurations differ in nothing but the names of layers and random seeds.

    Raises:
        ValueError: Another difference; the message says in which layer.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lambdas, which are dangerous in files alone
        mine, theirs = net.get_config(), other.get_config()
    # All names first: a layer that is called several times may read one that comes later in the list.
    names = {a["name"]: b["name"] for a, b in zip(mine["layers"], theirs["layers"], strict=False)}
    for a, b in zip(mine["layers"], theirs["layers"], strict=False):
        found = _difference(a, b, names)
        if found:
            raise ValueError(f"the layer {a['name']!r} differs from {b['name']!r} in {found}")
    found = f"has {len(mine['layers'])} layers, not {len(theirs['layers'])}"
    if len(mine["layers"]) == len(theirs["layers"]):
        ends = ("input_layers", "output_layers")
        found = _difference({key: mine[key] for key in ends}, {key: theirs[key] for key in ends}, names)
    if found:
        raise ValueError(f"the net {net.name!r} {found}")
    found_by_id: dict[int, Any] = {}
    for a, b in zip(net.operations, other.operations, strict=True):
        found_by_id.update((id(x), y) for x, y in zip(_with_inner(a), _with_inner(b), strict=True))
    return found_by_id


def _with_inner(operation: Any) -> Iterator[Any]:
    yield operation
    for layer in getattr(operation, "layers", ()):
        yield from _with_inner(layer)


def _difference(mine: Any, other: Any, names: dict[str, str], key: str = "", strict: bool = False) -> str:
    """Say where two configurations differ, "" if nowhere.

    Args:
        mine, other: The configurations.
        names: For each layer name of mine that was met, the other's; further ones are added.
        key: Where in the configuration we are.
        strict: Whether a string must be a name that was met.
    """
    if isinstance(mine, dict) and isinstance(other, dict) and set(mine) == set(other):
        # Only layers are named freely; the name of a dtype policy is what it is.
        if "name" in mine and _OF_LAYERS & set(mine):
            names.setdefault(mine["name"], other["name"])  # of a layer inside of another
        if "build_config" in mine and isinstance(mine["config"], dict) and "name" in mine["config"]:
            names.setdefault(mine["config"]["name"], other["config"].get("name"))
        inner = ((mine[k], other[k], names, k, strict or k in _REFERENCES) for k in mine if k != "seed")
    elif isinstance(mine, list | tuple) and isinstance(other, list | tuple) and len(mine) == len(other):
        inner = ((a, b, names, key, strict) for a, b in zip(mine, other, strict=True))
    elif isinstance(mine, str) and (names.get(mine) == other or (mine == other and not strict)):
        return ""
    else:
        return "" if mine == other and not isinstance(mine, str) else f"{key}: {mine!r}, not {other!r}"
    return next((found for found in (_difference(*arguments) for arguments in inner) if found), "")
