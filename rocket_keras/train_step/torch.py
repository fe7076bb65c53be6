"""The training step under PyTorch; with several processes the step of one."""

from typing import Any

import keras
import torch

from rocket_keras.row_lookups import RowLookups
from rocket_keras.train_step.batches import batch_count
from rocket_keras.train_step.torch_processes import Processes, many


class TrainStep:
    """Mixin before `keras.Model`."""

    loss_divisor = 1  # Keras divides label losses by the number of replicas under tf.distribute alone
    _in_step = False

    def train_step(self, data: Any) -> dict[str, Any]:
        """Differentiate each route by its own variables and apply all gradients at once."""
        processes = self._processes()
        if not self.routed and not self.row_layers and processes is None:
            # Keras clears the gradients of the parameters that PyTorch knows, by their paths: of two variables of one
            # path (the pair's layer and a frozen teacher's of the same name) one would add its gradients up.
            for variable in self.trainable_variables:
                variable.value.grad = None
            return super().train_step(data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with RowLookups(self.row_layers, lambda rows: rows.detach().requires_grad_()) as lookups:
            y_pred = self(x, training=True) if processes is None else processes.forward(x)
        whole, losses = self.losses_by_route(x, y, y_pred, sample_weight)
        count = len(keras.tree.flatten(y_pred)[0])
        self._loss_tracker.update_state(whole.detach(), sample_weight=count)
        scale = 1.0 if processes is None else processes.scale(count)
        gradients: dict[int, Any] = {}
        of_rows: list[Any] = [None] * len(lookups.found)
        # The booster's route, the largest, goes last, so that its activations are freed on the way back.
        routes = list(reversed(list(zip(losses, self.all_routes(), strict=True))))
        for number, (loss, route) in enumerate(routes, 1):
            variables, places = self.leaves(route, lookups.found)
            leaves = [variable.value for variable in variables], [lookups.found[place].leaf for place in places]
            found = self._derivatives(self.optimizer.scale_loss(loss * scale), *leaves, number < len(routes))
            gradients.update(zip(map(id, variables), found, strict=False))
            for place, gradient in zip(places, found[len(variables) :], strict=True):
                of_rows[place] = gradient
        with torch.no_grad():
            self.apply_all([gradients[id(v)] for v in self.trainable_variables], lookups.found, of_rows)
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return what the model predicts."""
        return self.predicted(super().predict_step(data))

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, *arguments: Any, **options: Any) -> Any:
        """Train as `keras.Model.fit`; with several processes all begin from the state of the first."""
        processes = self._processes()
        if processes is not None:
            processes.begin(batch_count(x, batch_size, options.get("steps_per_epoch")))
        return super().fit(x, y, batch_size, *arguments, **options)

    def compute_metrics(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Update every metric and return all of them; of this process's rows alone."""
        self._in_step = True
        try:
            return super().compute_metrics(*arguments, **options)
        finally:
            self._in_step = False

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the metrics; at the end of an epoch or evaluation those of all processes' rows."""
        processes = self._processes()
        if processes is None or self._in_step:
            return super().get_metrics_result()
        with processes.merged():
            return super().get_metrics_result()

    def from_all_devices(self, rows: Any, gradients: Any) -> tuple[Any, Any]:
        """Return the rows `(n,)` and gradients `(n, dim)` of all processes, each of which moves its copy of a table."""
        processes = self._processes()
        return (rows, gradients) if processes is None else processes.of_all(rows, gradients)

    def _derivatives(self, loss: Any, variables: list[Any], rows: list[Any], retain_graph: bool) -> Any:
        if not loss.requires_grad:  # of layers that no loss reads, above frozen ones
            return [None] * (len(variables) + len(rows))
        processes = self._processes()
        if processes is not None:
            return processes.gradients(loss, variables, rows, retain_graph)
        return torch.autograd.grad(loss, [*variables, *rows], retain_graph=retain_graph, allow_unused=True)

    def _processes(self) -> Processes | None:
        if not many():
            return None
        if not hasattr(self, "_processes_found"):
            # Past Keras and PyTorch, which would take what it holds for parts of the model.
            object.__setattr__(self, "_processes_found", Processes(self))
        return self._processes_found
