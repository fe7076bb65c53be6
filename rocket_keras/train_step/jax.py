"""The training step under JAX."""

from typing import Any

import jax
import keras


class TrainStep:
    """Mixin before `keras.Model`."""

    def train_step(self, state: tuple[Any, ...], data: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """Differentiate each route by its own variables and apply all gradients at once.

        Each route is traced on its own; the compiler merges the common forward pass.
        """
        if not self.routed:
            return super().train_step(state, data)
        trainable, non_trainable, optimizer_state, metrics = state
        batch = keras.utils.unpack_x_y_sample_weight(data)
        gradients: dict[int, Any] = {}
        for names, variables in self.routes():

            def route_loss(values: list[Any], names: tuple[str, ...] = names, variables: list[Any] = variables) -> Any:
                moved = dict(zip(map(id, variables), values, strict=True))
                merged = [moved.get(id(v), value) for v, value in zip(self.trainable_variables, trainable, strict=True)]
                return self._stateless_losses(names, (merged, non_trainable, optimizer_state, metrics), batch)

            current = {id(v): value for v, value in zip(self.trainable_variables, trainable, strict=True)}
            found, aux = jax.grad(route_loss, has_aux=True)([current[id(v)] for v in variables])
            gradients.update(zip(map(id, variables), found, strict=True))
        loss, y_pred, non_trainable, metrics = aux
        grads = [gradients[id(variable)] for variable in self.trainable_variables]
        trainable, optimizer_state = self.optimizer.stateless_apply(optimizer_state, grads, trainable)
        x, y, sample_weight = batch
        logs, metrics = self._update_metrics_variables(metrics, loss, x, y, y_pred, sample_weight)
        return logs, (trainable, non_trainable, optimizer_state, metrics)

    def predict_step(self, state: tuple[Any, ...], data: Any) -> tuple[dict[str, Any], Any]:
        """Return the two heads; taps serve training alone."""
        outputs, non_trainable = super().predict_step(state, data)
        return {head: outputs[head] for head in ("light", "booster")}, non_trainable

    def _stateless_losses(self, names: tuple[str, ...], state: tuple[Any, ...], batch: tuple[Any, ...]) -> Any:
        """Run forward without side effects: the scaled loss of one route, and (whole loss, outputs, new states)."""
        x, y, sample_weight = batch
        owners = (
            self.trainable_variables,
            self.non_trainable_variables,
            self.optimizer.variables,
            self.metrics_variables,
        )
        mapping = [
            pair
            for variables, values in zip(owners, state, strict=True)
            for pair in zip(variables, values, strict=True)
        ]
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True) as scope:
            y_pred = self(x, training=True)
            terms = self.loss_terms(y, y_pred, sample_weight)
            extra = self.layer_losses()
            loss = self.optimizer.scale_loss(sum(terms[name] for name in names) + extra)
        after = [[scope.get_current_value(v) for v in variables] for variables in (owners[1], owners[3])]
        return loss, (sum(terms.values()) + extra, y_pred, *after)
