"""Columns of labels, scores and group ids: one value a row, checked, as NumPy arrays of their own.

Keras would report none of these mistakes: a NaN score sorts somewhere, a label of 2 counts as a click, rows without a
user become one big user. Each error is one line that names the row.
"""

from typing import Any

import keras
import numpy as np


def as_labels(y_true: Any) -> np.ndarray:
    """Labels as a new bool array of shape (rows,); ValueError where one is neither 0 nor 1."""
    values = _column(y_true, "y_true")
    _refuse_texts(values, "y_true expected labels 0 or 1", "map clicks to 1 and all else to 0")
    wrong = np.flatnonzero((values != 0) & (values != 1))
    if len(wrong):
        raise ValueError(
            f"y_true expected labels 0 or 1, received {values[wrong[0]]} in row {wrong[0]}: "
            "map clicks to 1 and all else to 0, and drop rows without a label"
        )
    return values == 1


def as_scores(y_pred: Any) -> np.ndarray:
    """Scores as a new float array of shape (rows,); ValueError where one is NaN."""
    values = _column(y_pred, "y_pred")
    _refuse_texts(values, "y_pred expected scores", "pass what the net predicts")
    # A copy, because the caller may reuse the batch's memory; float32 holds float32 and every smaller type exactly.
    values = np.array(
        values, dtype=np.float64 if values.dtype.kind in "iub" or values.dtype.itemsize > 4 else np.float32
    )
    wrong = np.flatnonzero(np.isnan(values))
    if len(wrong):
        raise ValueError(
            f"y_pred expected finite scores, received NaN in row {wrong[0]}: "
            "check the features for NaN, and lower the learning rate where training diverged"
        )
    return values


def as_groups(groups: Any) -> np.ndarray:
    """Group ids as a new int64 or str array of shape (rows,); ValueError where one is missing or of another type."""
    values = _column(groups, "groups")
    if values.dtype.kind == "O":
        values = _from_objects(values)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind == "U":
        return values.copy()
    if values.dtype.kind in "iu":
        # uint64 hashes wrap around one to one; their order means nothing, and joined to int64 they would be floats.
        return values.astype(np.int64)
    if values.dtype.kind == "f" and np.isnan(values).any():
        row = int(np.isnan(values).argmax())
        raise ValueError(_missing_group(values[row], row))
    raise ValueError(
        f"groups expected integer or string ids, received {values.dtype}: "
        "convert them with astype('int64') or astype(str)"
    )


def _refuse_texts(values: np.ndarray, expected: str, advice: str) -> None:
    """Raises ValueError for an array of texts or times, which NumPy compares with no number."""
    if values.dtype.kind not in "biufO" and len(values):
        raise ValueError(f"{expected}, received {str(values[0])!r} in row 0: {advice}")


def _from_objects(values: np.ndarray) -> np.ndarray:
    """An object array of ids (pandas makes them of strings and of columns with gaps) in the ids' own type."""
    values = values.tolist()
    for row, value in enumerate(values):
        if not isinstance(value, str | bytes | int | np.integer):
            raise ValueError(_missing_group(value, row))
    kinds = {next(kind for kind in (str, bytes, object) if isinstance(value, kind)) for value in values}
    if len(kinds) > 1:
        raise ValueError("groups expected ids of one type, received a mixture: convert them with astype(str)")
    return np.array(values)


def _missing_group(value: object, row: int) -> str:
    return (
        f"groups expected an integer or string id in every row, received {value} in row {row}: "
        "drop the rows without a group or give them an id of their own"
    )


def check_lengths(**columns: np.ndarray) -> None:
    """Raises ValueError unless all named columns have the same number of rows."""
    if len({len(column) for column in columns.values()}) > 1:
        received = ", ".join(f"{name} of {len(column)}" for name, column in columns.items())
        raise ValueError(f"expected one length, received {received}: pass one value a row in each")


def _column(values: Any, name: str) -> np.ndarray:
    """Values of shape (rows,) or (rows, 1), in any backend's tensor or a sequence, as an array of shape (rows,)."""
    masked = np.flatnonzero(np.ma.getmaskarray(values)) if isinstance(values, np.ma.MaskedArray) else np.array([])
    if len(masked):
        raise ValueError(
            f"{name} expected a value in every row, received a masked one in row {masked[0]}: drop such rows"
        )
    values = keras.ops.convert_to_numpy(values) if keras.ops.is_tensor(values) else np.asarray(values)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"{name} expected the shape (rows,) or (rows, 1), received {values.shape}: pass one value a row"
        )
    return values
