"""The training step under TensorFlow; under `tf.distribute` the step of one replica."""

from typing import Any

import keras
import tensorflow as tf

from rocket_keras.row_lookups import RowLookups
from rocket_keras.train_step import tensorflow_replicas as replicas


class TrainStep:
    """Mixin before `keras.Model`."""

    @property
    def loss_divisor(self) -> int:
        """What Keras divides label losses by: the number of replicas of `tf.distribute`."""
        return replicas.count()

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit`, under a strategy after a look at whether it can."""
        replicas.check(self, x, batch_size)
        return super().fit(x, y, batch_size, *arguments, **options)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Differentiate each route by its own variables and apply all gradients at once."""
        if not self.routed and not self.row_layers and replicas.count() == 1:
            return super().train_step(data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        routes = self.all_routes()
        with tf.GradientTape(persistent=True) as tape:
            with RowLookups(self.row_layers, lambda rows: _watched(tape, rows)) as lookups:
                y_pred = self(x, training=True)
            whole, losses = self.losses_by_route(x, y, y_pred, sample_weight)
            rows = tf.shape(keras.tree.flatten(y_pred)[0])[0]
            losses = [self.optimizer.scale_loss(loss) for loss in replicas.shares(losses, rows)]
        self._loss_tracker.update_state(whole, sample_weight=rows)
        gradients: dict[int, Any] = {}
        of_rows: list[Any] = [None] * len(lookups.found)
        for loss, route in zip(losses, routes, strict=True):
            variables, places = self.leaves(route, lookups.found)
            leaves = [lookups.found[place].leaf for place in places]
            found = tape.gradient(loss, [*(variable.value for variable in variables), *leaves])
            gradients.update(zip(map(id, variables), found, strict=False))
            for place, gradient in zip(places, found[len(variables) :], strict=True):
                of_rows[place] = gradient
        self.apply_all([gradients[id(v)] for v in self.trainable_variables], lookups.found, of_rows)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return what the model predicts."""
        return self.predicted(super().predict_step(data))

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the metrics; at the end of an epoch of all replicas, whose moving statistics become one first."""
        # Keras's own: tables that are moved row by row, and their state, are the same on all replicas.
        replicas.average(keras.Model.non_trainable_variables.fget(self), self.distribute_strategy)
        return super().get_metrics_result()

    def from_all_devices(self, rows: Any, gradients: Any) -> tuple[Any, Any]:
        """Return the rows `(n,)` and gradients `(n, dim)` of all replicas, each of which moves its copy of a table."""
        return replicas.of_all(rows), replicas.of_all(gradients)


def _watched(tape: tf.GradientTape, rows: Any) -> Any:
    tape.watch(rows)
    return rows
