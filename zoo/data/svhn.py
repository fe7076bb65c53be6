"""SVHN, cropped digits of house numbers, in the official MATLAB files (train, test and extra_32x32.mat)."""

import zlib
from pathlib import Path

import numpy as np

from zoo.data.files import find_folder
from zoo.data.splits import Dataset, Split
from zoo.image_scale import ImageScale

SIDE = 32
VALIDATION_ROWS = 5000
# Pixels from 0 to 1: Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016.
SCALE = ImageScale((0.0,) * 3, (255.0,) * 3, (SIDE, SIDE, 3))
FETCH = "SVHN format 2 (train_32x32.mat, test_32x32.mat) from ufldl.stanford.edu/housenumbers"


def load(
    data_dir: str | Path | None = None,
    *,
    seed: int = 0,
    train_rows: int | None = None,
    validation_rows: int = VALIDATION_ROWS,
    extra: bool = False,
) -> Dataset:
    """SVHN: `x` uint8 `(n, 32, 32, 3)`, `y` int32 `(n,)`, the digit from 0 to 9, which the files write 10 for 0.

    The validation rows are the last of the official 73,257 training rows; the test rows are the official 26,032.

    Args:
        data_dir: The folder that holds `svhn/`, or `svhn` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Ignored: the split is by order.
        train_rows: Take the first train rows; `None` is all that are not for validation.
        validation_rows: From 1 to the number of training rows less one.
        extra: Put the official 531,131 further rows after the train rows: easier images, as in Zagoruyko and Komodakis,
            Wide Residual Networks, BMVC 2016.

    Raises:
        FileNotFoundError: Files are missing. One line: what to fetch, from where to where.
        ImportError: SciPy, which reads the files, is missing.
        ValueError: A file is cut or foreign, or a count is out of range. One line: file, row.
    """
    names = ("train_32x32.mat", "test_32x32.mat", *(("extra_32x32.mat",) if extra else ()))
    folder = find_folder(data_dir, "svhn", names, FETCH)
    rows, test, *more = (_read(folder / name) for name in names)
    if not 1 <= validation_rows < len(rows):
        raise ValueError(
            f"expected `validation_rows` from 1 to {len(rows) - 1}, received {validation_rows}; "
            "a run is watched on validation rows, so hold some back"
        )
    cut = len(rows) - validation_rows
    train = [rows.rows(slice(cut)), *more]
    return Dataset(
        name="svhn",
        train=Split(np.concatenate([part.x for part in train]), np.concatenate([part.y for part in train])).take(
            train_rows
        ),
        validation=rows.rows(slice(cut, None)),
        test=test,
        num_classes=10,
        source="SVHN, house numbers of Google Street View (Netzer et al., Reading Digits in Natural Images with "
        "Unsupervised Feature Learning, 2011): for non-commercial use; cite it.",
    )


def _read(path: Path) -> Split:
    images, labels = _read_arrays(path)
    if images.shape[:3] != (SIDE, SIDE, 3) or images.ndim != 4 or images.dtype != np.uint8:
        raise _refuse(path, "X of bytes, 32 x 32 x 3 x rows", f"{images.dtype} of shape {images.shape}")
    labels = labels.reshape(-1)
    if len(labels) != images.shape[3]:
        raise _refuse(path, f"{images.shape[3]} labels in y, as images in X", str(len(labels)))
    outside = (labels < 1) | (labels > 10)
    if outside.any():
        row = int(np.argmax(outside))
        raise _refuse(path, f"a label from 1 to 10 in row {row + 1} of y", str(labels[row]))
    return Split(np.ascontiguousarray(images.transpose(3, 0, 1, 2)), (labels % 10).astype(np.int32))


def _read_arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Variables X and y of a MATLAB file."""
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise ImportError(
            "expected SciPy, which reads MATLAB files, received no such package; "
            "install it with: pip install 'rocket-keras[launch]'"
        ) from error
    try:
        # A cut file fails in one of these ways, by where it was cut.
        content = loadmat(path, variable_names=("X", "y"))
    except (
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        TypeError,
        ValueError,
        MatReadError,
        zlib.error,
    ) as error:
        raise _refuse(path, "a whole MATLAB file of version 5", f"{type(error).__name__} ({error})") from error
    missing = [name for name in ("X", "y") if name not in content]
    if missing:
        raise _refuse(path, "the variables X and y", f"none named {' and '.join(missing)}")
    return content["X"], content["y"]


def _refuse(path: Path, expected: str, received: str) -> ValueError:
    came = " ".join(received.split())[:120]
    return ValueError(f"{path}: expected {expected}, received {came}; fetch {FETCH} again")
