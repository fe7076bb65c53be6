"""Embeddings of categorical fields whose training step does not grow with the number of ids."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rocket_keras.layers.categorical_embedding import CategoricalEmbedding
from rocket_keras.layers.drawn_rows import drawn_rows
from rocket_keras.layers.fused_rows import present
from rocket_keras.row_lookups import leaf_of
from rocket_keras.train_step.rows import take_rows


@keras.saving.register_keras_serializable(package="rocket_keras")
class SparseEmbedding(CategoricalEmbedding):
    """A `CategoricalEmbedding` of which a training step moves only the rows that the batch looked up.

    In a `Rocket`, a `Fleet` or a `SparseNet` a step costs what the batch costs, however many rows there are: the rows
    that were found are differentiated by, and the model's row optimizer (`compile(row_optimizer=...)`) moves them in
    place. In any other Keras model the table trains like every weight, in full. Regularisers and weight decay would
    move all rows and do not reach it.

    Args:
        sizes: Number of ids of each field. Field `i` takes ids `0 .. sizes[i] - 1`; id 0 is for what is not known.
        dim: Width of every embedding.
        embeddings_initializer: Initializer of the table, and of rows that it gets later.
        hash_rows: Rows of each field for ids of at least `sizes[i]`, which share them by the remainder of the id.
            With 0 such an id is read as 0.
        field_names: What the fields are called where rows are added or freed; by default the layer's name and the place
            of the field, `"sparse_embedding/0"`.

    Call arguments:
        ids: As of `CategoricalEmbedding`: a list of integer tensors `(batch,)`, one a field; or one tensor
            `(batch, length)` of ids of one field. A negative id is read as 0 in a list, and is padding in one tensor.
        fields: Positions in `sizes` of the fields that `ids` holds; None for all, in the order of `sizes`.

    Returns:
        Tensor `(batch, len(fields) * dim)` of a list; `(batch, length, dim)` of one tensor, zeros at the padding.

    Raises:
        ValueError: `sizes` is empty, a size or `dim` is below 1, `hash_rows` is negative, or the number of fields
            differs from that of ids or names.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        dim: int,
        embeddings_initializer: Any = "uniform",
        hash_rows: int = 0,
        field_names: Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(sizes, dim, embeddings_initializer, **kwargs)
        if hash_rows < 0:
            raise ValueError(f"hash_rows must be at least 0. Received: {hash_rows}.")
        names = [f"{self.name}/{place}" for place in range(len(self.sizes))] if field_names is None else field_names
        if len(set(names)) != len(self.sizes):
            raise ValueError(f"field_names must name each of {len(self.sizes)} fields. Received: {list(names)}.")
        self.hash_rows, self.field_names = int(hash_rows), tuple(names)
        self._named = field_names is not None
        self._place_fields()

    def build(self, input_shape: Any) -> None:
        """Make the table `(sum of sizes and hash rows, dim)`."""
        self.table = self.add_weight(
            shape=(self.rows, self.dim),
            initializer=self._drawn,
            # Rows are cast after they are found: casting the table would cost as much as it has rows.
            autocast=False,
            name="table",
        )

    def resize(self, sizes: Sequence[int], table: np.ndarray) -> None:
        """Give the fields other numbers of ids, and the layer another table.

        `rocket_keras.row_turnover.grow_rows` says what is in it, and what else must know of it.

        Args:
            sizes: Number of ids of each field.
            table: `(sum of sizes and hash rows, dim)`, float32.
        """
        self.sizes = tuple(int(size) for size in sizes)
        self._place_fields()
        # Keras has no way to change a variable's shape: the old one goes, and the layer may get another.
        del self.table
        self._tracker.unlock()
        self.table = self.add_weight(
            shape=(self.rows, self.dim),
            initializer=lambda shape, dtype: ops.convert_to_tensor(table, dtype),
            autocast=False,
            name="table",
        )
        self._lock_state()

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return sum(self.sizes) + self.hash_rows * len(self.sizes)

    def call(self, ids: Any, fields: Sequence[int] | None = None) -> Any:
        """Look the ids up."""
        fields = self._fields(ids, fields)
        if not isinstance(ids, list | tuple):
            (field,) = fields
            found = self._found(self._rows_of(ids, field))
            return found * ops.expand_dims(present(ids, found.dtype), -1)
        rows = [self._rows_of(column, field) for column, field in zip(ids, fields, strict=True)]
        found = self._found(ops.stack(rows, axis=1))
        return ops.reshape(found, (-1, len(fields) * self.dim))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = list(self.field_names) if self._named else None
        return {**super().get_config(), "hash_rows": self.hash_rows, "field_names": names}

    def _drawn(self, shape: Sequence[int], dtype: str) -> Any:
        return ops.convert_to_tensor(drawn_rows(self.embeddings_initializer, shape, dtype), dtype)

    def _found(self, rows: Any) -> Any:
        return ops.cast(leaf_of(self, rows, take_rows(self.table, rows)), self.compute_dtype)

    def _rows_of(self, ids: Any, field: int) -> Any:
        ids, size = ops.cast(ids, "int32"), self.sizes[field]
        unseen = size + ops.mod(ids, self.hash_rows) if self.hash_rows else ops.zeros_like(ids)
        inside = ops.where(ops.less(ids, size), ops.maximum(ids, 0), unseen)
        return inside + self.offsets[field]

    def _place_fields(self) -> None:
        widths = [size + self.hash_rows for size in self.sizes]
        self.offsets = [sum(widths[:i]) for i in range(len(widths))]
