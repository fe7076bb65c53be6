"""Quality of logits on a split: accuracy for classes, AUC, GAUC and log loss for clicks."""

from typing import Any

import keras
import numpy as np

from rocket_keras.launch.batches import predict_logits
from rocket_keras.metrics import GAUC, auc, log_loss_from_logits


def score(logits: np.ndarray, split: Any) -> dict[str, float]:
    """Score logits.

    Args:
        logits: `(rows, classes)`, or `(rows, 1)` for clicks.
        split: Rows with labels `y` and, for clicks, users in `groups`.

    Returns:
        `accuracy` and `log_loss`; or `auc`, `gauc` (where the split has groups) and `log_loss`.
    """
    if logits.shape[-1] > 1:
        shifted = logits - logits.max(axis=-1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        right = np.take_along_axis(log_probabilities, split.y[:, None].astype(int), axis=-1)
        return {"accuracy": float(np.mean(logits.argmax(-1) == split.y)), "log_loss": float(-right.mean())}
    values = {"auc": auc(split.y, logits)}
    if split.groups is not None:
        metric = GAUC()
        metric.update_state(split.y, logits, split.groups)
        values["gauc"] = metric.result()
    return {**values, "log_loss": log_loss_from_logits(split.y, logits)}


class Validation(keras.callbacks.Callback):
    """Adds the validation split's scores to the logs after each epoch: `val_auc`, or `val_light_auc` and
    `val_booster_auc`.

    One prediction serves all metrics, and no test step has to be compiled.
    """

    def __init__(self, split: Any, batch_size: int):
        super().__init__()
        self.split, self.batch_size = split, batch_size

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predict and score."""
        logs = {} if logs is None else logs
        logits = predict_logits(self.model, self.split.x, self.batch_size)
        heads = {f"{head}_": values for head, values in logits.items()} if isinstance(logits, dict) else {"": logits}
        for prefix, values in heads.items():
            for name, value in score(values, self.split).items():
                logs[f"val_{prefix}{name}"] = value
