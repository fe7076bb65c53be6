"""Label losses on logits: what Keras's names, functions and loss objects mean for a head that leaves logits."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

_K = keras.losses

CROSSENTROPIES = {
    _K.binary_crossentropy: _K.BinaryCrossentropy,
    _K.binary_focal_crossentropy: _K.BinaryFocalCrossentropy,
    _K.categorical_crossentropy: _K.CategoricalCrossentropy,
    _K.categorical_focal_crossentropy: _K.CategoricalFocalCrossentropy,
    _K.sparse_categorical_crossentropy: _K.SparseCategoricalCrossentropy,
}
"""Losses of probabilities that Keras also has for logits: by function."""

PROBABILITIES = {
    _K.kl_divergence: _K.KLDivergence,
    _K.dice: _K.Dice,
    _K.tversky: _K.Tversky,
    _K.categorical_generalized_cross_entropy: _K.CategoricalGeneralizedCrossEntropy,
}
"""Losses of probabilities alone: they get the sigmoid of one logit, the softmax of several."""

VALUES = {
    _K.mean_squared_error: _K.MeanSquaredError,
    _K.mean_absolute_error: _K.MeanAbsoluteError,
    _K.mean_absolute_percentage_error: _K.MeanAbsolutePercentageError,
    _K.mean_squared_logarithmic_error: _K.MeanSquaredLogarithmicError,
    _K.cosine_similarity: _K.CosineSimilarity,
    _K.log_cosh: _K.LogCosh,
    _K.huber: _K.Huber,
    _K.poisson: _K.Poisson,
}
"""Losses whose outputs are the predicted values themselves: nothing is a logit there, for metrics neither."""

MARGINS = {
    _K.hinge: _K.Hinge,
    _K.squared_hinge: _K.SquaredHinge,
    _K.categorical_hinge: _K.CategoricalHinge,
}
"""Losses of margins around 0, which is what logits are."""

REFUSED = {_K.circle: _K.Circle, _K.ctc: _K.CTC}
"""Losses that read embeddings or sequences, which a head does not leave."""

_BINARY = (_K.BinaryCrossentropy, _K.BinaryFocalCrossentropy)


def label_loss(identifier: Any) -> keras.losses.Loss:
    """Return the loss that an identifier means for logits.

    Args:
        identifier: A name, function or class of `keras.losses`, which becomes the loss with `from_logits=True`; a loss
            object; or a function `(y_true, logits) -> (batch,)`. Losses and functions of the user's own get logits.

    Raises:
        ValueError: A loss object with `from_logits=False`, or a loss that cannot be taken of a head's logits.
    """
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        return Crossentropy()
    loss = keras.losses.get(identifier)
    kind = type(loss) if isinstance(loss, keras.losses.Loss) else loss
    if kind in REFUSED or kind in REFUSED.values():
        raise ValueError(
            f"{_name(loss)} is no loss of logits (batch, classes): expected a crossentropy, a hinge, a regression loss "
            "or a function of your own, received a loss of embeddings or sequences."
        )
    if kind in CROSSENTROPIES:
        return CROSSENTROPIES[kind](from_logits=True)
    if kind in PROBABILITIES:
        return LossOnProbabilities(PROBABILITIES[kind]())
    if not isinstance(loss, keras.losses.Loss):
        return _FunctionLoss(loss)
    if kind in PROBABILITIES.values():
        return LossOnProbabilities(loss)
    named = isinstance(identifier, str | type)  # without the user's own choice of from_logits
    if named and kind in CROSSENTROPIES.values():
        return type(loss)(from_logits=True)
    config = loss.get_config()
    if config.get("fn_kwargs", config).get("from_logits") is False:
        raise ValueError(f"{_name(loss)} takes probabilities, but all heads leave logits. Give it from_logits=True.")
    return loss


def squash_of(loss: keras.losses.Loss, logits: int) -> str | None:
    """Name the activation that makes a head's logits the probabilities that its loss means.

    Args:
        loss: What `label_loss` returned.
        logits: Number of logits.

    Returns:
        `"sigmoid"` for one logit and for binary losses of several, `"softmax"` for several; None where the loss reads
        values, not logits.
    """
    function = getattr(loss, "function", None)
    if function in VALUES or type(loss) in VALUES.values():
        return None
    return "sigmoid" if logits == 1 or isinstance(loss, _BINARY) else "softmax"


def squashed(logits: Any, activation: str, temperature: float = 1.0) -> Any:
    """Return the probabilities of logits `(batch, classes)`, in float32."""
    logits = ops.cast(logits, "float32") / temperature
    probabilities = ops.sigmoid(logits) if activation == "sigmoid" else ops.softmax(logits, axis=-1)
    # Keras under TensorFlow notes the logits on what it makes of them, and a crossentropy takes them up again, those of
    # a softmax as those of a sigmoid; not on a product.
    return probabilities * 1.0


@keras.saving.register_keras_serializable(package="rocket_keras")
class Crossentropy(keras.losses.Loss):
    """What Keras calls `"crossentropy"`: binary for one logit, else sparse or categorical by the labels' shape."""

    def __init__(self, name: str = "crossentropy", **kwargs: Any):
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each example, `(batch,)`."""
        if y_pred.shape[-1] == 1:
            y_true = ops.reshape(y_true, ops.shape(y_pred))
            return keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)
        if len(y_true.shape) < len(y_pred.shape) or y_true.shape[-1] == 1:
            return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        return keras.losses.categorical_crossentropy(y_true, y_pred, from_logits=True)


@keras.saving.register_keras_serializable(package="rocket_keras")
class LossOnProbabilities(keras.losses.Loss):
    """A loss of probabilities, of the sigmoid of one logit or the softmax of several.

    Args:
        loss: The loss.
        name: Its own name where none is given.
    """

    def __init__(self, loss: keras.losses.Loss, name: str | None = None, **kwargs: Any):
        super().__init__(name=name or loss.name, **{"reduction": loss.reduction, **kwargs})
        self.loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each example, `(batch,)`, or of the batch."""
        return self.loss.call(y_true, squashed(y_pred, "sigmoid" if y_pred.shape[-1] == 1 else "softmax"))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LossOnProbabilities":
        """Rebuild the loss from `get_config`."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


class _FunctionLoss(keras.losses.Loss):
    """A plain function as a loss, so that `sample_weight` reaches it."""

    def __init__(self, function: Callable[[Any, Any], Any]):
        # TensorFlow refuses a scope called "<lambda>".
        super().__init__(name=getattr(function, "__name__", "loss").strip("<>_"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(of_logits_rank(y_true, y_pred), y_pred)


def _name(loss: Any) -> str:
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", loss))


def of_logits_rank(labels: Any, logits: Any) -> Any:
    """Return labels `(batch,)` as `(batch, 1)` where there is one logit, others as they are.

    Two functions of `(batch,)` and `(batch, 1)` would compare every row with every other one. Keras's losses do this
    themselves; its metrics and plain functions do not.
    """
    one_logit = len(logits.shape) == 2 and logits.shape[-1] == 1
    try:
        rank = len(labels.shape)
    except ValueError:  # TensorFlow forgets the rank once it has seen labels of either
        rank = 1
    return keras.ops.reshape(labels, (-1, 1)) if one_logit and rank == 1 else labels
