"""Processes of `torch.distributed` that train one model together, a process a device, each on rows of its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from rocket_keras.train_step.summable import check_summable

MOMENTS = ("begins a training", "has a batch", "moves rows of a table", "has no further batch")


class Processes:
    """What this process settles with the others.

    `DistributedDataParallel` averages the gradients of a model's variables while the backward pass is under way. The
    rest is done here: each process's share of a batch, rows of large tables, metrics and moving statistics.

    Args:
        model: A Rocket, Fleet or SparseNet, compiled.
    """

    def __init__(self, model: Any):
        self.size, self.rank = distributed.get_world_size(), distributed.get_rank()
        self.parallel: Any = None
        self._model = model
        # Whether to go on is a word between hosts, for which no accelerator has to wait.
        self._words = distributed.new_group(backend="gloo")

    def begin(self, batches: int | None) -> None:
        """Start all processes from the state of the first.

        Args:
            batches: Of an epoch, if that is known.

        Raises:
            ValueError: Numbers of batches that differ, or a loss that is no mean over rows.
        """
        model = self._model
        check_summable(model)
        counts = self._agreed("begins a training", -1 if batches is None else batches)
        if len(set(counts)) > 1 and -1 not in counts:
            raise ValueError(
                "Every process must have as many batches as the others, or the last would wait for ever. Received: "
                f"{counts} batches, by process. Give each as many rows, or drop the last ones."
            )
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        for held in (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables):
            for variable in held:
                distributed.broadcast(variable.value.data, 0)
        variables = [variable.value for variable in model.trainable_variables]
        self.parallel = DistributedDataParallel(_Forward(model, variables), init_sync=False)

    def forward(self, x: Any) -> Any:
        """Run the model forward for training."""
        if self.parallel is None:
            self.begin(None)
        return self.parallel(x)

    def scale(self, rows: int) -> float:
        """Return what this process multiplies its losses by, each a mean over its rows of a batch.

        The mean of the processes' gradients is then the gradient of the mean over all rows of the batch.
        """
        return rows * self.size / sum(self._agreed("has a batch", rows))

    def gradients(self, loss: Any, variables: Sequence[Any], rows: Sequence[Any], retain_graph: bool) -> list[Any]:
        """Return the derivative of a loss by variables and by rows; of variables, after the last loss, all's mean."""
        leaves = [*variables, *rows]
        for leaf in leaves:
            leaf.grad = None
        # Not autograd.grad, which passes by where DistributedDataParallel takes up a gradient. It puts the mean into
        # the tensors that are returned here, when it has the gradients of all variables.
        torch.autograd.backward(loss, inputs=leaves, retain_graph=retain_graph)
        missing = [variable for variable in variables if variable.grad is None]
        if missing:
            raise ValueError(
                "With more than one process every trainable variable must have a gradient. Received: none for one of "
                f"shape {tuple(missing[0].shape)}. Set trainable=False on layers and taps that no loss reads."
            )
        return [leaf.grad for leaf in leaves]

    def of_all(self, rows: Any, gradients: Any) -> tuple[Any, Any]:
        """Return the rows `(n,)` of all processes, and their gradients `(n, dim)` on the scale of the mean."""
        counts = self._agreed("moves rows of a table", len(rows))
        return self._gathered(rows, counts), self._gathered(gradients, counts) / self.size

    @contextmanager
    def merged(self) -> Iterator[None]:
        """Have metrics of all processes' rows for a while, once each has had its last batch of an epoch.

        The moving statistics of BatchNorm become the processes' mean for good. A mean of moving averages is the moving
        average of means, so once an epoch is as good as after every step.
        """
        self._agreed("has no further batch", 0)
        model = self._model
        states = [variable.value.data for variable in model.metrics_variables]
        local = [state.clone() for state in states]
        _reduced(states, distributed.ReduceOp.SUM)
        others = [v.value.data for v in keras.Model.non_trainable_variables.fget(model)]
        _reduced([other for other in others if other.is_floating_point()], distributed.ReduceOp.SUM, self.size)
        if hasattr(model, "bad_terms"):
            _reduced([model.bad_terms.value.data], distributed.ReduceOp.MAX)
        yield
        for state, mine in zip(states, local, strict=True):
            state.copy_(mine)

    def _gathered(self, values: Any, counts: Sequence[int]) -> Any:
        padded = torch.nn.functional.pad(values, [0, 0] * (values.ndim - 1) + [0, max(counts) - len(values)])
        found = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(found, padded.contiguous())
        return torch.cat([part[:count] for part, count in zip(found, counts, strict=True)])

    def _agreed(self, moment: str, value: int) -> list[int]:
        """Return every process's value, if all are at the same moment.

        Raises:
            RuntimeError: One is at another, for which the rest would have waited for ever.
        """
        mine = torch.tensor([MOMENTS.index(moment), value])
        found = [torch.empty_like(mine) for _ in range(self.size)]
        distributed.all_gather(found, mine, group=self._words)
        moments = [MOMENTS[int(one[0])] for one in found]
        if len(set(moments)) > 1:
            said = ", ".join(f"process {rank} {one}" for rank, one in enumerate(moments))
            raise RuntimeError(
                f"All processes must call fit and evaluate alike, on as many batches. Received: {said}. Give each as "
                "many rows."
            )
        return [int(one[1]) for one in found]


class _Forward(torch.nn.Module):
    """The forward pass of a Keras model, with the variables whose gradients are averaged.

    PyTorch knows a Keras model's own parameters by their paths, of which two variables may have the same.
    """

    def __init__(self, model: Callable[..., Any], variables: Sequence[Any]):
        super().__init__()
        self.variables = torch.nn.ParameterList(variables)
        self.call = model.__call__

    def forward(self, x: Any) -> Any:
        return self.call(x, training=True)


def gathered(value: Any) -> list[Any]:
    """Return what each process has for a value, in their order; what can be pickled."""
    if not many():
        return [value]
    found = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, value)
    return found


def many() -> bool:
    """Return whether this is one of several processes."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def _reduced(states: Sequence[Any], operation: Any, divisor: int = 1) -> None:
    """Make states the sum or maximum of all processes', in one exchange."""
    if not states:
        return
    flat = torch.cat([state.reshape(-1).double() for state in states])
    distributed.all_reduce(flat, operation)
    for state, values in zip(states, flat.split([state.numel() for state in states]), strict=True):
        state.copy_(values.reshape(state.shape) / divisor)
