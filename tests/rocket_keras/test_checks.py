"""Bad input is one clear line, before anything is trained."""

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket, export_light
from rocket_keras.callbacks import NonFiniteLoss
from rocket_keras.onnx_runtime import onnx_feed, onnx_session


def rocket_of(pair, logits=3):
    rocket = Rocket(pair)
    binary = logits == 1
    loss = keras.losses.BinaryCrossentropy if binary else keras.losses.SparseCategoricalCrossentropy
    rocket.compile(keras.optimizers.SGD(0.1), loss(from_logits=True))
    return rocket


def spoil(x, y, changes):
    x, y = x.copy(), y.copy()
    if "x" in changes:
        x[5, 1] = changes["x"]
    if "y" in changes:
        y = y.astype(type(changes["y"]))
        y[6] = changes["y"]
    return x, y


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.nan}, "x must be finite, but row 5"),
        ({"x": np.inf}, "x must be finite, but row 5"),
        ({"y": 3}, "whole numbers from 0 to 2. Received: 3 in row 6"),
        ({"y": -1}, "whole numbers from 0 to 2. Received: -1 in row 6"),
        ({"y": 1.5}, "whole numbers from 0 to 2. Received: 1.5 in row 6"),
        ({"y": float("nan")}, "y must be finite, but row 6"),
    ],
)
def test_spoilt_rows_are_named(make_pair, rows, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        rocket_of(make_pair()).fit(*spoil(*rows(), change), verbose=0)
    assert "\n" not in str(caught.value)


def test_clicks_must_lie_between_zero_and_one(make_pair, rows):
    x, y = rows(logits=1)
    with pytest.raises(ValueError, match="from 0 to 1"):
        rocket_of(make_pair(logits=1), 1).fit(x, y * 2, verbose=0)


def test_ids_beyond_int32_are_refused_wherever_arrays_go_in(tmp_path):
    """Backends would read 2**32 + 3 as 3."""
    field = keras.Input((), name="ad", dtype="int32")
    looked_up = keras.layers.Embedding(4, 2)(field)
    rocket = rocket_of(Pair(*(keras.Model({"ad": field}, keras.layers.Dense(1)(looked_up)) for _ in range(2))), 1)
    export_light(rocket.pair, tmp_path / "light.onnx")
    y = np.array([0.0, 1, 0, 1])
    calls = (
        lambda x: rocket.fit(x, y, verbose=0),
        lambda x: rocket.evaluate(x, y, verbose=0),
        lambda x: rocket.predict(x, verbose=0),
        lambda x: onnx_feed(onnx_session(tmp_path / "light.onnx"), x),
    )
    for call in calls:
        call({"ad": np.array([1, 2, 0, 3])})
        for large in (2**31, 2**32 + 3, -(2**31) - 1):
            with pytest.raises(ValueError, match=rf"ad: expected whole numbers that int32 .* {large} in row 2"):
                call({"ad": np.array([1, 2, large, 3])})


def test_labels_that_are_no_numbers_are_refused(make_pair, rows):
    x, y = rows()
    for labels in (y.astype(str), y.astype(object), y.astype("M8[s]")):
        with pytest.raises(ValueError, match=r"Labels must be numbers\. Received: .* in row 0"):
            rocket_of(make_pair()).fit(x, labels, verbose=0)


def test_an_empty_data_set_is_refused(make_pair, rows):
    x, y = rows()
    with pytest.raises(ValueError, match="at least one row"):
        rocket_of(make_pair()).fit(x[:0], y[:0], verbose=0)


def test_a_wrong_shape_is_refused(make_pair, rows):
    x, y = rows(features=4)
    with pytest.raises(ValueError, match=r"rows of shape \(5,\). Received: \(4,\)"):
        rocket_of(make_pair()).fit(x, y, verbose=0)


def test_row_counts_must_agree(make_pair, rows):
    x, y = rows()
    with pytest.raises(ValueError, match="as many rows"):
        rocket_of(make_pair()).fit(x, y[:-1], verbose=0)


def test_columns_that_no_net_takes_are_refused():
    # Keras would match them by position, and read the wrong ones.
    inputs = {name: keras.Input((), name=name) for name in ("age", "dwell")}
    columns = [keras.layers.Reshape((1,))(tensor) for tensor in inputs.values()]
    light = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(columns)))
    hidden = keras.layers.Dense(4)(keras.layers.Concatenate()(columns))
    rocket = rocket_of(Pair(light=light, booster=keras.Model(inputs, keras.layers.Dense(1)(hidden))), 1)
    x = {name: np.zeros(8, "float32") for name in ("age", "dwell", "user_id")}
    with pytest.raises(ValueError, match=r"Missing: \[\]; too many: \['user_id'\]"):
        rocket.fit(x, np.zeros(8), verbose=0)


