"""The training step under JAX."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import keras

from rocket_keras.row_lookups import Lookup, RowLookups
from rocket_keras.train_step import jax_mesh


class TrainStep:
    """Mixin before `keras.Model`."""

    loss_divisor = 1  # Keras divides label losses by the number of replicas under tf.distribute alone
    predict_function: Any

    def train_step(self, state: tuple[Any, ...], data: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """Differentiate each route by its own variables and apply all gradients at once."""
        if not self.routed and not self.row_layers:
            return super().train_step(state, data)
        trainable, non_trainable, optimizer_state, metrics = state
        batch = keras.utils.unpack_x_y_sample_weight(data)
        routes = self.all_routes()
        looked_up, zeros = self._lookups_of(state, batch)

        def losses(moved: dict[Any, Any]) -> tuple[list[Any], tuple[Any, ...]]:
            merged = [moved[id(variable)] for variable in self.trainable_variables]
            added = [moved[place] for place in range(len(looked_up))]
            return self._stateless_losses((merged, *state[1:]), batch, added)

        keys = [_keys(*self.leaves(route, looked_up)) for route in routes]
        current = dict(zip(map(id, self.trainable_variables), trainable, strict=True)) | dict(enumerate(zeros))
        _, gradients, aux = _differentiate(losses, current, keys)
        whole, y_pred, rows, non_trainable, metrics = aux
        grads = [gradients[id(variable)] for variable in self.trainable_variables]
        if self.row_optimizer is None:
            trainable, optimizer_state = self.optimizer.stateless_apply(optimizer_state, grads, trainable)
        else:
            lookups = [one._replace(rows=mine) for one, mine in zip(looked_up, rows, strict=True)]
            of_rows = [gradients[place] for place in range(len(lookups))]
            state = (trainable, non_trainable, optimizer_state)
            trainable, non_trainable, optimizer_state = self._apply_all_stateless(state, grads, lookups, of_rows)
        x, y, sample_weight = batch
        logs, metrics = self._update_metrics_variables(metrics, whole, x, y, y_pred, sample_weight)
        return logs, (trainable, non_trainable, optimizer_state, metrics)

    def predict_step(self, state: tuple[Any, ...], data: Any) -> tuple[Any, Any]:
        """Return what the model predicts."""
        outputs, non_trainable = super().predict_step(state, data)
        return self.predicted(outputs), non_trainable

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit`, under a distribution after a look at whether it can."""
        jax_mesh.check(self, x, batch_size, options.get("steps_per_epoch"))
        return super().fit(x, y, batch_size, *arguments, **options)

    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, *arguments: Any, **options: Any
    ) -> Any:
        """Evaluate as `keras.Model.evaluate`, under a distribution after a look at the batches."""
        jax_mesh.check_parts(x, batch_size)
        with self._synced_after_errors():
            return super().evaluate(x, y, batch_size, *arguments, **options)

    def predict(self, x: Any, batch_size: int | None = None, *arguments: Any, **options: Any) -> Any:
        """Predict as `keras.Model.predict`; under a distribution any number of rows."""
        x, rows = jax_mesh.padded(x, batch_size)
        with self._synced_after_errors():
            outputs = super().predict(x, batch_size, *arguments, **options)
        return keras.tree.map_structure(lambda output: output[:rows], outputs)

    def from_all_devices(self, rows: Any, gradients: Any) -> tuple[Any, Any]:
        """Return the rows `(n,)` and gradients `(n, dim)`, whole on every device that has a copy of the table."""
        return jax_mesh.whole(rows), jax_mesh.whole(gradients)

    def make_predict_function(self, force: bool = False) -> Any:
        """Make what `predict` calls; with several processes each gets the outputs of its own rows."""
        if self.predict_function is None or force:
            super().make_predict_function(force)
            self.predict_function = jax_mesh.of_this_process(self.predict_function)
        return self.predict_function

    def _make_function(self, step_function: Any, concatenate_outputs: bool = False) -> Any:
        """Make what `fit`, `evaluate` and `predict` call, and give the variables their values back where it raises.

        Keras takes the values out of the variables for a run of steps, and loses them if a step fails.
        """
        states: list[Any] = []

        def noted(state: Any, data: Any) -> Any:
            states[:] = [state]
            done: list[Any] = []
            # Not a plain call: an interrupt during the step is raised when the call returns, before its result is
            # assigned, and the values that went in are gone by then.
            try:
                done.extend(map(step_function, (state,), (data,)))
            finally:
                states.extend(after for _, after in done)
            return done[0]

        function = super()._make_function(noted, concatenate_outputs)

        def step(state: Any, iterator: Any) -> Any:
            states[:] = [state]
            try:
                return function(state, iterator)
            except BaseException:
                self._take_back(states[-1])
                raise
            finally:
                states.clear()

        return step

    @contextlib.contextmanager
    def _synced_after_errors(self) -> Iterator[None]:
        """Give the variables their values back where a callback fails between two batches; in `fit` Keras does."""
        try:
            yield
        except BaseException:
            self.jax_state_sync()
            raise

    def _take_back(self, state: tuple[Any, ...]) -> None:
        """Assign the values of a state to the variables, unless a step has used them up."""
        owners = [self.trainable_variables, self.non_trainable_variables]
        if len(state) == 4:
            owners.append(self.optimizer.variables)
        if len(state) > 2:
            owners.append(self.metrics_variables)
        for variables, values in zip(owners, state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                if not value.is_deleted():
                    variable.assign(value)
        self._jax_state = None

    def _lookups_of(self, state: tuple[Any, ...], batch: Any) -> tuple[list[Lookup], list[Any]]:
        """Find, in shapes alone, what a batch looks up, and return it with zeros to be added to each leaf."""
        if not self.row_layers:
            return [], []
        found: list[Lookup] = []

        def noted(*state: Any) -> None:
            with self._stateless(state), RowLookups(self.row_layers, lambda rows: rows) as lookups:
                self(batch[0], training=True)
            found.extend(lookups.found)

        jax.eval_shape(noted, *state)
        return found, [jax.numpy.zeros(one.leaf.shape, one.leaf.dtype) for one in found]

    def _stateless_losses(self, state: tuple[Any, ...], batch: tuple[Any, ...], added: list[Any]) -> Any:
        """Run forward without side effects: the scaled loss of each route, and what is needed beside them.

        The further results are the whole loss, the outputs, the rows that were looked up, and the new states.
        """
        x, y, sample_weight = batch
        waiting = iter(added)
        with self._stateless(state, collect_losses=True) as scope:
            with RowLookups(self.row_layers, lambda rows: rows + next(waiting)) as lookups:
                y_pred = self(x, training=True)
            whole, losses = self.losses_by_route(x, y, y_pred, sample_weight)
            losses = [self.optimizer.scale_loss(loss) for loss in losses]
        after = [_values(scope, variables) for variables in (self.non_trainable_variables, self.metrics_variables)]
        return losses, (whole, y_pred, [one.rows for one in lookups.found], *after)

    def _apply_all_stateless(self, state: Any, grads: list[Any], lookups: list[Lookup], of_rows: list[Any]) -> Any:
        """Apply all gradients and return the new trainable and other variables and the optimizer's state."""
        trainable, non_trainable, optimizer_state = state
        with keras.StatelessScope(list(zip(self.optimizer.variables, optimizer_state, strict=True))):
            of_rows = self.unscaled(of_rows)
            grads, moves = self.finite_together(grads, of_rows)
        trainable, optimizer_state = self.optimizer.stateless_apply(optimizer_state, grads, trainable)
        with keras.StatelessScope(list(zip(self.non_trainable_variables, non_trainable, strict=True))) as scope:
            self.move_rows(lookups, of_rows, moves)
        return trainable, _values(scope, self.non_trainable_variables), optimizer_state

    def _stateless(self, state: tuple[Any, ...], **options: Any) -> Any:
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
        return keras.StatelessScope(state_mapping=mapping, **options)


def _keys(variables: list[Any], places: list[int]) -> list[int]:
    return [*map(id, variables), *places]


def _values(scope: Any, variables: list[Any]) -> list[Any]:
    return [scope.get_current_value(variable) for variable in variables]


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
