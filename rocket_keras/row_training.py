"""What a model needs so that tables of `SparseEmbedding` are trained row by row."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import keras
from keras import ops

from rocket_keras.layers.sparse_embedding import SparseEmbedding
from rocket_keras.routes import Route
from rocket_keras.row_lookups import Lookup
from rocket_keras.row_optimizers import Adagrad, RowOptimizer


class RowTraining(keras.Model):
    """Keeps large tables away from Keras's optimizer and moves their rows; a `TrainStep` stands before it.

    Tables that are trained row by row are no `trainable_variables` of the model, although they are of its nets: the
    optimizer makes no slots for them, and no gradient of their size is ever computed.

    Attributes:
        row_optimizer: Moves the rows; None where the model has no such table.
    """

    row_optimizer: RowOptimizer | None = None
    _noted: SimpleNamespace

    @property
    def row_layers(self) -> list[SparseEmbedding]:
        """Layers with tables that are trained row by row: all but the frozen."""
        return [layer for layer in self._sparse_layers() if layer.built and layer.trainable and layer.table.trainable]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """Variables that Keras's optimizer moves."""
        return _without(super().trainable_variables, self._tables())

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """Weights that Keras's optimizer moves."""
        return _without(super().trainable_weights, self._tables())

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        """All other variables: those of Keras, the tables, and the state of the row optimizer."""
        state = self.row_optimizer.variables if self.row_optimizer is not None else []
        return [*super().non_trainable_variables, *self._tables(), *state]

    @property
    def non_trainable_weights(self) -> list[keras.Variable]:
        """Weights that Keras's optimizer does not move."""
        return [*super().non_trainable_weights, *self._tables()]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics of this model and of its layers; not what a compiled model among the layers tracks for itself.

        Keras leaves those of a model among its layers out, and takes those of a model within a layer for its own: a
        teacher's `loss` would stand in the logs instead of ours.
        """
        layers = [layer for layer in self._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]
        return [*self._get_own_metrics(), *(metric for layer in layers for metric in layer._metrics)]

    @property
    def routed(self) -> bool:
        """Whether gradients are routed by variable, rather than taken of the whole loss at once."""
        return False

    def losses_by_route(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, list[Any]]:
        """Return the whole loss of a training batch, and what each of `all_routes` differentiates; scalars."""
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
        loss = loss if self.loss_divisor == 1 else loss * self.loss_divisor
        return loss, [loss]

    def routes(self) -> list[Route]:
        """Say which terms each trainable variable is differentiated by, where gradients are routed."""
        raise TypeError(f"{type(self).__name__} must define routes().")

    def all_routes(self) -> list[Route]:
        """Return the routes, with the tables among their variables; a single one where gradients are not routed."""
        return self.routes() if self.routed else [Route((), [*self.trainable_variables, *self._tables()])]

    def leaves(self, route: Route, lookups: Sequence[Lookup]) -> tuple[list[keras.Variable], list[int]]:
        """Return what a route is differentiated by: variables, and places of look-ups in its tables."""
        mine, tables = {id(v) for v in route.variables}, {id(table) for table in self._tables()}
        variables = [variable for variable in route.variables if id(variable) not in tables]
        return variables, [place for place, one in enumerate(lookups) if id(one.layer.table) in mine]

    def predicted(self, outputs: Any) -> Any:
        """Return what `predict` returns of the model's outputs."""
        return outputs

    def unscaled(self, gradients: Sequence[Any]) -> list[Any]:
        """Divide the rows' gradients by the scale that the optimizer put on the loss; to be called before it steps."""
        scale = self.optimizer.scale_loss(1.0)
        if isinstance(scale, float) and scale == 1.0:
            return list(gradients)
        return [gradient / ops.cast(scale, gradient.dtype) for gradient in gradients]

    def finite_together(self, dense: Sequence[Any], of_rows: Sequence[Any]) -> tuple[list[Any], Any]:
        """Let weights and rows skip a batch together where float16 overflowed.

        Args:
            dense: Gradients of the trainable variables, or None.
            of_rows: Gradients of what was looked up.

        Returns:
            `dense`, with a NaN in it if a row's gradient is not finite; and whether the rows may move. None for yes
            where the loss is not scaled dynamically: then a NaN goes where it goes in Keras.
        """
        dense, optimizer = list(dense), self.optimizer
        if not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            return dense, None
        rows_finite = optimizer.check_finite(of_rows)
        place = next((i for i in reversed(range(len(dense))) if dense[i] is not None), None)
        if place is None:
            return dense, rows_finite
        dense[place] = dense[place] + ops.cast(ops.where(rows_finite, 0.0, float("nan")), dense[place].dtype)
        return dense, optimizer.check_finite(dense)

    def apply_all(self, dense: Sequence[Any], lookups: Sequence[Lookup], of_rows: Sequence[Any]) -> None:
        """Apply the gradients of the trainable variables, and those of what was looked up; not under JAX.

        Args:
            dense: Gradients of `trainable_variables`, or None.
            lookups: What was looked up.
            of_rows: Gradients of each look-up's leaf, in its shape, or None.
        """
        if self.row_optimizer is None:
            self.optimizer.apply(list(dense), self.trainable_variables)
            return
        used = [(one, gradient) for one, gradient in zip(lookups, of_rows, strict=True) if gradient is not None]
        of_rows = self.unscaled([gradient for _, gradient in used])
        dense, moves = self.finite_together(dense, of_rows)
        self.optimizer.apply(dense, self.trainable_variables)
        self.move_rows([one for one, _ in used], of_rows, moves)

    def move_rows(self, lookups: Sequence[Lookup], gradients: Sequence[Any], moves: Any = None) -> None:
        """Move the rows that a batch looked up, each once.

        Args:
            lookups: What was looked up.
            gradients: Of each look-up's leaf, in its shape, of the unscaled loss.
            moves: A truth value, or None for true: where it is false nothing moves.
        """
        optimizer = self.row_optimizer
        assert optimizer is not None
        for layer in self.row_layers:
            mine = [(one, g) for one, g in zip(lookups, gradients, strict=True) if one.layer is layer]
            if mine:
                rows = ops.concatenate([ops.reshape(one.rows, (-1,)) for one, _ in mine])
                grads = ops.concatenate([ops.reshape(g, (-1, layer.dim)) for _, g in mine])
                optimizer.move(layer, *self.from_all_devices(rows, grads), moves)
        optimizer.iterations.assign_add(1 if moves is None else ops.cast(moves, optimizer.iterations.dtype))

    def from_all_devices(self, rows: Any, gradients: Any) -> tuple[Any, Any]:
        """Return the rows `(n,)` and gradients `(n, dim)` of all devices that train together; here, of the one."""
        return rows, gradients

    def compile_rows(self, row_optimizer: RowOptimizer | None) -> None:
        """Make the row optimizer's slots; row-wise Adagrad where none is given.

        Raises:
            ValueError: A row optimizer for a model without a table, or an optimizer that gathers gradients over several
                batches, which rows cannot do.
        """
        layers = self.row_layers
        if not layers:
            if row_optimizer is not None:
                raise ValueError(
                    f"row_optimizer moves the rows of SparseEmbedding layers, and {self.name} trains none. Leave it "
                    "out, or build the nets with SparseEmbedding."
                )
            self.row_optimizer = None
            return
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        for optimizer in (inner, *getattr(inner, "parts", {}).values()):
            if optimizer.gradient_accumulation_steps:
                raise ValueError(
                    "Rows of a SparseEmbedding move after every batch. Received: an optimizer with "
                    f"gradient_accumulation_steps={optimizer.gradient_accumulation_steps}. Take larger batches instead."
                )
        self.row_optimizer = Adagrad() if row_optimizer is None else row_optimizer
        self.row_optimizer.build(layers)

    def _sparse_layers(self) -> Sequence[SparseEmbedding]:
        # Noted once built: the graph of a model does not change then, and every step under PyTorch asks.
        if not hasattr(self, "_noted"):
            found = tuple(sparse_layers(self))
            if not self.built:
                return found
            # In a namespace: Keras would save what lies in a tuple, under this name instead of the graph's.
            self._noted = SimpleNamespace(layers=found)
        return self._noted.layers

    def _tables(self) -> list[keras.Variable]:
        return [layer.table for layer in self.row_layers]


def sparse_layers(model: keras.Model) -> list[SparseEmbedding]:
    """Return the model's layers of sparse tables, frozen ones included."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, SparseEmbedding)]


def _without(variables: Sequence[keras.Variable], tables: Sequence[keras.Variable]) -> list[keras.Variable]:
    ids = {id(table) for table in tables}
    return [variable for variable in variables if id(variable) not in ids]
