"""Callbacks in auto mode know where our logs go: losses down, metrics where Keras says."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Fleet, callbacks

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rocket.py")))
compiled = helpers["compiled"]

METRICS = ["auc", "accuracy", "mse", keras.metrics.Precision(name="sure")]
DIRECTIONS = {
    "val_loss": "min",
    "val_light_loss": "min",
    "light_loss": "min",
    "val_hint_loss": "min",
    "val_light_auc": "max",
    "booster_accuracy": "max",
    "val_light_sure": "max",
    "val_booster_mse": "min",
    "val_light_gauc": "max",
}


@pytest.fixture
def clicks(make_pair, rows):
    x, y = rows(32, logits=1)
    return make_pair(logits=1), x, y


def test_every_callback_that_watches_a_log_is_given_its_direction(clicks):
    pair, x, y = clicks
    watching = [
        kind(name) for name in DIRECTIONS for kind in (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)
    ]
    group_auc = callbacks.GroupAUC((x, y, np.arange(32) % 4))
    rocket = compiled(pair, loss="bce", metrics=METRICS)
    logs = rocket.fit(x, y, validation_data=(x, y), epochs=2, verbose=0, callbacks=[group_auc, *watching]).history
    assert set(DIRECTIONS) <= set(logs)
    for callback in watching:
        assert callback.mode == DIRECTIONS[callback.monitor]
        best = min if callback.mode == "min" else max
        np.testing.assert_allclose(callback.best, best(logs[callback.monitor]), rtol=1e-6)


def test_a_checkpoint_keeps_the_best_light_net(clicks, tmp_path):
    pair, x, y = clicks
    file = tmp_path / "best.weights.h5"
    best = keras.callbacks.ModelCheckpoint(file, "val_light_loss", save_best_only=True, save_weights_only=True)
    rocket = compiled(pair, keras.optimizers.SGD(3.0), loss="bce")
    logs = rocket.fit(x, y, validation_data=(x, y), epochs=6, verbose=0, callbacks=[best]).history
    rocket.load_weights(file)
    got = rocket.evaluate(x, y, verbose=0, return_dict=True)["light_loss"]
    np.testing.assert_allclose(got, min(logs["val_light_loss"]), rtol=1e-5)


def test_a_mode_of_the_users_own_stays_and_a_fleet_has_directions_too(make_pair, rows):
    x, y = rows(32, logits=1)
    fleet = Fleet([make_pair(logits=1)])
    fleet.compile("sgd", "bce", metrics=["auc"])
    kinds = {"val_0_light_loss": "auto", "val_0_auc": "auto", "val_booster_loss": "max"}
    watching = [keras.callbacks.EarlyStopping(name, mode=mode, patience=5) for name, mode in kinds.items()]
    fleet.fit(x, y, validation_data=(x, y), verbose=0, callbacks=watching)
    assert [callback.mode for callback in watching] == ["min", "max", "max"]
