import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn, which holds the digits, is not installed")

from sklearn.datasets import load_digits

from zoo.data import digits


def test_splits_are_the_1797_images_each_once():
    data = digits.load()
    assert [len(split) for _, split in data.splits()] == [900, 357, 540]
    rows = np.concatenate([split.x for _, split in data.splits()])
    assert rows.dtype == np.float32
    assert rows.shape == (1797, 8, 8, 1)
    labels = np.concatenate([split.y for _, split in data.splits()])
    assert labels.dtype == np.int32
    pixels = np.round(rows[..., 0] * digits.PIXEL_STD + digits.PIXEL_MEAN).reshape(1797, 64)
    bundled = load_digits()
    assert_same_rows(np.column_stack([pixels, labels]), np.column_stack([bundled.data, bundled.target]))


def assert_same_rows(left, right):
    np.testing.assert_array_equal(left[np.lexsort(left.T)], right[np.lexsort(right.T)])


def test_pixels_of_the_train_rows_are_standardised():
    x = digits.load().train.x
    assert abs(x.mean()) < 1e-3
    assert abs(x.std() - 1) < 1e-3


def test_split_is_fixed():
    first = digits.load()
    again = digits.load("nowhere", seed=7)
    assert first.content_hash == again.content_hash
    assert first.train.y[:10].tolist() == [2, 6, 4, 7, 5, 1, 9, 0, 8, 3]


@pytest.mark.parametrize("train_rows", [20, 100, 333])
def test_train_rows_are_a_stratified_prefix(train_rows):
    everything, some = digits.load(), digits.load(train_rows=train_rows)
    np.testing.assert_array_equal(some.train.x, everything.train.x[:train_rows])
    np.testing.assert_array_equal(some.test.x, everything.test.x)
    counts = np.bincount(some.train.y, minlength=10)
    assert counts.min() > 0
    assert counts.max() - counts.min() <= 2


def test_train_rows_left_over_are_unlabelled():
    everything, some = digits.load(), digits.load(train_rows=400)
    np.testing.assert_array_equal(some.unlabelled.x, everything.train.x[400:])
    assert some.unlabelled.y.dtype == np.int32
    assert (some.unlabelled.y == -1).all()
    assert everything.unlabelled is None
    assert digits.load(train_rows=900).unlabelled is None


def test_every_split_has_the_proportions_of_the_classes():
    data = digits.load()
    whole = np.bincount(load_digits().target) / 1797
    for _, split in data.splits():
        assert np.abs(np.bincount(split.y) - whole * len(split)).max() <= 1.5


@pytest.mark.parametrize("train_rows", [0, 901])
def test_refuses_train_rows_that_are_not_there(train_rows):
    with pytest.raises(ValueError, match="`train_rows` from 1 to 900"):
        digits.load(train_rows=train_rows)


def test_names_the_extra_where_scikit_learn_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"rocket-keras\[launch\]"):
        digits.load()