def test_whole_float_labels_train(make_pair, rows):
    x, y = rows()
    logs = rocket_of(make_pair()).fit(x, y.astype("float32"), verbose=0).history
    assert np.isfinite(logs["loss"]).all()


def test_a_batch_of_one_trains(make_pair, rows):
    logs = rocket_of(make_pair()).fit(*rows(3), batch_size=1, verbose=0).history
    assert np.isfinite(logs["loss"]).all()


class Spoilt(keras.utils.PyDataset):
    """Batches that nothing checks beforehand; the light net alone overflows in the third."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 4

    def __getitem__(self, index):
        x = self.x[:8].copy()
        if index == 2:
            x[0, 0] = np.nan
        return x, self.y[:8]


def test_a_nan_stops_the_run_and_names_the_terms(make_pair, rows):
    with pytest.raises(NonFiniteLoss, match="light_loss and booster_loss and hint_loss") as caught:
        rocket_of(make_pair()).fit(Spoilt(*rows()), epochs=2, verbose=0)
    assert "\n" not in str(caught.value)
    assert "epoch 1" in str(caught.value)


def test_only_the_term_that_went_bad_first_is_named(make_pair, rows):
    pair = make_pair()
    rocket = rocket_of(pair)
    head = pair.light.get_layer("light_logits")
    head.kernel.assign(np.full(head.kernel.shape, 1e30))
    with pytest.raises(NonFiniteLoss, match="infinite hint_loss at"):
        rocket.fit(*rows(), verbose=0)


def as_series(array):
    return pytest.importorskip("pandas").Series(array, index=np.arange(len(array)) + 100)


def as_nullable(array):
    pandas = pytest.importorskip("pandas")
    return pandas.Series(array, dtype="Float64")


def as_frame(array):
    return pytest.importorskip("pandas").DataFrame(array.reshape(len(array), -1))


KINDS = {
    "Series": as_series,
    "nullable Series": as_nullable,
    "DataFrame": as_frame,
    "tensor": keras.ops.convert_to_tensor,
    "column": lambda array: array[:, None],
}


@pytest.mark.parametrize("data", ["fit", "validation", "evaluate"])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_every_kind_are_checked(make_pair, rows, kind, data):
    x, y = rows(logits=1)
    bad = np.where(np.arange(len(y)) == 6, 2.0, y).astype("float32")
    rocket = rocket_of(make_pair(logits=1), 1)
    fit = {"fit": lambda: rocket.fit(x, KINDS[kind](bad), verbose=0)}
    fit["validation"] = lambda: rocket.fit(x, y, validation_data=(x, KINDS[kind](bad)), verbose=0)
    fit["evaluate"] = lambda: rocket.evaluate(x, KINDS[kind](bad), verbose=0)
    with pytest.raises(ValueError, match=r"from 0 to 1\. Received: \[?2\.\d*\]? in row 6\.") as caught:
        fit[data]()
    assert str(caught.value).startswith("The labels validation y" if data == "validation" else "Labels")


@pytest.mark.parametrize("kind", ["DataFrame", "tensor"])
def test_inputs_of_every_kind_are_checked(make_pair, rows, kind):
    x, y = rows()
    x[5, 1] = np.nan
    with pytest.raises(ValueError, match="x must be finite, but row 5"):
        rocket_of(make_pair()).fit(KINDS[kind](x), y, verbose=0)


def test_labels_of_each_head_are_checked(make_pair, rows):
    x, y = rows()
    bad = np.where(np.arange(len(y)) == 6, 3, y)
    with pytest.raises(ValueError, match=r"labels y\['booster'\] must be whole.* Received: 3 in row 6"):
        rocket_of(make_pair()).fit(x, {"light": y, "booster": bad}, verbose=0)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"nullable Series"}))  # which Keras does not take
def test_good_labels_of_every_kind_train_alike(make_pair, rows, kind):
    x, y = rows(logits=1)
    losses = []
    for labels in (y.astype("float32"), KINDS[kind](y.astype("float32"))):
        keras.utils.set_random_seed(0)
        losses.append(rocket_of(make_pair(logits=1), 1).fit(x, labels, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_rows_without_the_last_axis_are_trained_on_as_keras_takes_them():
    def pair():
        inputs = keras.Input((1,), name="x")
        return Pair(*(keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(inputs)) for _ in "ab"))

    x, y = np.linspace(-1, 1, 32).astype("float32"), (np.arange(32) % 2).astype("float32")
    losses = []
    for rows in (x, x[:, None]):
        rocket = rocket_of(pair(), 1)
        losses.append(rocket.fit(rows, y, batch_size=16, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)
    inputs = keras.Input((5,), name="x")
    wide = Pair(*(keras.Model(inputs, keras.layers.Dense(1)(inputs)) for _ in "ab"))
    with pytest.raises(ValueError, match=r"rows of shape \(5,\). Received: \(1,\)"):
        rocket_of(wide, 1).fit(x[:, None], y, verbose=0)
