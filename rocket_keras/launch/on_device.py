"""Training rows that stay in the device's memory: a step gets their places, and augments them where it is compiled."""

from typing import Any

import keras
import numpy as np
from keras import ops

from rocket_keras.graph import inputs_of
from rocket_keras.launch.batches import Batches
from rocket_keras.launch.recipe import Augmentation
from rocket_keras.rocket import Rocket


class TrainRows(keras.layers.Layer):
    """All training rows, looked up by place: `{"rows": (batch,), "choice": (batch,)}` to what a net takes.

    Args:
        x: The rows, one array or a dict of arrays.
        augment: What is done to the images that were looked up, or None.
    """

    def __init__(self, x: Any, augment: Augmentation | None = None):
        super().__init__(trainable=False)
        self.augment = augment
        self.columns = keras.tree.map_structure(self._column, x)
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        """Return the rows, augmented."""
        x = keras.tree.map_structure(lambda column: ops.take(column, inputs["rows"], axis=0), self.columns)
        return x if self.augment is None else self.augment.apply(x, inputs["choice"])

    def save_own_variables(self, store: Any) -> None:
        """Save nothing: the rows are no part of a checkpoint."""

    def load_own_variables(self, store: Any) -> None:
        """Load nothing."""

    def _column(self, array: np.ndarray) -> keras.Variable:
        weight = self.add_weight(shape=array.shape, dtype=array.dtype.name, initializer="zeros", trainable=False)
        weight.assign(array)
        return weight


class FedNet(keras.Model):
    """A net that trains on rows of `TrainRows`; it moves the net's own variables."""

    def __init__(self, net: keras.Model, feed: TrainRows):
        super().__init__()
        self.net, self.feed = net, feed
        self.built = True

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> Any:
        """Return the net's outputs for the rows at these places."""
        return self.net(inputs_of(self.net, self.feed(inputs)), training=training)


class FedRocket(Rocket):
    """A Rocket that trains on rows of `TrainRows`; the arguments are those of Rocket after the rows."""

    def __init__(self, feed: TrainRows, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.feed = feed

    def columns(self) -> None:
        """Return nothing: what comes are places of rows, not columns."""

    def call(self, inputs: dict[str, Any], training: bool | None = None) -> dict[str, Any]:
        """Return the pair's outputs for the rows at these places."""
        return super().call(inputs_of(self.joint, self.feed(inputs)), training)


class Places(Batches):
    """The same batches in the same order as `Batches`, as places for `TrainRows` and labels."""

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray]:
        """Return one batch `({"rows": ..., "choice": ...}, y)`."""
        rows = self.rows_of(index)
        return {"rows": rows.astype("int32"), "choice": self.choices_of(index)}, self.split.y[rows]
