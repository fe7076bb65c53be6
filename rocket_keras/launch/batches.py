"""Training batches in an order that depends on seed and epoch alone, so that a resumed run sees what it would have
seen."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Shuffled full batches of a split.

    Args:
        split: Rows, with `x`, `y` and `rows(index)`.
        batch_size: Rows a batch; all rows where there are fewer.
        seed: Seed of the orders.
        epoch: Epoch that comes first, from 0.
        augment: `(images, seed) -> images`, or None.
    """

    def __init__(
        self, split: Any, batch_size: int, seed: int, epoch: int = 0, augment: Callable[[Any, int], Any] | None = None
    ):
        super().__init__()
        self.split, self.batch_size, self.seed = split, min(batch_size, len(split)), seed
        self.epoch, self.augment = epoch, augment
        self._order = self._shuffled()

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.split) // self.batch_size

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        """Return one batch `(x, y)`."""
        begin = index * self.batch_size
        part = self.split.rows(self._order[begin : begin + self.batch_size])
        if self.augment is None:
            return part.x, part.y
        draw = int(np.random.default_rng([self.seed, self.epoch, index]).integers(2**31))
        return keras.ops.convert_to_numpy(self.augment(part.x, draw)), part.y

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self.epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        return np.random.default_rng([self.seed, self.epoch]).permutation(len(self.split))


def predict_logits(model: keras.Model, x: Any, batch_size: int) -> Any:
    """Predict in batches of one size, so that a compiled backend compiles once whatever the number of rows.

    Args:
        model: A Rocket or a model of one output.
        x: Inputs `(rows, ...)` or a dict of them.
        batch_size: Rows a batch; the last one is filled up by repeating rows.

    Returns:
        Logits `(rows, classes)`, or such a dict by head.
    """
    rows = len(next(iter(x.values())) if isinstance(x, dict) else x)
    padded = -(-rows // batch_size) * batch_size
    index = np.arange(padded) % rows
    filled = {name: column[index] for name, column in x.items()} if isinstance(x, dict) else x[index]
    outputs = model.predict(filled, batch_size=batch_size, verbose=0)
    return {head: logits[:rows] for head, logits in outputs.items()} if isinstance(outputs, dict) else outputs[:rows]
