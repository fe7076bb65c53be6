"""Embeddings of categorical fields, looked up once for both nets."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rocket_keras.layers.fused_rows import fused_rows, present


@keras.saving.register_keras_serializable(package="rocket_keras")
class CategoricalEmbedding(keras.layers.Layer):
    """Embeddings of several categorical fields of one dimension, in one table.

    The fields' rows lie one after the other, so that one gather serves all fields. It differs from one
    `keras.layers.Embedding` a field in speed alone. Called again on a row of several ids it reads the same rows: an
    item and the items of a history share their embeddings.

    Args:
        sizes: Number of ids of each field. Field `i` takes ids `0 .. sizes[i] - 1`.
        dim: Width of every embedding.
        embeddings_initializer: Initializer of the table.

    Call arguments:
        ids: List of integer tensors `(batch,)`, one a field; or one tensor `(batch, length)` of ids of one field, in
            which a negative id is padding.
        fields: Positions in `sizes` of the fields that `ids` holds; None for all, in the order of `sizes`.

    Returns:
        Tensor `(batch, len(fields) * dim)` of a list; `(batch, length, dim)` of one tensor, zeros at the padding.

    Raises:
        ValueError: `sizes` is empty, a size or `dim` is below 1, or the number of fields differs from that of ids.

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
        self.table = self.add_weight(
            shape=(sum(self.sizes), self.dim), initializer=self.embeddings_initializer, name="table"
        )

    def call(self, ids: Any, fields: Sequence[int] | None = None) -> Any:
        """Look the ids up."""
        fields = self._fields(ids, fields)
        if not isinstance(ids, list | tuple):
            (field,) = fields
            found = ops.take(self.table, fused_rows(ids, self.sizes[field], self.offsets[field]), axis=0)
            return found * ops.expand_dims(present(ids, found.dtype), -1)
        rows = [fused_rows(i, self.sizes[f], self.offsets[f]) for i, f in zip(ids, fields, strict=True)]
        found = ops.take(self.table, ops.stack(rows, axis=1), axis=0)
        return ops.reshape(found, (-1, len(fields) * self.dim))

    def compute_output_spec(self, ids: Any, fields: Sequence[int] | None = None) -> keras.KerasTensor:
        """Check the number of fields when the graph is built, too."""
        self._fields(ids, fields)
        return super().compute_output_spec(ids, fields=fields)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return `(batch, number of fields * dim)`, or `(batch, length, dim)` of one tensor."""
        if isinstance(input_shape[0], list | tuple):
            return (input_shape[0][0], len(input_shape) * self.dim)
        return (*input_shape, self.dim)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        initializer = keras.initializers.serialize(self.embeddings_initializer)
        return {
            **super().get_config(),
            "sizes": list(self.sizes),
            "dim": self.dim,
            "embeddings_initializer": initializer,
        }

    def _fields(self, ids: Any, fields: Sequence[int] | None) -> Sequence[int]:
        fields = range(len(self.sizes)) if fields is None else fields
        count = len(ids) if isinstance(ids, list | tuple) else 1
        if count != len(fields):
            raise ValueError(f"{self.name} must get one id tensor for each of {len(fields)} fields, got {count}.")
        return fields
