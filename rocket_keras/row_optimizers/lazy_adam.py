"""Adam on rows."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rocket_keras.row_optimizers.base import RowOptimizer, Slot


@keras.saving.register_keras_serializable(package="rocket_keras", name="RowLazyAdam")
class LazyAdam(RowOptimizer):
    """Adam that lets the moments of a row decay only in the batches that look the row up.

    Keras's Adam moves a row for many batches after its last gradient; this one does not. The bias correction counts the
    batches that looked up the row, so a new row starts as Adam does. Where every batch looks up every row, both are the
    same. It keeps two vectors and a count a row: three times the memory of the table.

    Args:
        learning_rate: A number or a `keras.optimizers.schedules.LearningRateSchedule` over the batches.
        beta_1, beta_2: Decay of the first and second moment.
        epsilon: Keeps the quotient finite.
        name: Name of the optimizer.

    References:
        Kingma and Ba, Adam, ICLR 2015, algorithm 1 in the form of Keras.
    """

    slots = (Slot("first_moment", wide=True), Slot("second_moment", wide=True), Slot("count"))
    reads_slots = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "row_lazy_adam",
    ):
        super().__init__(learning_rate, name)
        self.beta_1, self.beta_2, self.epsilon = float(beta_1), float(beta_2), float(epsilon)

    def slot_changes(self, gradients: Any, slots: Sequence[Any]) -> list[Any]:
        """Move the moments and count."""
        first, second, count = slots
        of_first = (gradients - first) * (1 - self.beta_1)
        return [of_first, (ops.square(gradients) - second) * (1 - self.beta_2), ops.ones_like(count)]

    def row_changes(self, gradients: Any, slots: Sequence[Any], rate: Any) -> Any:
        """Go by the first moment, divided by the root of the second."""
        first, second, count = slots
        # A row that does not move may never have been counted.
        steps = ops.maximum(count, 1.0)
        rate = rate * ops.sqrt(1 - ops.power(self.beta_2, steps)) / (1 - ops.power(self.beta_1, steps))
        return -rate * first / (ops.sqrt(second) + self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
