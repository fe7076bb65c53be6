"""Training batches in an order that depends on seed and epoch alone, so that a resumed run sees what it would have
seen."""

from typing import Any

import keras
import numpy as np

from rocket_keras.graph import inputs_of
from rocket_keras.launch.recipe import Augmentation


class Batches(keras.utils.PyDataset):
    """Shuffled full batches of a split; fit them with `shuffle=False` and with the callback `EpochOrder`.

    Keras calls `on_epoch_end` once more than there are epochs, so the epoch cannot be counted here.

    Args:
        model: What is trained: it gets its own columns of a dict.
        split: Rows, with `x`, `y` and `rows(index)`.
        batch_size: Rows a batch; all rows where there are fewer.
        seed: Seed of the orders.
        augment: What is done to the images, or None.
        batches: Batches an epoch, at most as many as the rows make; None for all.
    """

    def __init__(
        self,
        model: keras.Model,
        split: Any,
        batch_size: int,
        seed: int,
        augment: Augmentation | None = None,
        batches: int | None = None,
    ):
        super().__init__()
        self.model = model
        self.split, self.batch_size, self.seed = split, min(batch_size, len(split)), seed
        self.augment = augment
        self.batches = batches
        self.draw(0)

    def __len__(self) -> int:
        """Batches an epoch."""
        full = len(self.split) // self.batch_size
        return full if self.batches is None else min(full, self.batches)

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        """Return one batch `(x, y)`."""
        part = self.split.rows(self.rows_of(index))
        if self.augment is None:
            return inputs_of(self.model, part.x), part.y
        return keras.ops.convert_to_numpy(self.augment.apply(part.x, self.choices_of(index))), part.y

    def rows_of(self, index: int) -> np.ndarray:
        """Return the places of one batch's rows in the split, `(batch,)`."""
        begin = index * self.batch_size
        return self._order[begin : begin + self.batch_size]

    def choices_of(self, index: int) -> np.ndarray:
        """Return the choice of the augmentation for each of one batch's rows, `(batch,)` int32; zeros without one."""
        ways = self.augment.choices if self.augment else 1
        return np.random.default_rng([self.seed, self.epoch, index]).integers(0, ways, self.batch_size, np.int32)

    def draw(self, epoch: int) -> None:
        """Take the order of that epoch, from 0."""
        self.epoch = epoch
        self._order = np.random.default_rng([self.seed, epoch]).permutation(len(self.split))


class EpochOrder(keras.callbacks.Callback):
    """Gives batches the order of the epoch that begins."""

    def __init__(self, batches: Batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the order."""
        self.batches.draw(epoch)


def predict_logits(model: keras.Model, x: Any, batch_size: int) -> Any:
    """Predict in batches of one size, so that a compiled backend compiles once whatever the number of rows.

    Args:
        model: A Rocket or a model of one output.
        x: Inputs `(rows, ...)` or a dict of them.
        batch_size: Rows a batch; the last one is filled up by repeating rows.

    Returns:
        Logits `(rows, classes)`, or such a dict by head.
    """
    x = inputs_of(model, x)
    rows = len(next(iter(x.values())) if isinstance(x, dict) else x)
    padded = -(-rows // batch_size) * batch_size
    index = np.arange(padded) % rows
    filled = {name: column[index] for name, column in x.items()} if isinstance(x, dict) else x[index]
    outputs = model.predict(filled, batch_size=batch_size, verbose=0)
    return {head: logits[:rows] for head, logits in outputs.items()} if isinstance(outputs, dict) else outputs[:rows]
