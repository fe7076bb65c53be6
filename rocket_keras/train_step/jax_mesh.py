"""What JAX refuses of a `keras.distribution` in many lines, or waits for without a word, said in one line before."""

import pickle
from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from rocket_keras.train_step.batches import batch_count, row_count


def check(model: Any, x: Any, batch_size: int | None, steps: int | None) -> None:
    """Look at a model and its data before `fit`.

    Args:
        model: A Rocket, Fleet or SparseNet, compiled.
        x, batch_size, steps: What `fit` got.

    Raises:
        ValueError: Variables from outside the distribution, batches that cannot be cut into equal parts, or processes
            with numbers of batches that differ.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return
    devices = distribution.device_mesh.devices.size
    outside = [v for v in [*model.variables, *model.optimizer.variables] if len(v.value.sharding.device_set) != devices]
    if outside:
        raise ValueError(
            "A model that a keras.distribution trains must be built and compiled, its optimizer made, after "
            f"set_distribution or in distribution.scope(). Received: {outside[0].path!r}, which is not on its "
            f"{devices} devices."
        )
    check_parts(x, batch_size)
    if jax.process_count() > 1:
        counts = gathered(batch_count(x, batch_size, steps))
        if len(set(counts)) > 1 and None not in counts:
            raise ValueError(
                "Every process must have as many batches as the others, or the last would wait for ever. Received: "
                f"{counts} batches, by process. Give each as many rows, or drop the last ones."
            )


def check_parts(x: Any, batch_size: int | None) -> None:
    """Raise ValueError for arrays, or a stream in order, of which a batch cannot be cut into equal parts."""
    parts = _parts()
    if parts == 1:
        return
    # A stream in order has batches of its own, and counts its rows by reading them.
    streamed = hasattr(x, "row_count")
    rows, size = (x.row_count, x.batch_size) if streamed else (row_count(x), batch_size or 32)
    if rows is not None and any(batch % parts for batch in (min(size, rows), rows % size)):
        raise ValueError(
            f"JAX cuts every batch into {parts} equal parts, one a device. Received: {rows} rows in batches of {size}, "
            f"the last of {rows % size or size}. Give a batch_size and a number of rows that {parts} divides."
        )


def padded(x: Any, batch_size: int | None) -> tuple[Any, int | None]:
    """Return arrays with rows repeated, so that devices can share every batch, and how many of their rows are theirs.

    Other data is returned as it is, and None.

    Raises:
        ValueError: A stream in order, of which a batch cannot be cut into equal parts.
    """
    if hasattr(x, "row_count"):
        check_parts(x, batch_size)
    rows = row_count(x)
    extra = -((rows or 0) % (batch_size or 32)) % _parts()
    if rows is None or not extra:
        return x, None
    return keras.tree.map_structure(lambda a: np.concatenate([a, np.repeat(a[-1:], extra, axis=0)]), x), rows


def _parts() -> int:
    """Return into how many parts the devices of this process cut a batch."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else max(1, distribution.num_model_replicas // jax.process_count())


def whole(values: Any) -> Any:
    """Gather values `(n, ...)` that the devices share.

    Left to itself the compiler gathers them where they are sorted, by summing arrays of zeros: twice the bytes.
    """
    distribution = keras.distribution.distribution()
    if distribution is None:
        return values
    layout = keras.distribution.TensorLayout([None] * values.ndim, distribution.device_mesh)
    return keras.distribution.distribute_tensor(values, layout)


def of_this_process(predict: Callable[..., Any]) -> Callable[..., Any]:
    """Return a predict function whose outputs are those of this process's rows: a process cannot fetch others'."""
    if jax.process_count() == 1:
        return predict

    def of_own_rows(state: Any, iterator: Any) -> tuple[Any, Any]:
        outputs, state = predict(state, iterator)
        return jax.tree.map(_own_rows, outputs), state

    return of_own_rows


def _own_rows(output: jax.Array) -> np.ndarray:
    shards = {shard.index[0].start or 0: shard.data for shard in output.addressable_shards}
    return np.concatenate([shards[start] for start in sorted(shards)])


def gathered(value: Any) -> list[Any]:
    """Return what each process has for a value, in their order; what can be pickled."""
    if jax.process_count() == 1:
        return [value]
    mine = np.frombuffer(pickle.dumps(value), np.uint8)
    sizes = np.asarray(multihost_utils.process_allgather(np.array([len(mine)]))).reshape(-1)
    found = multihost_utils.process_allgather(np.pad(mine, (0, sizes.max() - len(mine))))
    return [pickle.loads(one[:size].tobytes()) for one, size in zip(np.asarray(found), sizes, strict=True)]
