"""What `compile` is given for all heads or for each role."""

from collections.abc import Callable, Mapping
from typing import Any

from rocket_keras.logit_metrics import metric_on_logits
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


def resolve_metrics(
    metrics: Any, losses: Mapping[str, Any], logits: Mapping[str, Any], roles: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Return fresh metrics for each head, made for logits; empty lists for None.

    Args:
        metrics: None, one metric, a list for all heads, or a dict `{"light": ..., "booster": ...}`.
        losses: The heads' label losses.
        logits: The heads' symbolic logits.
        roles: `"light"` or `"booster"` for each head.

    Raises:
        ValueError: A metric without a meaning on logits.
    """
    if not isinstance(metrics, Mapping):
        metrics = dict.fromkeys(HEADS, metrics)
    lists = per_head(listed, metrics, roles)
    return {h: [metric_on_logits(m, losses[h], logits[h].shape[-1]) for m in lists[h]] for h in roles}


def listed(value: Any) -> list[Any]:
    """Return a list of one value or several; an empty one for None."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
