"""What `fit` can see in arrays before it starts: one clear line instead of a backend's frames."""

from typing import Any

import keras
import numpy as np

from rocket_keras.encoding.raw_values import check_int32
from rocket_keras.ranks import of_rank


def check_arrays(x: Any, y: Any, joint: keras.Model, prefix: str = "") -> None:
    """Check inputs and labels in memory against the joint graph; other data sources pass unread.

    Arrays are what Keras takes for arrays: NumPy's, pandas's Series and DataFrame, tensors of any backend, and all else
    that NumPy can read.

    Args:
        x: Array `(rows, ...)`, or a dict or list of arrays, one per input.
        y: Labels `(rows,)` or `(rows, 1)`: classes for several logits, 0..1 for one; or one row of targets an example;
            or a dict of them by role, `"light"` and `"booster"`.
        joint: The joint graph, with the output `booster`.
        prefix: What stands before the names in messages.

    Raises:
        ValueError: Columns that the graph does not take or that it lacks, no rows, a row count that differs, NaN or
            infinite values, whole numbers beyond int32, an input shape that the graph does not take, or a label that is
            no number or outside the classes.
    """
    check_columns(x, joint)
    arrays = {name: array for name, part in _parts(x, f"{prefix}x") if (array := _as_numpy(part)) is not None}
    labels = {name: array for name, part in _parts(y, f"{prefix}y") if (array := _as_numpy(part)) is not None}
    for name, array in arrays.items():
        if len(array) == 0:
            raise ValueError(f"{name} must have at least one row. Received: shape {array.shape}.")
        _check_finite(name, array)
        check_int32(name, array)
    if len(arrays) == len(joint.inputs) == 1:
        ((name, array),) = arrays.items()
        _check_shape(name, array, joint.inputs[0].shape)
    for name, array in labels.items():
        _check_labels(name, array, joint.output["booster"].shape[-1])
    for _, part in _parts(y, f"{prefix}y"):
        if isinstance(part, np.ndarray) and part.dtype.kind == "O":
            _refuse_labels(part)
    sizes = {name: len(array) for name, array in {**arrays, **labels}.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"Inputs and labels must have as many rows as each other. Received: {sizes}.")


def check_validation(data: Any, joint: keras.Model) -> None:
    """Check what `fit` takes as `validation_data` as `check_arrays` does, where it is a tuple of arrays."""
    if isinstance(data, list | tuple) and len(data) in (2, 3):
        check_arrays(data[0], data[1], joint, prefix="validation ")


def _parts(data: Any, name: str) -> list[tuple[str, Any]]:
    """Return the arrays of a dict, list or single array, with what to call each."""
    if isinstance(data, dict):
        return [(str(key) if name == "x" else f"{name}[{key!r}]", part) for key, part in data.items()]
    if isinstance(data, list | tuple):
        return [(f"{name}[{place}]", part) for place, part in enumerate(data)]
    return [(name, data)]


def _as_numpy(value: Any) -> np.ndarray | None:
    """Return the values of what Keras takes for an array; None for other data, and for what is no table of numbers."""
    if keras.ops.is_tensor(value):
        value = keras.ops.convert_to_numpy(value)
    elif not isinstance(value, np.ndarray):
        if not hasattr(value, "__array__") or not hasattr(value, "shape"):
            return None
        value = np.asarray(value)
    if value.dtype.kind == "O":  # pandas's columns with gaps, and decimals
        try:
            value = value.astype("float64")
        except (TypeError, ValueError):
            return None
    return value if value.ndim else None


def check_columns(x: Any, joint: keras.Model) -> None:
    """Check that arrays to train on have no column that is read by no net: it was probably meant to be read.

    Args:
        x: Inputs of any form; only dicts are looked at.
        joint: The joint graph.

    Raises:
        ValueError: Columns that the graph does not take or that it lacks.
    """
    if isinstance(x, dict) and isinstance(joint.input, dict) and set(x) != set(joint.input):
        extra, missing = sorted(set(x) - set(joint.input)), sorted(set(joint.input) - set(x))
        raise ValueError(f"x must have the nets' columns and no other. Missing: {missing}; too many: {extra}.")


def _check_finite(name: str, array: np.ndarray) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = np.argwhere(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0, 0]
        raise ValueError(f"{name} must be finite, but row {row} holds NaN or infinity. Remove or fill such rows.")


def _check_shape(name: str, array: np.ndarray, expected: tuple[int | None, ...]) -> None:
    found = of_rank(array, expected).shape
    fits = len(found) == len(expected) and all(
        e is None or e == a for e, a in zip(expected[1:], found[1:], strict=True)
    )
    if not fits:
        raise ValueError(f"{name} must have rows of shape {tuple(expected[1:])}. Received: {tuple(array.shape[1:])}.")


def _check_labels(name: str, y: np.ndarray, logits: int) -> None:
    if y.dtype.kind not in "biuf" and len(y):
        _refuse_labels(y)
    _check_finite(name, y)
    if logits == 1:
        bad, expected = (y < 0) | (y > 1), "from 0 to 1"
    elif y.ndim == 1 or y.shape[-1] == 1:
        bad, expected = (y < 0) | (y >= logits) | (y != np.floor(y)), f"whole numbers from 0 to {logits - 1}"
    else:
        return
    if bad.any():
        row = np.argwhere(bad.reshape(len(y), -1).any(axis=1))[0, 0]
        owner = "Labels" if name == "y" else f"The labels {name}"
        raise ValueError(f"{owner} must be {expected}. Received: {y[row]} in row {row}.")


def _refuse_labels(y: np.ndarray) -> None:
    raise ValueError(f"Labels must be numbers. Received: {y[0]!r} in row 0. Give each class a number.")
