"""scikit-learn's bundled handwritten digits: 1,797 real 8x8 images, no download."""

from pathlib import Path

import numpy as np

from zoo.data.splits import Dataset, Split
from zoo.data.tables import stratified_order
from zoo.image_scale import ImageScale

TEST_ROWS = 540
VALIDATION_ROWS = 357

# Mean and standard deviation of the pixels (0 to 16) of the 900 train rows. Constants: `train_rows` changes no image.
PIXEL_MEAN = 4.885
PIXEL_STD = 6.024
SCALE = ImageScale((PIXEL_MEAN,), (PIXEL_STD,), (8, 8, 1))


def load(data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """The digits in a fixed stratified split: 540 test, 357 validation and up to 900 train rows.

    `x` is float32 `(n, 8, 8, 1)`, standardised with the constants above; `y` is int32 `(n,)`, 0 to 9. The train rows
    that `train_rows` leaves over are `unlabelled`.

    Args:
        data_dir: Ignored: the images come with scikit-learn.
        seed: Ignored: the split is fixed, so that runs of different seeds are compared on the same rows.
        train_rows: Take the first rows of the fixed train order, whose every stretch is stratified; `None` is all 900.

    Raises:
        ImportError: scikit-learn is missing.
        ValueError: `train_rows` is not from 1 to 900.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "expected scikit-learn, which holds the digits, received no such package; "
            "install it with: pip install 'rocket-keras[launch]'"
        ) from error
    digits = load_digits()
    rows = Split(SCALE.encode(digits.images), digits.target.astype(np.int32)).rows(
        stratified_order(digits.target, seed=0)
    )
    train = rows.rows(slice(TEST_ROWS + VALIDATION_ROWS, None))
    return Dataset(
        name="digits",
        test=rows.rows(slice(TEST_ROWS)),
        validation=rows.rows(slice(TEST_ROWS, TEST_ROWS + VALIDATION_ROWS)),
        train=train.take(train_rows),
        unlabelled=_left_over(train, train_rows),
        num_classes=10,
        encoder=SCALE,
        source="Optical Recognition of Handwritten Digits (UCI, Alpaydin and Kaynak 1998, CC BY 4.0), "
        "the 1,797 images bundled with scikit-learn.",
    )


def _left_over(train: Split, train_rows: int | None) -> Split | None:
    if train_rows is None or train_rows == len(train):
        return None
    rest = train.rows(slice(train_rows, None))
    return Split(rest.x, np.full_like(rest.y, -1))
