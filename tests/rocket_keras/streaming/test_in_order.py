"""To evaluate and to predict, each row of a stream counts once, in one order, on every call."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from rocket_keras import Fleet, Pair, Rocket, SparseNet
from rocket_keras.callbacks import GroupAUC
from rocket_keras.metrics import GAUC
from rocket_keras.streaming import LogError, Stream, Tolerance, read_log

log_of = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("numbered_log.py"))))
ROWS = 97


def write(folder, bad=()):
    """A log whose rows are numbered; those that are `bad` do not parse."""
    rows = np.arange(ROWS)
    price = [f"{row / 7:.3f}" if row not in bad else "x" for row in rows]
    columns = {"click": (rows * 7) % 5 % 2, "row": rows, "price": price, "user": [f"u{row % 9}" for row in rows]}
    for part, index in enumerate(np.split(rows, [40, 41])):
        chosen = {name: [column[row] for row in index] for name, column in columns.items()}
        log_of.made.write(folder / f"part-{part}.csv", chosen)
    kept = np.delete(rows, list(bad))
    x = {"row": kept.astype(np.int32), "price": np.array([float(price[row]) for row in kept], np.float32)}
    return read_log(folder), x, columns["click"][kept].astype(np.float32), [columns["user"][row] for row in kept]


def stream(log, **options):
    return Stream(log, log_of.ENCODER, "click", 10, **{"shuffle_rows": 30, "tolerance": Tolerance(share=1), **options})


def pair(units=3):
    keras.utils.set_random_seed(units)
    inputs = {"row": keras.Input((), name="row", dtype="int32"), "price": keras.Input((), name="price")}
    price = keras.layers.Reshape((1,))(inputs["price"])
    both = keras.layers.Concatenate()([keras.layers.Embedding(ROWS, 2)(inputs["row"]), price])
    hidden = keras.layers.Dense(units, "tanh")(both)
    light, booster = (keras.Model(inputs, keras.layers.Dense(1)(part)) for part in (both, hidden))
    return Pair(light=light, booster=booster)


MODELS = {
    "rocket": lambda: Rocket(pair()),
    "fleet": lambda: Fleet({"a": pair(), "b": pair()}),
    "sparse_net": lambda: SparseNet(pair().light),
    "keras": lambda: pair().light,
}


def compiled(name):
    model = MODELS[name]()
    # A mean over rows: a batch that is left out, or counts twice, changes it.
    model.compile(keras.optimizers.SGD(0.0), keras.losses.BinaryCrossentropy(from_logits=True))
    return model


def same(found, wanted):
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ("name", "bad"),
    [("rocket", ()), ("rocket", tuple(range(11, 31))), ("fleet", (5,)), ("sparse_net", (3, 50, 96)), ("keras", (96,))],
)
def test_each_row_is_evaluated_and_predicted_once(tmp_path, threads, name, bad):
    log, x, y, _ = write(tmp_path, bad)
    one, model = stream(log), compiled(name)
    wanted = model.evaluate(x, y, batch_size=ROWS, verbose=0, return_dict=True)
    logits = model.predict(x, batch_size=ROWS, verbose=0)
    for _ in range(2):
        # A plain Keras model does not know streams.
        data = one.in_order() if name == "keras" else one
        same(model.evaluate(data, verbose=0, return_dict=True), wanted)
        found = model.predict(data, verbose=0)
        keras.tree.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), found, logits)
    assert one.position == 0
    assert not threads()


@pytest.mark.parametrize("name", ["rocket", "sparse_net"])
def test_validation_is_that_of_all_rows_after_every_epoch(tmp_path, threads, name):
    log, x, y, _ = write(tmp_path, (5,))
    train, model = stream(log), compiled(name)
    history = model.fit(train, validation_data=stream(log, seed=3), epochs=3, verbose=0).history
    wanted = model.evaluate(x, y, batch_size=ROWS, verbose=0, return_dict=True)
    for name, value in wanted.items():
        np.testing.assert_allclose(history[f"val_{name}"], [value] * 3, rtol=2e-5, err_msg=name)
    train.close()
    assert not threads()


def test_a_stream_may_train_and_validate_at_once(tmp_path):
    """Where it is in training does not depend on it."""
    log, *_ = write(tmp_path)
    one = stream(log)
    history = compiled("rocket").fit(one, validation_data=one, epochs=2, verbose=0).history
    assert len(set(history["val_light_loss"])) == 1
    assert one.position == 2 * len(one)
    one.close()


def test_gauc_of_a_stream_is_that_of_its_rows(tmp_path):
    log, x, y, users = write(tmp_path, (5, 60))
    model = compiled("rocket")
    logs = {}
    callback = GroupAUC(stream(log), group="user")
    callback.set_model(model)
    for _ in range(2):
        callback.on_epoch_end(0, logs)
        for head, logits in model.predict(x, verbose=0).items():
            gauc = GAUC()
            gauc.update_state(y, logits, users)
            assert logs[f"val_{head}_gauc"] == pytest.approx(gauc.result())
    with pytest.raises(LogError, match="expected a column 'shop'"):
        GroupAUC(stream(log), group="shop")


def test_workers_evaluate_each_row_once_together(tmp_path):
    log, *_ = write(tmp_path, (7,))
    views = [stream(log, shard=(worker, 3), batches=1).in_order() for worker in range(3)]
    rows = [row for view in views for x, _ in view for row in x["row"].tolist()]
    assert sorted(rows) == [row for row in range(ROWS) if row != 7]
    assert sum(view.row_count for view in views) == ROWS - 1


def test_batches_may_be_asked_for_in_any_order(tmp_path, threads):
    log, *_ = write(tmp_path)
    view = stream(log).in_order()
    wanted = [x["row"].tolist() for x, _ in view]
    assert [len(rows) for rows in wanted] == [10] * 9 + [7]
    for index in (4, 0, 5, 1, 6, 9, 2, 2, 0):
        assert view[index][0]["row"].tolist() == wanted[index]
    with pytest.raises(IndexError, match="expected a batch from 0 to 9, received 10"):
        view[10]
    view.close()
    assert not threads()


def test_too_many_bad_rows_and_no_rows_are_refused(tmp_path):
    log, *_ = write(tmp_path, (7,))
    with pytest.raises(LogError, match="expected rows that parse"):
        compiled("rocket").evaluate(stream(log, tolerance=Tolerance()), verbose=0)
    log, *_ = write(tmp_path, range(ROWS))
    with pytest.raises(LogError, match="expected rows that parse, received none"):
        compiled("rocket").evaluate(stream(log), verbose=0)
