"""The training step under JAX."""

from collections.abc import Callable
from typing import Any

import jax
import keras


class TrainStep:
    """Mixin before `keras.Model`."""

    def train_step(self, state: tuple[Any, ...], data: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """Differentiate each route by its own variables and apply all gradients at once."""
        if not self.routed:
            return super().train_step(state, data)
        trainable, non_trainable, optimizer_state, metrics = state
        batch = keras.utils.unpack_x_y_sample_weight(data)
        routes = self.routes()

        def losses(moved: dict[int, Any]) -> tuple[list[Any], tuple[Any, ...]]:
            merged = [moved[id(variable)] for variable in self.trainable_variables]
            return self._stateless_losses(routes, (merged, non_trainable, optimizer_state, metrics), batch)

        current = dict(zip(map(id, self.trainable_variables), trainable, strict=True))
        _, gradients, aux = _differentiate(losses, current, [[id(v) for v in route.variables] for route in routes])
        loss, y_pred, non_trainable, metrics = aux
        grads = [gradients[id(variable)] for variable in self.trainable_variables]
        trainable, optimizer_state = self.optimizer.stateless_apply(optimizer_state, grads, trainable)
        x, y, sample_weight = batch
        logs, metrics = self._update_metrics_variables(metrics, loss, x, y, y_pred, sample_weight)
        return logs, (trainable, non_trainable, optimizer_state, metrics)

    def predict_step(self, state: tuple[Any, ...], data: Any) -> tuple[dict[str, Any], Any]:
        """Return the heads; taps serve training alone."""
        outputs, non_trainable = super().predict_step(state, data)
        return {head: outputs[head] for head in self.heads}, non_trainable

    def _stateless_losses(self, routes: list[Any], state: tuple[Any, ...], batch: tuple[Any, ...]) -> Any:
        """Run forward without side effects: the scaled loss of each route, and (whole loss, outputs, new states)."""
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
            losses = [self.optimizer.scale_loss(loss) for loss in self.route_losses(routes, terms, extra)]
        after = [[scope.get_current_value(v) for v in variables] for variables in (owners[1], owners[3])]
        return losses, (self.whole_loss(terms, extra), y_pred, *after)


def _differentiate(
    losses: Callable[[dict[int, Any]], tuple[list[Any], tuple[Any, ...]]],
    values: dict[int, Any],
    routes: list[list[int]],
    place: int = 0,
) -> tuple[list[Any], dict[int, Any], tuple[Any, ...]]:
    """Differentiate loss i by the values of route i, for all routes over one forward pass.

    Each route's derivative is taken around the next one's. Side by side they would trace the forward pass once a route,
    and the compiler does not merge the copies: differentiated operations differ from plain ones.
    """
    if place == len(routes):
        found, aux = losses(values)
        return found, {}, aux

    def route_loss(mine: list[Any]) -> tuple[Any, tuple[Any, ...]]:
        inner = _differentiate(losses, {**values, **dict(zip(routes[place], mine, strict=True))}, routes, place + 1)
        return inner[0][place], inner

    mine, (found, gradients, aux) = jax.grad(route_loss, has_aux=True)([values[key] for key in routes[place]])
    return found, {**gradients, **dict(zip(routes[place], mine, strict=True))}, aux
