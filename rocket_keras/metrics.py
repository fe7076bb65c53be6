"""Exact ranking metrics on the host: AUC, AUC per group (GAUC), and the log loss of logits.

They are computed in NumPy and float64, because an exact AUC needs every row of the split at once: a metric that lives
in the training graph can only keep a fixed number of thresholds (as `keras.metrics.AUC` does) and sees no group.
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from rocket_keras.columns import as_groups, as_labels, as_scores, check_lengths


@dataclasses.dataclass(frozen=True)
class _Chunk:
    """The rows of one `update_state`: labels bool, scores float and groups int64 or str, each of shape (rows,)."""

    labels: np.ndarray
    scores: np.ndarray
    groups: np.ndarray


@keras.saving.register_keras_serializable(package="rocket_keras")
class GAUC(keras.metrics.Metric):
    """The AUC of each group (of each user, say), averaged with the groups' numbers of rows (impressions) as weights.

    Unlike one AUC over all rows it does not reward a model for knowing which users click much: only the order of the
    rows of one user counts, which is what a ranking is used for.

    Formula: `sum_u AUC_u * impressions_u / sum_u impressions_u`, over the users that have rows of both classes. A pair
    of equal score counts half. All rows are kept until `reset_state`: a user may straddle batches, the result is exact.

    A Keras metric inside `compile(metrics=[...])` never sees the groups: use `rocket_keras.callbacks.GroupAUC` there.

    Args:
        name: name of the metric.
        dtype: part of every Keras metric's interface; the result is a Python float in any case.

    Example:
        >>> gauc = GAUC()
        >>> gauc.update_state([1, 0, 1, 0], [0.9, 0.1, 0.4, 0.6], groups=["ann", "ann", "bob", "bob"])
        >>> gauc.result()
        0.5

    References:
        Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018, section 6.3.
    """

    def __init__(self, name: str = "gauc", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self._chunks: list[_Chunk] = []

    def update_state(self, y_true: Any, y_pred: Any, groups: Any = None, sample_weight: Any = None) -> None:
        """Adds the rows of one batch.

        Args:
            y_true: labels, 0 or 1, shape (rows,) or (rows, 1).
            y_pred: logits or probabilities (only their order counts), shape (rows,) or (rows, 1).
            groups: group of each row, integers or strings, shape (rows,) or (rows, 1).
            sample_weight: must be None; Keras passes it inside `compile(weighted_metrics=[...])`.

        Raises:
            ValueError: a missing group, lengths that differ, NaN scores, labels other than 0 and 1, sample weights.
        """
        if groups is None:
            raise ValueError(
                "GAUC expected the group of each row, received none: call update_state(y_true, y_pred, groups), or "
                "inside fit use rocket_keras.callbacks.GroupAUC, because Keras hands no group to a compiled metric"
            )
        if sample_weight is not None:
            raise ValueError("GAUC expected no sample_weight, received one: each row is one impression; leave it out")
        chunk = _Chunk(as_labels(y_true), as_scores(y_pred), as_groups(groups))
        check_lengths(y_true=chunk.labels, y_pred=chunk.scores, groups=chunk.groups)
        self._append(chunk)

    def _append(self, chunk: _Chunk) -> None:
        if self._chunks and self._chunks[0].groups.dtype.kind != chunk.groups.dtype.kind:
            kinds = {"i": "integers", "U": "strings"}
            raise ValueError(
                f"GAUC expected groups that are {kinds[self._chunks[0].groups.dtype.kind]} as before, received "
                f"{kinds[chunk.groups.dtype.kind]}: use one kind of id, or call reset_state() first"
            )
        self._chunks.append(chunk)

    def result(self) -> float:
        """The GAUC of all rows since the last reset; `nan` where no group has both classes (or there is no row)."""
        if not any(len(chunk.labels) for chunk in self._chunks):
            return float("nan")
        labels, scores, groups = (
            np.concatenate([getattr(chunk, field.name) for chunk in self._chunks])
            for field in dataclasses.fields(_Chunk)
        )
        codes = np.unique(groups, return_inverse=True)[1] if groups.dtype.kind == "U" else groups
        aucs, impressions = _auc_by_group(labels, scores, codes)
        both = ~np.isnan(aucs)
        if not both.any():
            return float("nan")
        return float(np.average(aucs[both], weights=impressions[both]))

    def merge_state(self, metrics: Iterable["GAUC"]) -> None:
        """Adds the rows of other GAUC metrics, as when each worker evaluated a part; a group may straddle them."""
        for metric in metrics:
            if not isinstance(metric, GAUC):
                raise ValueError(f"GAUC.merge_state expected GAUC metrics, received {metric!r}: pass a list of GAUC")
            for chunk in list(metric._chunks):
                self._append(chunk)

    def reset_state(self) -> None:
        """Forgets all rows."""
        self._chunks = []

    def __reduce__(self) -> tuple:
        # Keras's own pickling keeps variables only; the rows are none, and a worker must be able to send them.
        return _unpickle, (self.get_config(), list(self._chunks))


def _unpickle(config: dict, chunks: list[_Chunk]) -> GAUC:
    metric = GAUC.from_config(config)
    metric._chunks = chunks
    return metric


def auc(y_true: Any, y_pred: Any) -> float:
    """Exact area under the ROC curve; equal scores count half; `nan` where only one class is present.

    Args:
        y_true: labels, 0 or 1, shape (rows,) or (rows, 1).
        y_pred: logits or probabilities, shape (rows,) or (rows, 1).

    Raises:
        ValueError: no row, lengths that differ, NaN scores, labels other than 0 and 1.
    """
    labels, scores = as_labels(y_true), as_scores(y_pred)
    check_lengths(y_true=labels, y_pred=scores)
    if not len(labels):
        raise ValueError("auc expected at least one row, received none: pass the labels and scores of a split")
    return float(_auc_by_group(labels, scores, np.zeros(len(labels), np.int64))[0][0])


def log_loss_from_logits(y_true: Any, logits: Any) -> float:
    """Mean binary cross-entropy in nats of logits (not of probabilities), in float64 and without overflow.

    Args:
        y_true: labels, 0 or 1, shape (rows,) or (rows, 1).
        logits: logits of label 1, shape (rows,) or (rows, 1).

    Raises:
        ValueError: no row, lengths that differ, NaN logits, labels other than 0 and 1.
    """
    labels, scores = as_labels(y_true), as_scores(logits).astype(np.float64)
    check_lengths(y_true=labels, logits=scores)
    if not len(labels):
        raise ValueError(
            "log_loss_from_logits expected at least one row, received none: pass a split's labels and logits"
        )
    return float(np.logaddexp(0.0, np.where(labels, -scores, scores)).mean())


def _auc_by_group(labels: np.ndarray, scores: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUC (nan for a group of one class) and number of rows of each group, in the order of the groups' codes.

    The AUC is the Mann-Whitney statistic: with R the sum of the positives' ranks (ties share their mean rank), P
    positives and N negatives, AUC = (R - P(P+1)/2) / (P N). Sorting is nearly all of the work.
    """
    order = np.lexsort((scores, codes))
    labels, scores, codes = labels[order].astype(np.float64), scores[order], codes[order]
    new_group = np.concatenate([[True], codes[1:] != codes[:-1]])
    new_tie = new_group | np.concatenate([[True], scores[1:] != scores[:-1]])
    group_starts, tie_starts = np.flatnonzero(new_group), np.flatnonzero(new_tie)
    tie_sizes = np.diff(tie_starts, append=len(labels))
    impressions = np.diff(group_starts, append=len(labels))
    ranks = np.repeat(tie_starts + (tie_sizes + 1) / 2, tie_sizes) - np.repeat(group_starts, impressions)
    positives = np.add.reduceat(labels, group_starts)
    rank_sums = np.add.reduceat(labels * ranks, group_starts)
    pairs = positives * (impressions - positives)
    above = rank_sums - positives * (positives + 1) / 2
    return np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0), impressions
