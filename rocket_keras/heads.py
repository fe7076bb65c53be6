"""What `compile` is given for all heads or for each role, and the refusal of probabilities."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from rocket_keras.pair import HEADS

ROLES = {head: head for head in HEADS}  # of a pair


def per_head(make: Callable[[Any], Any], value: Any, roles: Mapping[str, str]) -> dict[str, Any]:
    """Return `{head: make(...)}` from one value for all heads or from a dict `{"light": ..., "booster": ...}`.

    Args:
        make: What is done to each head's value.
        value: One value, or one for light nets and one for the booster.
        roles: `"light"` or `"booster"` for each head.
    """
    if not isinstance(value, Mapping):
        return {head: make(value) for head in roles}
    if set(value) != set(HEADS):
        raise ValueError(f"A dict a head must have the keys {list(HEADS)}. Received: {sorted(value)}.")
    return {head: make(value[role]) for head, role in roles.items()}


def label_loss(identifier: Any) -> keras.losses.Loss:
    """Return a Keras loss for a name, a loss object or a function `(y_true, logits) -> (batch,)`."""
    loss = keras.losses.get(identifier)
    return loss if isinstance(loss, keras.losses.Loss) else _FunctionLoss(loss)


def resolve_metrics(metrics: Any, logits: Mapping[str, Any], roles: Mapping[str, str]) -> dict[str, list[Any]] | None:
    """Return fresh metric objects for each head, made for logits.

    Args:
        metrics: None, one metric, a list for all heads, or a dict `{"light": ..., "booster": ...}`. `"accuracy"` of
            one logit has threshold 0.
        logits: The heads' symbolic logits.
        roles: `"light"` or `"booster"` for each head.

    Raises:
        ValueError: A metric wants probabilities.
    """
    if metrics is None:
        return None
    lists = per_head(lambda value: value if isinstance(value, list | tuple) else [value], metrics, roles)
    resolved = {head: [_metric(m, logits[head].shape[-1] == 1) for m in lists[head]] for head in roles}
    refuse_probabilities({f"{head} metric": m for head in roles for m in resolved[head]})
    return resolved


def refuse_probabilities(objects: Mapping[str, Any]) -> None:
    """Raise where a loss or metric takes probabilities: both heads leave logits."""
    for owner, item in objects.items():
        config = item.get_config() if hasattr(item, "get_config") else {}
        options = config.get("fn_kwargs", config)
        name = getattr(item, "name", getattr(item, "__name__", item))
        plain = name in ("sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy")
        if options.get("from_logits", not plain) is False:
            raise ValueError(
                f"{owner}: {name} takes probabilities, but all heads leave logits. Give it from_logits=True."
            )


def _metric(metric: Any, one_logit: bool) -> Any:
    if metric in ("accuracy", "acc") and one_logit:
        return keras.metrics.BinaryAccuracy(name=metric, threshold=0.0)
    if isinstance(metric, keras.metrics.Metric):
        return type(metric).from_config(metric.get_config())
    return metric


class _FunctionLoss(keras.losses.Loss):
    """A plain function as a loss, so that `sample_weight` reaches it."""

    def __init__(self, function: Callable[[Any, Any], Any]):
        # TensorFlow refuses a scope called "<lambda>".
        super().__init__(name=getattr(function, "__name__", "loss").strip("<>_"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)
