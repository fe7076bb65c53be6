"""scikit-learn's bundled handwritten digits: 1,797 real 8x8 images, no download."""

from pathlib import Path

import numpy as np

from zoo.data.splits import Dataset, Split

TEST_ROWS = 540
VALIDATION_ROWS = 357

# Mean and standard deviation of the pixels (0 to 16) of the 900 train rows. Constants: `train_rows` changes no image.
PIXEL_MEAN = 4.885
PIXEL_STD = 6.024


def load(data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """The digits in a fixed stratified split: 540 test, 357 validation and up to 900 train rows.

    `x` is float32 `(n, 8, 8, 1)`, standardised with the constants above; `y` is int32 `(n,)`, 0 to 9.

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
    x = ((digits.images[..., None] - PIXEL_MEAN) / PIXEL_STD).astype(np.float32)
    rows = Split(x, digits.target.astype(np.int32)).rows(stratified_order(digits.target))
    return Dataset(
        name="digits",
        test=rows.rows(slice(TEST_ROWS)),
        validation=rows.rows(slice(TEST_ROWS, TEST_ROWS + VALIDATION_ROWS)),
        train=rows.rows(slice(TEST_ROWS + VALIDATION_ROWS, None)).take(train_rows),
        num_classes=10,
        source="Optical Recognition of Handwritten Digits (UCI, Alpaydin and Kaynak 1998, CC BY 4.0), "
        "the 1,797 images bundled with scikit-learn.",
    )


def stratified_order(labels: np.ndarray) -> np.ndarray:
    """An order of the rows, the same everywhere, in which every stretch has nearly the classes' proportions.

    The k-th of a class's n shuffled rows is put at (k + 1/2) / n of the whole.
    """
    # RandomState's stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    shuffled = np.random.RandomState(0).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    # Stable on the shuffled rows: classes of equal place stand in no order of their labels.
    return shuffled[np.argsort(place[shuffled], kind="stable")]
