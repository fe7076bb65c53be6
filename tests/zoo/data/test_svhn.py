import numpy as np
import pytest

from zoo.data import cifar, svhn

pytest.importorskip("scipy.io", reason="SciPy is not installed")


def arrays(rows, seed=0):
    random = np.random.RandomState(seed)
    images = random.randint(0, 256, (32, 32, 3, rows)).astype(np.uint8)
    return {"X": images, "y": random.randint(1, 11, (rows, 1)).astype(np.uint8)}


def save(path, content):
    from scipy.io import savemat

    savemat(path, content, do_compression=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "svhn"
    inside.mkdir()
    for seed, (name, rows) in enumerate({"train": 30, "test": 6, "extra": 20}.items()):
        save(inside / f"{name}_32x32.mat", arrays(rows, seed))
    return inside


def test_rows_in_order_and_ten_means_zero(folder):
    data = svhn.load(folder.parent, validation_rows=7)
    assert [len(split) for _, split in data.splits()] == [23, 7, 6]
    official = arrays(30)
    x = np.concatenate([data.train.x, data.validation.x])
    assert (x.dtype, data.train.y.dtype) == (np.uint8, np.int32)
    for row, line, column, channel in [(0, 0, 0, 0), (13, 4, 31, 2), (29, 31, 7, 1)]:
        assert x[row, line, column, channel] == official["X"][line, column, channel, row]
    labels = np.concatenate([data.train.y, data.validation.y])
    np.testing.assert_array_equal(labels, np.where(official["y"][:, 0] == 10, 0, official["y"][:, 0]))
    assert 0 in labels


def test_extra_rows_stand_after_the_train_rows(folder):
    (data, more) = (svhn.load(folder, validation_rows=7, extra=extra) for extra in (False, True))
    assert [len(split) for _, split in more.splits()] == [43, 7, 6]
    np.testing.assert_array_equal(more.train.x[:23], data.train.x)
    np.testing.assert_array_equal(more.train.y[23:], arrays(20, 2)["y"][:, 0] % 10)
    assert len(svhn.load(folder, validation_rows=7, train_rows=5).train) == 5


def test_normalised_pixels_are_from_zero_to_one(folder):
    data = svhn.load(folder, validation_rows=7)
    scaled = cifar.normalised(data, svhn.SCALE)
    assert scaled.train.x.dtype == np.float32
    np.testing.assert_allclose(scaled.test.x, data.test.x / 255.0, rtol=1e-6)
    assert scaled.encoder == svhn.SCALE


@pytest.mark.parametrize("validation_rows", [0, 30])
def test_refuses_no_validation_or_no_training_rows(folder, validation_rows):
    with pytest.raises(ValueError, match=f"`validation_rows` from 1 to 29, received {validation_rows}"):
        svhn.load(folder, validation_rows=validation_rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros((6, 1), np.uint8)}, "expected a label from 1 to 10 in row 1 of y, received 0"),
        ({"y": np.full((6, 1), 11, np.uint8)}, "expected a label from 1 to 10 in row 1 of y, received 11"),
        ({"y": np.ones((5, 1), np.uint8)}, "expected 6 labels in y, as images in X, received 5"),
        ({"X": np.zeros((28, 28, 3, 6), np.uint8)}, "expected X of bytes, 32 x 32 x 3 x rows, received uint8 of shape"),
        ({"X": np.zeros((32, 32, 3, 6))}, "expected X of bytes, 32 x 32 x 3 x rows, received float64 of shape"),
        ({"X": None}, "expected the variables X and y, received none named X"),
    ],
)
def test_refuses_other_arrays(folder, change, message):
    content = {name: value for name, value in (arrays(6) | change).items() if value is not None}
    save(folder / "test_32x32.mat", content)
    with pytest.raises(ValueError, match=r"test_32x32\.mat: .*fetch SVHN .* again") as error:
        svhn.load(folder, validation_rows=7)
    assert message in str(error.value)


@pytest.mark.parametrize("keep", [0, 10, 100, 127, 130, 1000, 0.5, 0.99])
def test_refuses_a_cut_file(folder, keep):
    file = folder / "train_32x32.mat"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match=r"train_32x32\.mat: expected .*fetch SVHN .* again") as error:
        svhn.load(folder, validation_rows=7)
    assert "\n" not in str(error.value)


def test_refuses_what_is_no_matlab_file(folder):
    (folder / "train_32x32.mat").write_bytes(b"\x89PNG" + bytes(range(256)) * 8)
    with pytest.raises(ValueError, match="expected a whole MATLAB file of version 5, received"):
        svhn.load(folder, validation_rows=7)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "extra_32x32.mat").unlink()
    assert len(svhn.load(folder, validation_rows=7).test) == 6
    with pytest.raises(FileNotFoundError, match=r"expected extra_32x32\.mat in .*ufldl\.stanford\.edu.*--data-dir"):
        svhn.load(folder.parent, extra=True)
