"""How many batches an epoch of `fit` has, as far as that can be known before it begins."""

from typing import Any

import keras


def batch_count(x: Any, batch_size: int | None, steps: int | None) -> int | None:
    """Return the batches of an epoch; None for data without a length.

    Args:
        x: What `fit` takes.
        batch_size, steps: `fit`'s `batch_size` and `steps_per_epoch`.
    """
    if steps is not None:
        return steps
    rows = row_count(x)
    if rows is not None:
        return -(-rows // (batch_size or 32))
    try:
        return len(x)  # a PyDataset or a DataLoader counts batches
    except TypeError:
        return None


def row_count(x: Any) -> int | None:
    """Return the rows of arrays in memory; None for other data."""
    leaves = keras.tree.flatten(x)
    return len(leaves[0]) if leaves and all(hasattr(leaf, "shape") and leaf.shape for leaf in leaves) else None
