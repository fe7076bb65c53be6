"""What optimizers of rows have in common."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from rocket_keras.row_sums import summed_by_row
from rocket_keras.train_step.rows import add_rows, take_rows


class Slot(NamedTuple):
    """A number, or a vector, that an optimizer keeps for each row.

    Attributes:
        name: What it is called.
        initial: Its value for a row that was never moved.
        wide: Whether it is as wide as the row, rather than one number.
    """

    name: str
    initial: float = 0.0
    wide: bool = False


class RowOptimizer(keras.optimizers.Optimizer):
    """Moves the rows that a batch looked up; a row that no example of the batch has stays as it is, slots included.

    It differs from an optimizer of Keras in that a step costs as much as the batch has ids, whatever the size of the
    table. Subclasses say which `slots` they keep, whether `slot_changes` reads them (`reads_slots`), and what both
    changes are. Give it to `Rocket.compile(row_optimizer=...)`.

    Args:
        learning_rate: A number or a `keras.optimizers.schedules.LearningRateSchedule` over the batches.
        name: Name of the optimizer.
    """

    slots: tuple[Slot, ...] = ()
    reads_slots = False
    built: bool

    def __init__(self, learning_rate: Any, name: str | None = None):
        super().__init__(learning_rate=learning_rate, name=name)
        # A namespace: Keras would wrap a list, and ask for strings as keys of a dict.
        self._kept = SimpleNamespace(of={})

    def slot_changes(self, gradients: Any, slots: Sequence[Any]) -> list[Any]:
        """Say what is added to the slots of rows; it comes before the rows move.

        Args:
            gradients: Of each row, summed over the batch, `(n, dim)` float32.
            slots: The rows' values of each of `self.slots`, `(n, 1)` or `(n, dim)`; none unless `reads_slots`.

        Returns:
            What is added to each slot, in its shape.
        """
        return []

    def row_changes(self, gradients: Any, slots: Sequence[Any], rate: Any) -> Any:
        """Say what is added to rows.

        Args:
            gradients: Of each row, summed over the batch, `(n, dim)` float32.
            slots: The rows' values of each of `self.slots`, with their changes.
            rate: The learning rate.

        Returns:
            What is added to the rows, `(n, dim)`.
        """
        raise TypeError(f"{type(self).__name__} must define row_changes().")

    def build(self, layers: Sequence[keras.layers.Layer]) -> None:
        """Make the slots for the tables of these layers.

        Raises:
            ValueError: The optimizer has slots for other tables.
        """
        unknown = [layer.name for layer in layers if id(layer) not in self._kept.of]
        if self.built and unknown:
            raise ValueError(f"A row optimizer keeps slots for one model's tables. Make a new one for {unknown}.")
        for layer in layers if not self.built else ():
            self._kept.of[id(layer)] = [self._slot(layer, slot) for slot in self.slots]
        self.built = True

    def slots_of(self, layer: keras.layers.Layer) -> list[keras.Variable]:
        """Return the variables of the layer's slots, `(rows, 1)` or `(rows, dim)`, in the order of `slots`."""
        return self._kept.of[id(layer)]

    def has(self, layer: keras.layers.Layer) -> bool:
        """Whether `build` got the layer."""
        return id(layer) in self._kept.of

    def resize(self, layer: keras.layers.Layer, values: Sequence[np.ndarray]) -> None:
        """Make the slots anew for a table that has another number of rows now, with these values."""
        self._kept.of[id(layer)] = [
            self._slot(layer, slot, value) for slot, value in zip(self.slots, values, strict=True)
        ]

    @property
    def variables(self) -> list[keras.Variable]:
        """The step, the learning rate, and the slots of all tables."""
        return [*self._variables, *(variable for slots in self._kept.of.values() for variable in slots)]

    def move(self, layer: keras.layers.Layer, rows: Any, gradients: Any, moves: Any = None) -> None:
        """Move the rows of a layer's table by their gradients.

        Args:
            layer: One of those that `build` got.
            rows: Row numbers `(n,)`, int32, which may repeat.
            gradients: `(n, dim)`.
            moves: A truth value, or None for true: where it is false nothing moves.
        """
        rows, sums, first = summed_by_row(rows, ops.cast(gradients, "float32"))
        # A row without a gradient (padding, a weight of 0) is like one that was not looked up.
        counts = ops.any(ops.not_equal(sums, 0), axis=1)
        counts = ops.expand_dims(counts if moves is None else ops.logical_and(counts, moves), 1)
        slots = self.slots_of(layer)
        before = [take_rows(slot, rows) for slot in slots] if self.reads_slots else []
        for slot, change in zip(slots, self.slot_changes(sums, before), strict=True):
            add_rows(slot, rows, ops.where(counts, change, 0.0), first)
        # Read again: a slot whose old values went into the rows, too, would be copied whole under JAX.
        change = self.row_changes(sums, [take_rows(slot, rows) for slot in slots], self.learning_rate)
        add_rows(layer.table, rows, ops.where(counts, change, 0.0), first)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        return {key: config[key] for key in ("name", "learning_rate")}

    def _slot(self, layer: keras.layers.Layer, slot: Slot, value: np.ndarray | None = None) -> keras.Variable:
        rows, dim = layer.table.shape
        return keras.Variable(
            keras.initializers.Constant(slot.initial) if value is None else value,
            shape=(rows, dim if slot.wide else 1) if value is None else None,
            dtype="float32",
            trainable=False,
            autocast=False,
            name=f"{layer.name}_{slot.name}",
        )
