"""The second-order term of a factorization machine."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="rocket_keras")
class FactorizationMachine(keras.layers.Layer):
    """Sum of the dot products of all pairs of fields' vectors.

    Computed as `1/2 sum_d ((sum_i v_id)^2 - sum_i v_id^2)`: work in the number of fields, not of pairs.

    Args:
        dim: Width of a field's vector.

    Call arguments:
        vectors: List of tensors `(batch, k * dim)`, each of the vectors of `k` fields side by side.

    Returns:
        Tensor `(batch, 1)`.

    Raises:
        ValueError: A width is no multiple of `dim`.

    References:
        Rendle, Factorization Machines, ICDM 2010, lemma 3.1; Guo et al., DeepFM, IJCAI 2017, equation 2.
    """

    def __init__(self, dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.dim = int(dim)

    def build(self, input_shape: Any) -> None:
        """Check the widths; there is no variable."""
        odd = [shape[-1] for shape in input_shape if shape[-1] % self.dim]
        if odd:
            raise ValueError(f"{self.name} must get {self.dim} columns a field. Received {odd[0]} columns.")

    def call(self, vectors: Any) -> Any:
        """Compute the term."""
        joined = ops.concatenate(vectors, axis=-1)
        fields = ops.reshape(joined, (-1, joined.shape[-1] // self.dim, self.dim))
        apart = ops.square(ops.sum(fields, axis=1)) - ops.sum(ops.square(fields), axis=1)
        return 0.5 * ops.sum(apart, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Return `(batch, 1)`."""
        return (input_shape[0][0], 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "dim": self.dim}
