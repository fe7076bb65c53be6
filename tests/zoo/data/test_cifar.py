import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from zoo.data import cifar


def records(labels, classes, rows=6, seed=0):
    random = np.random.RandomState(seed)
    table = random.randint(0, 256, (rows, labels + 3072)).astype(np.uint8)
    for place in range(labels):
        table[:, place] = random.randint(0, classes[place], rows)
    return table


@pytest.fixture
def ten(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for number in range(1, 6):
        records(1, (10,), seed=number).tofile(folder / f"data_batch_{number}.bin")
    records(1, (10,), seed=9).tofile(folder / "test_batch.bin")
    return folder


@pytest.fixture
def hundred(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    records(2, (20, 100), rows=20).tofile(folder / "train.bin")
    records(2, (20, 100), seed=9).tofile(folder / "test.bin")
    return folder


def test_cifar10_rows_in_order(ten):
    data = cifar.load_cifar10(ten.parent, validation_rows=7)
    assert [len(split) for _, split in data.splits()] == [23, 7, 6]
    table = np.concatenate([records(1, (10,), seed=number) for number in range(1, 6)])
    x = np.concatenate([data.train.x, data.validation.x])
    assert x.dtype == np.uint8
    assert data.train.y.dtype == np.int32
    for row, line, column, channel in [(0, 0, 0, 0), (13, 4, 31, 2), (29, 31, 7, 1)]:
        assert x[row, line, column, channel] == table[row, 1 + channel * 1024 + line * 32 + column]
    np.testing.assert_array_equal(np.concatenate([data.train.y, data.validation.y]), table[:, 0])


def test_cifar100_takes_the_fine_label(hundred):
    data = cifar.load_cifar100(hundred, validation_rows=5, train_rows=8)
    assert [len(split) for _, split in data.splits()] == [8, 5, 6]
    table = records(2, (20, 100), rows=20)
    assert data.num_classes == 100
    np.testing.assert_array_equal(data.train.y, table[:8, 1])
    np.testing.assert_array_equal(data.validation.y, table[15:, 1])
    assert data.train.x[3, 2, 1, 0] == table[3, 2 + 2 * 32 + 1]


@pytest.mark.parametrize("validation_rows", [0, 30])
def test_refuses_no_validation_or_no_training_rows(ten, validation_rows):
    with pytest.raises(ValueError, match=f"`validation_rows` from 1 to 29, received {validation_rows}"):
        cifar.load_cifar10(ten, validation_rows=validation_rows)


def test_refuses_a_cut_file(ten):
    file = ten / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-73])
    with pytest.raises(ValueError, match=r"data_batch_3.bin, row 6: expected rows of 3073 bytes, received 3000.*fetch"):
        cifar.load_cifar10(ten)


def test_refuses_an_empty_file(hundred):
    (hundred / "test.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"test.bin, row 1: expected rows of 3074 bytes, received 0 bytes"):
        cifar.load_cifar100(hundred, validation_rows=5)


def test_refuses_a_label_outside_the_classes(ten, hundred):
    table = records(1, (10,))
    table[4, 0] = 10
    table.tofile(ten / "test_batch.bin")
    with pytest.raises(ValueError, match=r"test_batch.bin, row 5: expected a label from 0 to 9 in byte 1, received 10"):
        cifar.load_cifar10(ten)
    table = records(2, (20, 100))
    table[2, 1] = 100
    table.tofile(hundred / "test.bin")
    with pytest.raises(ValueError, match=r"test.bin, row 3: expected a label from 0 to 99 in byte 2, received 100"):
        cifar.load_cifar100(hundred)


def test_says_what_to_fetch(ten):
    (ten / "data_batch_4.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_4.bin in .*cifar-10-binary.tar.gz.*--data-dir") as error:
        cifar.load_cifar10(ten.parent)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("from_variable", [False, True])
def test_names_the_pickled_version(tmp_path, monkeypatch, from_variable):
    (tmp_path / "cifar-10-batches-py").mkdir()
    monkeypatch.setenv("ROCKET_KERAS_DATA", str(tmp_path))
    for given in (None,) if from_variable else (tmp_path, tmp_path / "cifar-10-batches-py"):
        with pytest.raises(FileNotFoundError, match=r"binary version .* received the Python version cifar-10"):
            cifar.load_cifar10(given)


def test_normalise_is_one_line_of_numpy():
    images = records(0, (), rows=3).reshape(-1, 32, 32, 3)
    wanted = (images.astype(float) - cifar.MEAN) / cifar.STD
    received = ops.convert_to_numpy(cifar.normalise(images))
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, wanted, atol=1e-6)


