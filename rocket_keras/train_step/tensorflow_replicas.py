"""What replicas of `tf.distribute` have to settle with each other, beyond what Keras does."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rocket_keras.train_step.batches import row_count
from rocket_keras.train_step.summable import check_summable

NO_ROWS = (
    "Every replica must get a row of every batch, and one got none. Give batches at least as many rows as there are "
    "replicas; drop the last rows of the data."
)


def count(strategy: Any = None) -> int:
    """Return the number of replicas of a strategy, of the current one if none is given."""
    return (strategy or tf.distribute.get_strategy()).num_replicas_in_sync


def shares(losses: Sequence[Any], rows: Any) -> list[Any]:
    """Return each loss, a mean over the rows of this replica, times the replica's share of the batch.

    The optimizer sums the gradients of the replicas. Keras divides by the number of replicas instead, which gives a row
    of a short last batch more weight where the replicas' rows differ in number.

    Args:
        losses: Scalars.
        rows: Rows of this replica, a scalar tensor.
    """
    if count() == 1:
        return list(losses)
    some = tf.debugging.assert_positive(rows, NO_ROWS)
    with tf.control_dependencies([some] if some is not None else []):
        mine = tf.cast(rows, "float32")
    share = mine / tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, mine)
    return [loss * tf.cast(share, loss.dtype) for loss in losses]


def of_all(values: Any) -> Any:
    """Return the values `(n, ...)` of all replicas one after another; n may differ."""
    return values if count() == 1 else tf.distribute.get_replica_context().all_gather(values, axis=0)


def gathered(value: Any) -> list[Any]:
    """Return the value: under TensorFlow what `predict` returns is that of all workers."""
    return [value]


def average(variables: Sequence[keras.Variable], strategy: Any) -> None:
    """Make what each replica moved by its own rows, the moving statistics of BatchNorm, the replicas' mean.

    A mean of moving averages is the moving average of means, so once an epoch is as good as after every step. Within
    a step nothing happens.
    """
    values = [variable.value for variable in variables if variable.value.dtype.is_floating]
    if not values or count(strategy) == 1 or not tf.distribute.in_cross_replica_context():
        return

    def become_mean() -> None:
        # Each replica its own copy: the strategy's own mean of a mirrored variable is the first replica's copy.
        means = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, [v + 0.0 for v in values])
        for value, mean in zip(values, means, strict=True):
            value.assign(mean)

    strategy.run(become_mean)


def check(model: Any, x: Any, batch_size: int | None) -> None:
    """Look at a model and its data before `fit`: one clear line instead of TensorFlow's frames.

    Args:
        model: A Rocket, Fleet or SparseNet, compiled.
        x, batch_size: What `fit` got.

    Raises:
        ValueError: A model from outside the strategy, a batch without a row for each replica, float16 with tables that
            are moved row by row, or a loss that is no mean over rows.
    """
    strategy = model.distribute_strategy
    if count(strategy) == 1:
        return
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise ValueError(
            "Keras 3.15's fit fails under tf.distribute.MultiWorkerMirroredStrategy, with any model. Train under "
            "MirroredStrategy on one machine, or on several under JAX or PyTorch."
        )
    inside = all(strategy.extended.variable_created_in_scope(variable.value) for variable in model.variables)
    if not inside or model.optimizer._distribution_strategy is not strategy:
        raise ValueError(
            "A model that a tf.distribute strategy trains must be built and compiled, its optimizer made, under "
            "`with strategy.scope():`. Received: one with variables or an optimizer from outside."
        )
    rows, size = row_count(x), batch_size or 32
    if rows is not None and 0 < rows % size < count(strategy):
        raise ValueError(f"{NO_ROWS} Received: {rows} rows in batches of {size}, for {count(strategy)} replicas.")
    check_summable(model)
