"""What `fit` can see in arrays before it starts: one clear line instead of a backend's frames."""

from typing import Any

import keras
import numpy as np

from rocket_keras.ranks import of_rank


def check_arrays(x: Any, y: Any, joint: keras.Model) -> None:
    """Check NumPy inputs and labels against the joint graph; other data sources pass unread.

    Args:
        x: Array `(rows, ...)`, or a dict of arrays by input name.
        y: Labels `(rows,)` or `(rows, 1)`: classes for several logits, 0..1 for one; or one row of targets an example.
        joint: The joint graph, with the output `booster`.

    Raises:
        ValueError: Columns that the graph does not take or that it lacks, no rows, a row count that differs, NaN or
            infinite values, an input shape that the graph does not take, or a label outside the classes.
    """
    if isinstance(x, dict) and isinstance(joint.input, dict) and set(x) != set(joint.input):
        extra, missing = sorted(set(x) - set(joint.input)), sorted(set(joint.input) - set(x))
        raise ValueError(f"x must have the nets' columns and no other. Missing: {missing}; too many: {extra}.")
    arrays = {name: a for name, a in (x.items() if isinstance(x, dict) else [("x", x)]) if isinstance(a, np.ndarray)}
    for name, array in arrays.items():
        if len(array) == 0:
            raise ValueError(f"{name} must have at least one row. Received: shape {array.shape}.")
        _check_finite(name, array)
    if isinstance(x, np.ndarray) and len(joint.inputs) == 1:
        _check_shape(x, joint.inputs[0].shape)
    if isinstance(y, np.ndarray):
        _check_labels(y, joint.output["booster"].shape[-1])
        sizes = {name: len(array) for name, array in {**arrays, "y": y}.items()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Inputs and labels must have as many rows as each other. Received: {sizes}.")


def _check_finite(name: str, array: np.ndarray) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = np.argwhere(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0, 0]
        raise ValueError(f"{name} must be finite, but row {row} holds NaN or infinity. Remove or fill such rows.")


def _check_shape(array: np.ndarray, expected: tuple[int | None, ...]) -> None:
    found = of_rank(array, expected).shape
    fits = len(found) == len(expected) and all(
        e is None or e == a for e, a in zip(expected[1:], found[1:], strict=True)
    )
    if not fits:
        raise ValueError(f"x must have rows of shape {tuple(expected[1:])}. Received: {tuple(array.shape[1:])}.")


def _check_labels(y: np.ndarray, logits: int) -> None:
    _check_finite("y", y)
    if logits == 1:
        bad, expected = (y < 0) | (y > 1), "from 0 to 1"
    elif y.ndim == 1 or y.shape[-1] == 1:
        bad, expected = (y < 0) | (y >= logits) | (y != np.floor(y)), f"whole numbers from 0 to {logits - 1}"
    else:
        return
    if bad.any():
        row = np.argwhere(bad.reshape(len(y), -1).any(axis=1))[0, 0]
        raise ValueError(f"Labels must be {expected}. Received: {y[row]} in row {row}.")
