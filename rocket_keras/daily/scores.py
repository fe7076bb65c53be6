"""How good logits are on a day: ranking, log loss and calibration."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from rocket_keras.metrics import GAUC, auc, log_loss_from_logits

Predict = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


def day_scores(
    batches: Iterable[Any], predict: Predict, group: str | None = None, seen: Callable[[Any], None] | None = None
) -> tuple[dict[str, dict[str, float]], int]:
    """Score nets on rows in one pass; a logit, a label and a group of each row are kept, some 16 bytes.

    Args:
        batches: `rocket_keras.streaming.Batch`es.
        predict: From inputs to logits `(rows,)` by net.
        group: The extra column of users, for GAUC.
        seen: Is given every batch.

    Returns:
        `auc`, `gauc` (with a group), `log_loss` (nats) and `calibration` (clicks foretold / clicks) by net; and how
        many rows there were. AUCs are NaN where all rows or none were clicked.
    """
    labels: list[np.ndarray] = []
    logits: dict[str, list[np.ndarray]] = {}
    groups: dict[str, GAUC] = {}
    for batch in batches:
        if seen is not None:
            seen(batch)
        labels.append(batch.y)
        for net, values in predict(batch.x).items():
            logits.setdefault(net, []).append(np.asarray(values, np.float32))
            if group is not None:
                groups.setdefault(net, GAUC()).update_state(batch.y, values, batch.extra[group])
    if not labels:
        return {}, 0
    y = np.concatenate(labels)
    found = {}
    for net, parts in logits.items():
        values = np.concatenate(parts).astype(np.float64)
        found[net] = {"auc": auc(y, values)}
        if group is not None:
            found[net]["gauc"] = groups[net].result()
        found[net]["log_loss"] = log_loss_from_logits(y, values)
        foretold = float((0.5 * (1 + np.tanh(0.5 * values))).sum())
        found[net]["calibration"] = foretold / float(y.sum()) if y.any() else float("nan")
    return found, len(y)
