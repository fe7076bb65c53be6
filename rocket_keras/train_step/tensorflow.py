"""The training step under TensorFlow."""

from typing import Any

import keras
import tensorflow as tf


class TrainStep:
    """Mixin before `keras.Model`."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Differentiate each route by its own variables and apply all gradients at once."""
        if not self.routed:
            return super().train_step(data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        routes = self.routes()
        with tf.GradientTape(persistent=True) as tape:
            y_pred = self(x, training=True)
            terms = self.loss_terms(y, y_pred, sample_weight)
            extra = self.layer_losses()
            losses = [self.optimizer.scale_loss(loss) for loss in self.route_losses(routes, terms, extra)]
        self._loss_tracker.update_state(self.whole_loss(terms, extra), sample_weight=tf.shape(y_pred["booster"])[0])
        gradients: dict[int, Any] = {}
        for loss, (_, variables) in zip(losses, routes, strict=True):
            found = tape.gradient(loss, [variable.value for variable in variables])
            gradients.update(zip(map(id, variables), found, strict=True))
        variables = self.trainable_variables
        self.optimizer.apply([gradients[id(variable)] for variable in variables], variables)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> dict[str, Any]:
        """Return the heads; taps serve training alone."""
        outputs = super().predict_step(data)
        return {head: outputs[head] for head in self.heads}
