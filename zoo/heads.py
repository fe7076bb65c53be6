"""Pairs and nets for other classes: a fresh layer of logits, or none, above layers that keep what they learnt."""

import warnings
from typing import Any

import keras

from rocket_keras.columns_by_name import by_name
from rocket_keras.graph import graph_model
from rocket_keras.pair import HEADS, Pair


def replace_head(pair: Pair, num_classes: int) -> Pair:
    """Return a copy of the pair whose two dense layers of logits are fresh, with `num_classes` logits each.

    Everything below is copied with its weights, and shared where it was shared; taps and privileged inputs stay. The
    copy is a pair of its own, so the old one can teach it. The fresh layers have the names, initializers, regularizers
    and dtypes of the old ones.

    Args:
        pair: Any pair whose nets both end in a `keras.layers.Dense`: Wide ResNet and mobile pairs, CTR pairs with MLP
            towers, pairs of your own.
        num_classes: Logits of both heads, at least 1.

    Returns:
        The new pair. Its loss must fit the number of logits.

    Raises:
        ValueError: `num_classes` is no whole number above 0, a net does not end in a dense layer, another layer reads
            the logits, or a layer cannot be copied.

    Example:

    ```python
    pair = zoo.replace_head(zoo.load("wrn16_1.rocket_wrn40_1_cifar10"), num_classes=100)
    for net in (pair.light, pair.booster):
        zoo.without_head(net).trainable = False  # train the new heads alone first
    ```
    """
    if not isinstance(num_classes, int) or isinstance(num_classes, bool) or num_classes < 1:
        raise ValueError(
            f"expected `num_classes` to be a whole number of logits, received {num_classes!r}; give 1 for a click, the "
            "number of classes elsewhere"
        )
    heads = [_head(model, f"the {name} net") for name, model in zip(HEADS, (pair.light, pair.booster), strict=True)]
    _check_on_top({head.name for head in heads}, pair.joint)
    fresh = {}
    for head in heads:
        if id(head) not in fresh:  # both nets may end in one
            config = {**head.get_config(), "units": num_classes}
            fresh[id(head)] = type(head).from_config(config)
    again = pair.copied(fresh)
    for head in fresh.values():
        head.trainable = True  # whatever the whole net is
    return again


def _check_on_top(heads: set[str], joint: keras.Model) -> None:
    """Raise ValueError where a layer reads the logits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lambdas, which are dangerous in files alone
        entries = joint.get_config()["layers"]
    for entry in entries:
        read = heads & _layers_read(entry["inbound_nodes"])
        if read:
            raise ValueError(
                f"expected no layer above the logits, received {entry['name']!r}, which reads {read.pop()!r}; build "
                "the pair anew with other logits"
            )


def without_head(model: keras.Model) -> keras.Model:
    """Return the net up to the input of its dense layer of logits: the pooled features, or the last hidden layer.

    Args:
        model: A light or booster net, or any functional or Sequential model that ends in a `keras.layers.Dense`.

    Returns:
        A model of the same layers and inputs: inputs to features `(batch, width)`. Training it trains `model`.

    Raises:
        ValueError: The model has no graph or does not end in a dense layer.
    """
    model = graph_model(model, "given")
    head = _head(model, f"the net {model.name!r}")
    # A model has no public way to the tensor below its head. The layer's first call is the model's own unless the
    # layer was called before.
    features = head.input if head.output is model.outputs[0] else _features_again(model, head)
    return by_name(keras.Model(model.input, features, name=f"{model.name}_features"))


def _features_again(model: keras.Model, head: keras.Layer) -> keras.KerasTensor:
    """Run the model's layers once more on its inputs and return what its head would get."""
    return keras.models.clone_model(
        model,
        input_tensors=model.input,
        clone_function=lambda layer: layer,
        call_function=lambda layer, *args, **kwargs: args[0] if layer is head else layer(*args, **kwargs),
    ).outputs[0]


def _head(model: keras.Model, owner: str) -> keras.layers.Dense:
    last = [layer for layer in model.layers if layer.name == model.output_names[0]]
    if not last or not isinstance(last[0], keras.layers.Dense):
        what = type(last[0]).__name__ if last else "an operation"
        raise ValueError(
            f"expected {owner} to end in a keras.layers.Dense of logits, received {what} {model.output_names[0]!r}; "
            "end the graph in a dense layer, or build the net anew with other logits"
        )
    return last[0]


def _layers_read(value: Any) -> set[str]:
    """Return the names of the layers whose outputs a layer's calls read, from its part of a model's configuration."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return {value["config"]["keras_history"][0]}
        value = list(value.values())
    if not isinstance(value, list | tuple):
        return set()
    return {name for item in value for name in _layers_read(item)}
