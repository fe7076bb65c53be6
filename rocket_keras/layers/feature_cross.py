"""One cross layer of a deep and cross network."""

from typing import Any

import keras

from rocket_keras.extras import require


@keras.saving.register_keras_serializable(package="rocket_keras")
class FeatureCross(keras.layers.Layer):
    """`x0 * (W x + b) + x`, with a full matrix: KerasRS's layer, in a net that loads where rocket_keras is imported.

    Keras's loader knows only registered classes, and KerasRS registers its own when it is imported itself. This layer
    is registered with rocket_keras and imports KerasRS when it is made.

    Call arguments:
        inputs: The net's columns `x0` and the layer's input `x`, both `(batch, width)`.

    Returns:
        Tensor `(batch, width)`.

    Raises:
        ImportError: KerasRS is not installed; the message says how to install it.

    References:
        Wang et al., DCN V2, WWW 2021, equation 1.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.cross = require("keras_rs", "launch").layers.FeatureCross(dtype=self.dtype_policy, name="cross")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FeatureCross":
        """Rebuild the layer from `get_config`."""
        require(
            "keras_rs", "launch"
        )  # here: what `__init__` raises comes out of Keras's loader as a page of a TypeError
        return super().from_config(config)

    def build(self, input_shape: Any) -> None:
        """Make W `(width, width)` and b `(width,)`."""
        shape = input_shape[1]
        self.cross.build(shape)
        # KerasRS leaves W to the first call, which is too late for a net whose variables are counted and saved.
        self.cross.dense.build(shape)

    def call(self, inputs: Any) -> Any:
        """Cross the columns with the layer's input."""
        return self.cross(*inputs)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape of x."""
        return tuple(input_shape[1])
