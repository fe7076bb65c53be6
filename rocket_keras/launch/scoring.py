"""Quality of logits on a split: accuracy for classes, AUC, GAUC and log loss for clicks."""

import math
from typing import Any

import keras
import numpy as np

from rocket_keras.launch.batches import predict_logits
from rocket_keras.launch.recipe import Plan
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


def check_split(split: Any, name: str, logits: int, metric: str | None = None) -> None:
    """Raise where a split cannot be scored, whatever a net says: before anything is trained.

    Args:
        split: Rows with labels `y` and, for clicks, users in `groups`.
        name: What the split is called: `"validation"`.
        logits: Logits of the nets.
        metric: The score that is needed; None for AUC or accuracy.

    Raises:
        ValueError: A label that is no class, one class where two are compared, no group with both, or a metric that
            these rows do not have.
    """
    labels = np.asarray(split.y)
    if logits > 1:
        wrong = np.flatnonzero(~np.isin(labels.ravel(), np.arange(logits)))
        if len(wrong):
            raise ValueError(
                f"expected {name} labels as whole numbers from 0 to {logits - 1}, received {labels.ravel()[wrong[0]]} "
                f"in row {wrong[0]}; number the classes from 0, or build nets with more logits"
            )
    values = score(np.zeros((len(labels), logits)), split)
    if metric is not None and metric not in values:
        raise ValueError(
            f"expected `metric` as one of {', '.join(values)} for these {name} rows, received {metric!r}; gauc wants "
            "`groups`, accuracy more than one logit"
        )
    classes = [f"{value:g}" for value in np.unique(labels)]
    if math.isnan(values.get("auc", 0.0)) and metric in (None, "auc", "gauc"):
        raise ValueError(
            f"expected both classes in the {name} labels, received only {classes[0]} in {len(labels)} rows; an AUC "
            "compares rows of both, so give rows of both"
        )
    if metric == "gauc" and math.isnan(values["gauc"]):
        raise ValueError(
            f"expected a group with both classes in the {name} labels, received none in {len(labels)} rows; a GAUC "
            "compares rows of one group, so give groups with rows of both"
        )


def check_plan(plan: Plan) -> None:
    """Raise where the validation or test split of a plan cannot be scored.

    Raises:
        ValueError: As `check_split`.
    """
    for name in ("validation", "test"):
        check_split(getattr(plan.data, name), name, 1 if plan.data.num_classes == 2 else plan.data.num_classes)


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
