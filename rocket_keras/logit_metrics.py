"""Metrics on logits: what Keras's names, functions and metric objects mean for a head that leaves logits.

Each metric of `keras.metrics` is of one of these kinds:

- It looks at the order of the classes of a row or at margins around 0 (accuracies by class, top-k, hinge): right on
  logits as it is.
- It has a `from_logits` of its own (crossentropies, AUC): that is set.
- It reads probabilities or has thresholds on them (precision, recall, F scores, confusion counts, IoU, and the
  regression metrics, which are those of probabilities under a classification loss): it gets probabilities.
- It compares no prediction with a label, or reads class ids: refused.

Under a regression loss (`"mse"`, `"huber"`, ...) the outputs are values, and all metrics get them as they are.
"""

from typing import Any

import keras
from keras import ops

from rocket_keras.logit_losses import label_loss, squash_of, squashed

_M = keras.metrics

THRESHOLDS = 10_000
"""Thresholds of `"auc"` by name: evenly spaced, so that a batch costs O(rows + thresholds)."""

RANKS = {
    *(_M.CategoricalAccuracy, _M.SparseCategoricalAccuracy, _M.TopKCategoricalAccuracy),
    *(_M.SparseTopKCategoricalAccuracy, _M.Hinge, _M.SquaredHinge, _M.CategoricalHinge),
    *(_M.IoU, _M.MeanIoU, _M.OneHotIoU, _M.OneHotMeanIoU),
    *(_M.categorical_accuracy, _M.sparse_categorical_accuracy, _M.top_k_categorical_accuracy),
    *(_M.sparse_top_k_categorical_accuracy, _M.hinge, _M.squared_hinge, _M.categorical_hinge),
}
"""Right on logits as they are."""

FROM_LOGITS = {
    **dict.fromkeys([_M.AUC, _M.BinaryCrossentropy], "sigmoid"),
    **dict.fromkeys([_M.CategoricalCrossentropy, _M.SparseCategoricalCrossentropy], "softmax"),
    **dict.fromkeys([_M.binary_crossentropy, _M.binary_focal_crossentropy], "sigmoid"),
    **dict.fromkeys([_M.categorical_crossentropy, _M.categorical_focal_crossentropy], "softmax"),
    _M.sparse_categorical_crossentropy: "softmax",
}
"""With a `from_logits` of their own, and what that puts before them."""

PROBABILITIES = {
    *(_M.BinaryAccuracy, _M.Precision, _M.Recall, _M.F1Score, _M.FBetaScore, _M.BinaryIoU),
    *(_M.TruePositives, _M.TrueNegatives, _M.FalsePositives, _M.FalseNegatives),
    *(_M.PrecisionAtRecall, _M.RecallAtPrecision, _M.SensitivityAtSpecificity, _M.SpecificityAtSensitivity),
    *(_M.KLDivergence, _M.Poisson, _M.CosineSimilarity, _M.LogCoshError, _M.R2Score, _M.RootMeanSquaredError),
    *(_M.MeanSquaredError, _M.MeanAbsoluteError, _M.MeanAbsolutePercentageError, _M.MeanSquaredLogarithmicError),
    *(_M.PearsonCorrelation, _M.ConcordanceCorrelation),
    *(_M.binary_accuracy, _M.kl_divergence, _M.poisson, _M.log_cosh, _M.huber, keras.losses.cosine_similarity),
    *(_M.mean_squared_error, _M.mean_absolute_error, _M.mean_absolute_percentage_error),
    *(_M.mean_squared_logarithmic_error, _M.pearson_correlation, _M.concordance_correlation),
    *(keras.losses.dice, keras.losses.tversky, keras.losses.categorical_generalized_cross_entropy),
}
"""Made right by a sigmoid or softmax before them."""

REFUSED = {
    _M.Accuracy: 'it compares predictions with labels for equality; take "accuracy"',
    **dict.fromkeys([_M.Mean, _M.Sum, _M.Metric], "it compares no prediction with a label; leave it out"),
    **dict.fromkeys([keras.losses.circle, keras.losses.ctc], "a head leaves neither embeddings nor sequences"),
}
"""Without a meaning on a head's logits, and why."""


