"""The linear part of a click-through-rate net over its ids."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rocket_keras.layers.fused_rows import fused_rows, present


@keras.saving.register_keras_serializable(package="rocket_keras")
class SparseLinear(keras.layers.Layer):
    """A linear layer over one-hot fields: the sum of one weight an id, for each output.

    It equals a `Dense` layer without bias over the fields' one-hot vectors (over the mean of them where a row has
    several ids of a field), in one gather.

    Args:
        sizes: Number of ids of each field. Field `i` takes ids `0 .. sizes[i] - 1`.
        units: Number of outputs.
        kernel_initializer: Initializer of the weights.

    Call arguments:
        ids: List of integer tensors, one a field, in the order of `sizes`: `(batch,)`, or `(batch, length)` with
            negative ids as padding.

    Returns:
        Tensor `(batch, units)`.

    Raises:
        ValueError: `sizes` is empty, a size or `units` is below 1, or the number of fields differs from `sizes`.

    References:
        Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016, equation 3 without the cross-products.
    """

    def __init__(self, sizes: Sequence[int], units: int = 1, kernel_initializer: Any = "zeros", **kwargs: Any):
        super().__init__(**kwargs)
        if not sizes or min(sizes) < 1 or units < 1:
            raise ValueError(
                f"sizes and units must be at least 1, for at least one field. Received: {sizes=}, {units=}."
            )
        self.sizes, self.units = tuple(int(size) for size in sizes), int(units)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.offsets = [sum(self.sizes[:i]) for i in range(len(self.sizes))]

    def build(self, input_shape: Any) -> None:
        """Make the weights `(sum of sizes, units)`."""
        if len(input_shape) != len(self.sizes):
            raise ValueError(
                f"{self.name} must get one id tensor for each of {len(self.sizes)} fields, got {len(input_shape)}."
            )
        self.kernel = self.add_weight(
            shape=(sum(self.sizes), self.units), initializer=self.kernel_initializer, name="kernel"
        )

    def call(self, ids: Any) -> Any:
        """Look the weights up and sum them."""
        padded = [i if len(i.shape) == 2 else ops.expand_dims(i, 1) for i in ids]
        fields = zip(padded, self.sizes, self.offsets, strict=True)
        rows = ops.concatenate([fused_rows(i, size, offset) for i, size, offset in fields], axis=1)
        found = ops.take(self.kernel, rows, axis=0)
        shares = [
            _shares(i, found.dtype) if len(whole.shape) == 2 else ops.ones_like(i, dtype=found.dtype)
            for i, whole in zip(padded, ids, strict=True)
        ]
        return ops.sum(found * ops.expand_dims(ops.concatenate(shares, axis=1), -1), axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Return `(batch, units)`."""
        return (input_shape[0][0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "sizes": list(self.sizes),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


def _shares(ids: Any, dtype: str) -> Any:
    """Return what each place adds to the row's mean, `(batch, length)`."""
    places = present(ids, dtype)
    return places / ops.maximum(ops.sum(places, axis=1, keepdims=True), 1)
