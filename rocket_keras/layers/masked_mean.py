"""The mean of a padded row of embeddings."""

from typing import Any

import keras
from keras import ops

from rocket_keras.layers.fused_rows import present


@keras.saving.register_keras_serializable(package="rocket_keras")
class MaskedMean(keras.layers.Layer):
    """Mean of a row's embeddings over the places that hold an id; zeros where no place does.

    It differs from `keras_rs.layers.EmbedReduce` in that it owns no table, so that a history can read the item's rows.

    Call arguments:
        inputs: Embeddings `(batch, length, dim)` and their ids `(batch, length)`, negative at the padding.

    Returns:
        Tensor `(batch, dim)`.
    """

    def call(self, inputs: Any) -> Any:
        """Sum and divide by the number of ids, at least 1."""
        events, ids = inputs
        places = present(ids, events.dtype)
        total = ops.sum(events * ops.expand_dims(places, -1), axis=1)
        return total / ops.maximum(ops.sum(places, axis=1, keepdims=True), 1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Return `(batch, dim)`."""
        batch, _, dim = input_shape[0]
        return (batch, dim)
