"""A net that was compiled and trained before tracks its own loss and metrics; the logs show ours."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Fleet, Pair, Rocket, SparseNet
from rocket_keras.layers import Frozen

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rocket.py")))
SPARSE = keras.losses.SparseCategoricalCrossentropy
L = keras.layers


def trained_net(rows):
    inputs = keras.Input((5,), name="x")
    net = keras.Model(inputs, L.Dense(3)(L.Dense(6, "tanh")(inputs)))
    net.compile("sgd", SPARSE(from_logits=True), metrics=["accuracy"])
    net.fit(*rows(32), verbose=0)
    return net


def nets(net, where):
    """A light and a booster net; the compiled one lies in one of them."""
    inputs = keras.Input((5,), name="x")
    plain = keras.Model(inputs, L.Dense(3)(inputs))
    if where == "teacher":
        return plain, keras.Model(inputs, Frozen([net])(inputs))
    over = keras.Model(inputs, L.Dense(3)(net(inputs)))
    return (over, plain) if where == "light" else (plain, over)


@pytest.mark.parametrize("where", ["teacher", "light", "booster"])
@pytest.mark.parametrize("kind", ["rocket", "fleet"])
def test_logs_are_ours(rows, where, kind, tmp_path):
    x, y = rows(48)
    pair = Pair(*nets(trained_net(rows), where))
    model = Rocket(pair) if kind == "rocket" else Fleet([pair])
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping("val_loss", patience=0)
    logs = model.fit(x, y, epochs=3, validation_data=(x, y), callbacks=[stop], verbose=0).history
    light = "light" if kind == "rocket" else "0"
    names = {"loss", "booster_loss", "booster_accuracy", f"{light}_accuracy"}
    terms = {"light_loss", "hint_loss"} if kind == "rocket" else {"0_light_loss", "0_hint_loss"}
    assert set(logs) == {prefix + name for name in names | terms for prefix in ("", "val_")}
    assert len(logs["loss"]) == 3
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    outputs = model.predict(x, verbose=0)
    value = float(SPARSE(from_logits=True)(y, outputs[light])) + float(SPARSE(from_logits=True)(y, outputs["booster"]))
    value += 0.03 * np.square(outputs[light] - outputs["booster"]).sum(-1).mean()
    np.testing.assert_allclose([expected["loss"], logs["val_loss"][-1]], value, rtol=1e-4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(x, y, verbose=0, return_dict=True)
    for name, number in expected.items():
        np.testing.assert_allclose(again[name], number, rtol=1e-5, err_msg=name)
    assert loaded.optimizer.iterations.numpy() == model.optimizer.iterations.numpy()
    loaded.fit(x, y, verbose=0)


@pytest.mark.parametrize("make", [SparseNet, lambda net: net], ids=["SparseNet", "keras.Model"])
def test_a_net_alone_over_a_teacher_logs_its_own_loss(rows, make):
    x, y = rows(48)
    inputs = keras.Input((5,), name="x")
    net = keras.Model(inputs, L.Dense(3)(Frozen([trained_net(rows)])(inputs)))
    model = make(net)
    model.compile("sgd", SPARSE(from_logits=True))
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["loss"], float(SPARSE(from_logits=True)(y, net.predict(x, verbose=0))), rtol=1e-5)
    assert set(logs) == {"loss"}
