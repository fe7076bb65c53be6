"""CIFAR-10 and CIFAR-100 in their official binary version, and the augmentation of the paper."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.data.files import data_root, find_folder
from zoo.data.splits import Dataset, Split
from zoo.image_scale import ImageScale

SIDE = 32
PAD = 4
OFFSETS = 2 * PAD + 1
CROPS = OFFSETS * OFFSETS * 2  # with the flip
PIXELS = SIDE * SIDE * 3
VALIDATION_ROWS = 5000

# Channel means and standard deviations of the authors' code (Zhou et al., arXiv 1708.04106), pixels 0 to 255.
MEAN = (125.3, 123.0, 113.9)
STD = (63.0, 62.1, 66.7)
SCALE = ImageScale(MEAN, STD, (SIDE, SIDE, 3))

_SITE = "from www.cs.toronto.edu/~kriz/cifar.html"
_CITE = "tiny images, Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009): cite it."


def load_cifar10(
    data_dir: str | Path | None,
    *,
    seed: int = 0,
    train_rows: int | None = None,
    validation_rows: int = VALIDATION_ROWS,
) -> Dataset:
    """CIFAR-10: `x` uint8 `(n, 32, 32, 3)`, `y` int32 `(n,)` from 0 to 9.

    The validation rows are the last of the official 50,000 training rows; the test rows are the official 10,000.

    Args:
        data_dir: The folder that holds `cifar-10-batches-bin/`, or that folder; `None` takes ROCKET_KERAS_DATA.
        seed: Ignored: the split is by order.
        train_rows: Take the first train rows; `None` is all that are not for validation.
        validation_rows: From 1 to the number of training rows less one.

    Raises:
        FileNotFoundError: Files are missing. One line: what to fetch, from where to where.
        ValueError: A file is cut or foreign, or a count is out of range. One line: file and row.
    """
    fetch = f"CIFAR-10 binary version (cifar-10-binary.tar.gz) {_SITE}"
    files = tuple(f"data_batch_{number}.bin" for number in range(1, 6)), ("test_batch.bin",)
    folder = _find(data_dir, "cifar-10-batches-bin", "cifar-10-batches-py", files, fetch)
    train, test = (_read(folder, names, (10,), fetch) for names in files)
    return _dataset("cifar10", 10, train, test, train_rows, validation_rows)


def load_cifar100(
    data_dir: str | Path | None,
    *,
    seed: int = 0,
    train_rows: int | None = None,
    validation_rows: int = VALIDATION_ROWS,
) -> Dataset:
    """CIFAR-100 with its 100 fine classes, from `cifar-100-binary/`; else as `load_cifar10`."""
    fetch = f"CIFAR-100 binary version (cifar-100-binary.tar.gz) {_SITE}"
    files = ("train.bin",), ("test.bin",)
    folder = _find(data_dir, "cifar-100-binary", "cifar-100-python", files, fetch)
    train, test = (_read(folder, names, (20, 100), fetch) for names in files)
    return _dataset("cifar100", 100, train, test, train_rows, validation_rows)


def normalise(images: Any) -> Any:
    """`(n, 32, 32, 3)` pixels from 0 to 255 as float32, less the mean and over the deviation of their channel."""
    return (ops.cast(images, "float32") - ops.array(MEAN, "float32")) / ops.array(STD, "float32")


def normalised(data: Dataset, scale: ImageScale = SCALE) -> Dataset:
    """The same rows with `x` float32 as `scale` says, which is the new data set's encoder; four times the memory."""
    train, validation, test = (dataclasses.replace(split, x=scale.encode(split.x)) for _, split in data.splits())
    return dataclasses.replace(data, train=train, validation=validation, test=test, encoder=scale)


def augment(images: Any, seed: int | keras.random.SeedGenerator) -> Any:
    """A random crop of every image padded by reflection, and a flip of half of them.

    All 9 x 9 x 2 crops are equally likely (Zhou et al., arXiv 1708.04106: reflect-pad 4, random 32x32 crop,
    horizontal flip). The crop is gathered, so nothing padded is made; runs eagerly and compiled on every backend.

    Args:
        images: `(n, 32, 32, 3)` of any dtype, which is kept.
        seed: An int gives the same crops at every call; a `keras.random.SeedGenerator` new ones.

    Raises:
        ValueError: The images have another shape.
    """
    count = ops.shape(images)[0]
    # One draw for all three choices: an int seed would give equal numbers in each of three draws.
    return crop_and_flip(images, keras.random.randint((count,), 0, CROPS, seed=seed))