def metric_on_logits(identifier: Any, loss: keras.losses.Loss, logits: int) -> Any:
    """Return what a metric means for a head that leaves logits: a fresh metric object, or a name for Keras to resolve.

    Args:
        identifier: What `compile` was given: a name, a function or a metric.
        loss: The head's label loss, as `label_loss` returned it.
        logits: Number of the head's logits.

    Raises:
        ValueError: A metric without a meaning on logits.
    """
    squash = squash_of(loss, logits)
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        # Of several logits Keras compares the largest, by the labels' shape.
        return _M.BinaryAccuracy(name=identifier, threshold=0.0) if squash and logits == 1 else identifier
    metric = _made(identifier)
    kind: Any = type(metric) if isinstance(metric, _M.Metric) else metric
    if kind in REFUSED:
        raise ValueError(f"The metric {_name(metric)} has no meaning on logits: {REFUSED[kind]}.")
    if isinstance(metric, keras.losses.Loss):
        loss = label_loss(identifier)
        return _M.MeanMetricWrapper(loss, name=loss.name)
    if isinstance(metric, _M.Metric):
        metric = _copied(metric, identifier if isinstance(identifier, str) else metric.name)
        _check_config(metric)
    if squash is None or kind in RANKS:
        return metric
    if kind in FROM_LOGITS:
        return _with_logits(metric, squash, named=isinstance(identifier, str | type))
    if kind in PROBABILITIES:
        return MetricOnProbabilities(metric if isinstance(metric, _M.Metric) else _mean_of(metric), squash)
    return metric


@keras.saving.register_keras_serializable(package="rocket_keras")
class MetricOnProbabilities(keras.metrics.Metric):
    """A metric of probabilities, of the sigmoid or softmax of logits.

    Args:
        metric: The metric, whose name and direction this one has.
        activation: `"sigmoid"` or `"softmax"`.
        temperature: What logits are divided by before. It leaves their order as it is, and with it an AUC; a larger one
            spreads extreme probabilities over more of evenly spaced thresholds.
        name, dtype: As of every metric; the metric's own where none is given.
    """

    def __init__(
        self,
        metric: keras.metrics.Metric,
        activation: str = "sigmoid",
        temperature: float = 1.0,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name or metric.name, dtype=dtype or metric.dtype)
        self.metric, self.activation, self.temperature = metric, activation, temperature
        direction = getattr(metric, "_direction", None)
        if direction:
            self._direction = direction

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: labels, logits `(batch, classes)`, weights."""
        if y_pred.shape[-1] == 1 and len(y_true.shape) < len(y_pred.shape):
            y_true = ops.reshape(y_true, ops.shape(y_pred))
        self.metric.update_state(y_true, squashed(y_pred, self.activation, self.temperature), sample_weight)

    def result(self) -> Any:
        """Return the metric's result."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forget all rows."""
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"activation": self.activation, "temperature": self.temperature}
        return {**super().get_config(), "metric": keras.saving.serialize_keras_object(self.metric), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MetricOnProbabilities":
        """Rebuild the metric from `get_config`."""
        return cls(**{**config, "metric": keras.saving.deserialize_keras_object(config["metric"])})


def _made(identifier: Any) -> Any:
    try:
        return keras.metrics.get(identifier)
    except TypeError as error:
        raise ValueError(
            f"The metric {identifier!r} needs arguments: expected an object of keras.metrics, received its name "
            f"({error})."
        ) from None


def _copied(metric: Any, name: str) -> Any:
    if isinstance(metric, _M.MeanMetricWrapper) and type(metric) is _M.MeanMetricWrapper:
        return metric  # of a function, which need not be one that can be saved
    return type(metric).from_config({**metric.get_config(), "name": name})


def _check_config(metric: Any) -> None:
    config = metric.get_config()
    if config.get("sparse_y_pred") or config.get("from_sorted_ids"):
        option = "sparse_y_pred" if config.get("sparse_y_pred") else "from_sorted_ids"
        raise ValueError(f"The metric {metric.name} reads class ids, but a head leaves logits. Give it {option}=False.")
    own = type(metric) not in FROM_LOGITS and type(metric) is not MetricOnProbabilities
    if own and config.get("from_logits") is False:
        raise ValueError(f"{metric.name} takes probabilities, but all heads leave logits. Give it from_logits=True.")


def _with_logits(metric: Any, squash: str, named: bool) -> Any:
    """Return a metric that has a `from_logits` with that set, or with the head's own activation where it differs."""
    if not isinstance(metric, _M.Metric):
        if FROM_LOGITS[metric] == squash:
            return _mean_of(metric, from_logits=True)
        return MetricOnProbabilities(_mean_of(metric), squash)
    config = metric.get_config()
    if isinstance(metric, _M.AUC) and named:
        metric = _M.AUC(num_thresholds=THRESHOLDS, name=metric.name)
        return MetricOnProbabilities(metric, squash, temperature=4.0 if squash == "sigmoid" else 1.0)
    if config["from_logits"]:
        return metric
    if FROM_LOGITS[type(metric)] == squash:
        return type(metric).from_config({**config, "from_logits": True})
    return MetricOnProbabilities(metric, squash)


def _mean_of(function: Any, **options: Any) -> keras.metrics.Metric:
    return _M.MeanMetricWrapper(function, name=function.__name__, **options)


def _name(metric: Any) -> str:
    return str(getattr(metric, "name", None) or getattr(metric, "__name__", metric))
