"""Plain gradient descent on rows."""

from collections.abc import Sequence
from typing import Any

import keras

from rocket_keras.row_optimizers.base import RowOptimizer


@keras.saving.register_keras_serializable(package="rocket_keras", name="RowSGD")
class SGD(RowOptimizer):
    """Gradient descent without momentum; equal to Keras's on the whole table. It keeps nothing for a row.

    Args:
        learning_rate: A number or a `keras.optimizers.schedules.LearningRateSchedule` over the batches.
        name: Name of the optimizer.
    """

    def __init__(self, learning_rate: Any = 0.01, name: str = "row_sgd"):
        super().__init__(learning_rate, name)

    def row_changes(self, gradients: Any, slots: Sequence[Any], rate: Any) -> Any:
        """Go down the gradients."""
        return -rate * gradients
