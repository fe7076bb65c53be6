"""Embeddings of categorical fields, looked up once for both nets."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="rocket_keras")
class CategoricalEmbedding(keras.layers.Layer):
    """Embeddings of several categorical fields of one dimension, in one table.

    The fields' rows lie one after the other, so that one gather serves all fields. It differs from one
    `keras.layers.Embedding` a field in speed alone.

    Args:
        sizes: Number of ids of each field. Field `i` takes ids `0 .. sizes[i] - 1`.
        dim: Width of every embedding.
        embeddings_initializer: Initializer of the table.

    Call arguments:
        ids: List of integer tensors `(batch,)`, one a field, in the order of `sizes`.

    Returns:
        Tensor `(batch, len(sizes) * dim)`.

    Raises:
        ValueError: `sizes` is empty, a size or `dim` is below 1, or the number of fields differs from `sizes`.

    An id outside its field is moved to the field's nearest end (0 or size - 1): a gather beyond the table is an error
    on one backend, NaN on another and a neighbour field's row on a third. The loaders keep id 0 for unseen values.
    """

    def __init__(self, sizes: Sequence[int], dim: int, embeddings_initializer: Any = "uniform", **kwargs: Any):
        super().__init__(**kwargs)
        if not sizes or min(sizes) < 1 or dim < 1:
            raise ValueError(f"sizes and dim must be at least 1, for at least one field. Received: {sizes=}, {dim=}.")
        self.sizes, self.dim = tuple(int(size) for size in sizes), int(dim)
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.offsets = [sum(self.sizes[:i]) for i in range(len(self.sizes))]

    def build(self, input_shape: Any) -> None:
        """Make the table `(sum of sizes, dim)`."""
        if len(input_shape) != len(self.sizes):
            raise ValueError(
                f"{self.name} must get one id tensor for each of {len(self.sizes)} fields, got {len(input_shape)}."
            )
        self.table = self.add_weight(
            shape=(sum(self.sizes), self.dim), initializer=self.embeddings_initializer, name="table"
        )

    def call(self, ids: Any) -> Any:
        """Look the ids up."""
        rows = [
            ops.clip(ops.cast(i, "int32"), 0, n - 1) + o for i, n, o in zip(ids, self.sizes, self.offsets, strict=True)
        ]
        found = ops.take(self.table, ops.stack(rows, axis=1), axis=0)
        return ops.reshape(found, (-1, len(self.sizes) * self.dim))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Return `(batch, len(sizes) * dim)`."""
        return (input_shape[0][0], len(self.sizes) * self.dim)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        initializer = keras.initializers.serialize(self.embeddings_initializer)
        return {
            **super().get_config(),
            "sizes": list(self.sizes),
            "dim": self.dim,
            "embeddings_initializer": initializer,
        }
