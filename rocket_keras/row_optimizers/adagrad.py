"""Adagrad on rows, with one number a row."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rocket_keras.row_optimizers.base import RowOptimizer, Slot


@keras.saving.register_keras_serializable(package="rocket_keras", name="RowAdagrad")
class Adagrad(RowOptimizer):
    r"""Adagrad that accumulates the mean square of a row's gradient: one float32 a row.

    $$ a \leftarrow a + \frac{1}{d} \sum_j g_j^2, \quad r \leftarrow r - \frac{\eta g}{\sqrt{a + \epsilon}} $$

    Rows that are seldom looked up keep a large rate, so that ids of a few clicks learn, too.

    Args:
        learning_rate: A number or a `keras.optimizers.schedules.LearningRateSchedule` over the batches.
        initial_accumulator_value: `a` of a row that was never moved.
        epsilon: Keeps the root from 0.
        row_wise: False for an accumulator of the row's width: equal to `keras.optimizers.Adagrad` on the whole table.
        name: Name of the optimizer.

    References:
        Duchi et al., JMLR 2011; Naumov et al., Deep Learning Recommendation Model, arXiv 1906.00091, for tables.
    """

    def __init__(
        self,
        learning_rate: Any = 0.05,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        row_wise: bool = True,
        name: str = "row_adagrad",
    ):
        super().__init__(learning_rate, name)
        self.initial_accumulator_value, self.epsilon = float(initial_accumulator_value), float(epsilon)
        self.row_wise = bool(row_wise)
        self.slots = (Slot("accumulator", self.initial_accumulator_value, not self.row_wise),)

    def slot_changes(self, gradients: Any, slots: Sequence[Any]) -> list[Any]:
        """Accumulate the squares."""
        squares = ops.square(gradients)
        return [ops.mean(squares, axis=1, keepdims=True) if self.row_wise else squares]

    def row_changes(self, gradients: Any, slots: Sequence[Any], rate: Any) -> Any:
        """Go down the gradients, divided by the root of the sums."""
        return -rate * gradients / ops.sqrt(slots[0] + self.epsilon)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
            "row_wise": self.row_wise,
        }