def crop_and_flip(images: Any, choice: Any) -> Any:
    """The crop of that number of every image padded by reflection: `choice` is `(n,)` whole numbers below `CROPS`.

    Images, errors and source are those of `augment`.
    """
    if len(images.shape) != 4 or tuple(images.shape[1:]) != (SIDE, SIDE, 3):
        raise ValueError(
            f"expected images of shape (n, 32, 32, 3), received {tuple(images.shape)}; put the channels last"
        )
    images, choice = ops.convert_to_tensor(images), ops.convert_to_tensor(choice)
    count = ops.shape(images)[0]
    row = _reflected(choice // (2 * OFFSETS))
    column = _reflected(choice // 2 % OFFSETS)
    column = ops.where(ops.expand_dims(choice % 2 == 1, 1), ops.flip(column, 1), column)
    return _gather_rows(_gather_rows(images, row, count), column, count)


def _gather_rows(images: Any, row: Any, count: Any) -> Any:
    """Row `row[i, j]` of image i as row j, transposed: twice, for rows and then columns, keeps the images upright.

    Whole rows are moved, so that a batch takes 2 x 32 indices an image, not 32 x 32.
    """
    place = row + ops.expand_dims(ops.arange(count, dtype="int32") * SIDE, 1)
    rows = ops.take(ops.reshape(images, (-1, SIDE * 3)), place, axis=0)
    return ops.transpose(ops.reshape(rows, (-1, SIDE, SIDE, 3)), (0, 2, 1, 3))


def _reflected(offset: Any) -> Any:
    """`(n, 32)` rows (or columns) of the image that a crop at `offset` of the padded image shows."""
    place = ops.abs(ops.cast(offset, "int32")[:, None] + ops.arange(-PAD, SIDE - PAD, dtype="int32"))
    return (SIDE - 1) - ops.abs((SIDE - 1) - place)


def _find(
    data_dir: str | Path | None, name: str, pickled: str, files: tuple[tuple[str, ...], tuple[str, ...]], fetch: str
) -> Path:
    try:
        return find_folder(data_dir, name, files[0] + files[1], fetch)
    except FileNotFoundError as error:
        root = data_root(data_dir)
        if root is not None and (root.name == pickled or (root / pickled).is_dir()):
            raise FileNotFoundError(
                f"expected the binary version {name}/ in {root}, received the Python version {pickled}/, whose "
                f"pickles are not opened because they can run code; fetch {fetch}"
            ) from error
        raise


def _read(folder: Path, names: tuple[str, ...], label_sizes: tuple[int, ...], fetch: str) -> Split:
    """The rows of all files; the last of the label bytes is the class."""
    parts = [_read_file(folder / name, label_sizes, fetch) for name in names]
    rows = np.concatenate(parts)
    images = rows[:, len(label_sizes) :].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), rows[:, len(label_sizes) - 1].astype(np.int32))


def _read_file(path: Path, label_sizes: tuple[int, ...], fetch: str) -> np.ndarray:
    """The uint8 `(rows, labels + 3072)` records of one file."""
    width = len(label_sizes) + PIXELS
    data = np.fromfile(path, np.uint8)
    if data.size % width or not data.size:
        raise ValueError(
            f"{path}, row {data.size // width + 1}: expected rows of {width} bytes, received {data.size % width} bytes "
            f"in the last row; fetch {fetch} again"
        )
    rows = data.reshape(-1, width)
    for place, size in enumerate(label_sizes):
        outside = rows[:, place] >= size
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"{path}, row {row + 1}: expected a label from 0 to {size - 1} in byte {place + 1}, "
                f"received {rows[row, place]}; fetch {fetch} again"
            )
    return rows


def _dataset(
    name: str, num_classes: int, rows: Split, test: Split, train_rows: int | None, validation_rows: int
) -> Dataset:
    if not 1 <= validation_rows < len(rows):
        raise ValueError(
            f"expected `validation_rows` from 1 to {len(rows) - 1}, received {validation_rows}; "
            "a run is watched on validation rows, so hold some back"
        )
    cut = len(rows) - validation_rows
    return Dataset(
        name=name,
        train=rows.rows(slice(cut)).take(train_rows),
        validation=rows.rows(slice(cut, None)),
        test=test,
        num_classes=num_classes,
        source=f"{name.upper().replace('CIFAR', 'CIFAR-')}, {_CITE}",
    )