def test_normalised_keeps_the_rows_and_their_labels(ten):
    raw = cifar.load_cifar10(ten, validation_rows=7)
    data = cifar.normalised(raw)
    assert [len(split) for _, split in data.splits()] == [23, 7, 6]
    for (_, split), (_, before) in zip(data.splits(), raw.splits(), strict=True):
        np.testing.assert_array_equal(split.y, before.y)
        np.testing.assert_allclose(split.x, (before.x.astype(float) - cifar.MEAN) / cifar.STD, atol=1e-6)
    assert data.content_hash != raw.content_hash


def crop_numbers(images, augmented):
    """Which of the 9 x 9 x 2 crops of its padded source each row is; fails where it is none."""
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    places = [(row, column, step) for row in range(9) for column in range(9) for step in (1, -1)]
    crops = np.stack([padded[:, row : row + 32, column : column + 32][:, :, ::step] for row, column, step in places])
    same = (crops == augmented).all(axis=(2, 3, 4))
    assert (same.sum(axis=0) == 1).all()
    return same.argmax(axis=0)


class Augment(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(3)

    def call(self, images):
        return cifar.augment(images, self.seeds)


@pytest.mark.parametrize("compiled", [False, True])
def test_every_augmented_row_is_a_crop_of_its_padded_source(compiled):
    images = records(0, (), rows=200).reshape(-1, 32, 32, 3)
    if compiled:
        pixels = keras.Input((32, 32, 3), dtype="uint8")
        augmented = keras.Model(pixels, Augment()(pixels)).predict(images, batch_size=128, verbose=0)
    else:
        augmented = ops.convert_to_numpy(cifar.augment(images, keras.random.SeedGenerator(3)))
    assert augmented.dtype == np.uint8
    numbers = crop_numbers(images, augmented)
    assert set(numbers // 18) == set(numbers // 2 % 9) == set(range(9))
    assert 60 < (numbers % 2).sum() < 140
    assert abs(np.corrcoef(numbers // 18, numbers // 2 % 9)[0, 1]) < 0.3


def test_a_seed_gives_the_same_crops_and_a_generator_new_ones():
    images = records(0, (), rows=16).reshape(-1, 32, 32, 3).astype(np.float32)
    seeds = keras.random.SeedGenerator(1)
    first, again, other = (ops.convert_to_numpy(cifar.augment(images, seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    drawn = [crop_numbers(images, ops.convert_to_numpy(cifar.augment(images, seeds))) for _ in range(2)]
    assert (drawn[0] != drawn[1]).any()


def test_augment_refuses_another_shape():
    with pytest.raises(ValueError, match=r"expected images of shape \(n, 32, 32, 3\), received \(2, 3, 32, 32\)"):
        cifar.augment(np.zeros((2, 3, 32, 32), np.uint8), 0)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "cifar-10-batches-bin")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with cifar-10-batches-bin/")
def test_real_cifar10():
    data = cifar.load_cifar10(None)
    assert [len(split) for _, split in data.splits()] == [45_000, 5_000, 10_000]
    assert np.bincount(data.test.y).tolist() == [1000] * 10
    labels = np.concatenate([data.train.y, data.validation.y])
    assert np.bincount(labels).tolist() == [5000] * 10
    pixels = cifar.normalise(data.train.x[::50])
    np.testing.assert_allclose(ops.convert_to_numpy(ops.mean(pixels, (0, 1, 2))), 0, atol=0.05)
    np.testing.assert_allclose(ops.convert_to_numpy(ops.std(pixels, (0, 1, 2))), 1, atol=0.05)
