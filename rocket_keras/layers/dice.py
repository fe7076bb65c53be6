"""The data-adaptive activation of the deep interest network."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="rocket_keras")
class Dice(keras.layers.Layer):
    """PReLU whose bend lies at the batch's mean: `p(s) s + (1 - p(s)) alpha s`, `p(s) = sigmoid((s - mean) / std)`.

    Mean and standard deviation are the batch's in training and moving averages elsewhere; alpha is learned, one a
    column, from 0.

    Args:
        momentum: Share of the moving averages that a step keeps.
        epsilon: Added to the variance. The paper's 1e-8 is below what float32 statistics resolve.

    Call arguments:
        inputs: Tensor `(batch, ..., width)`.

    Returns:
        Tensor of the same shape.

    References:
        Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, section 5.2.
    """

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon
        self.norm = keras.layers.BatchNormalization(
            momentum=momentum, epsilon=epsilon, center=False, scale=False, dtype=self.dtype_policy, name="norm"
        )

    def build(self, input_shape: Any) -> None:
        """Make alpha `(width,)` and the statistics."""
        self.alpha = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="alpha")
        self.norm.build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Apply the activation."""
        share = ops.sigmoid(self.norm(inputs, training=training))
        return inputs * (share + self.alpha * (1 - share))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the inputs' shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}
