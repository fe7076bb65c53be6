"""The training step under PyTorch."""

from typing import Any

import keras
import torch


class TrainStep:
    """Mixin before `keras.Model`."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Differentiate each route by its own variables and apply all gradients at once."""
        if not self.routed:
            # Keras clears the gradients of the parameters that PyTorch knows, by their paths: of two variables of one
            # path (the pair's layer and a frozen teacher's of the same name) one would add its gradients up.
            for variable in self.trainable_variables:
                variable.value.grad = None
            return super().train_step(data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=True)
        terms = self.loss_terms(y, y_pred, sample_weight)
        extra = self.layer_losses()
        self._loss_tracker.update_state(self.whole_loss(terms, extra).detach(), sample_weight=len(y_pred["booster"]))
        gradients: dict[int, Any] = {}
        # The booster's route, the largest, goes last, so that its activations are freed on the way back.
        routes = list(reversed(self.routes()))
        losses = self.route_losses(routes, terms, extra)
        for place, (loss, (_, variables)) in enumerate(zip(losses, routes, strict=True), 1):
            values, scaled = [variable.value for variable in variables], self.optimizer.scale_loss(loss)
            found = torch.autograd.grad(scaled, values, retain_graph=place < len(routes), allow_unused=True)
            gradients.update(zip(map(id, variables), found, strict=True))
        variables = self.trainable_variables
        with torch.no_grad():
            self.optimizer.apply([gradients[id(variable)] for variable in variables], variables)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> dict[str, Any]:
        """Return the heads; taps serve training alone."""
        outputs = super().predict_step(data)
        return {head: outputs[head] for head in self.heads}
