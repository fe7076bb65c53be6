"""GroupAUC and StopOnNonFinite inside fit, for a model of one output and for light and booster."""

import keras
import numpy as np
import pytest

from rocket_keras.callbacks import GroupAUC, NonFiniteLoss, StopOnNonFinite
from rocket_keras.metrics import GAUC
from rocket_keras.pair import Pair
from rocket_keras.rocket import Rocket


class TwoHeads(keras.Model):
    """Predicts as a Rocket does."""

    def __init__(self):
        super().__init__()
        self.light, self.booster = keras.layers.Dense(1), keras.layers.Dense(1)

    def call(self, inputs):
        return {"light": self.light(inputs["dense"]), "booster": self.booster(inputs["dense"])}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return sum(keras.ops.mean(keras.ops.square(y_pred[net] - y)) for net in ("light", "booster"))


def rows(count=64):
    random = np.random.default_rng(0)
    dense = random.normal(size=(count, 3)).astype("float32")
    labels = (random.random((count, 1)) < 0.5).astype("float32")
    return dense, labels, np.repeat(np.arange(count // 8), 8).astype("int32")


def one_output(loss="mse"):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss=loss)
    return model


def gauc_of(scores, labels, groups):
    gauc = GAUC()
    gauc.update_state(labels, scores, groups)
    return gauc.result()


def test_one_output_logs_val_gauc():
    dense, labels, groups = rows()
    model = one_output()
    history = model.fit(
        dense, labels, epochs=2, verbose=0, callbacks=[GroupAUC((dense, labels, groups.astype(str)), batch_size=10)]
    )
    assert len(history.history["val_gauc"]) == 2
    assert history.history["val_gauc"][-1] == gauc_of(model.predict(dense, verbose=0), labels, groups)


def test_two_heads_log_both_and_later_callbacks_see_them(tmp_path):
    dense, labels, groups = rows()
    x = {"dense": dense, "user_id": groups}
    model = TwoHeads()
    model.compile(optimizer="sgd")
    checkpoint = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.weights.h5", monitor="val_light_gauc", mode="max", save_best_only=True, save_weights_only=True
    )
    history = model.fit(x, labels, epochs=2, verbose=0, callbacks=[GroupAUC((x, labels)), checkpoint]).history
    scores = model.predict(x, verbose=0)
    assert history["val_light_gauc"][-1] == gauc_of(scores["light"], labels, groups)
    assert history["val_booster_gauc"][-1] == gauc_of(scores["booster"], labels, groups)
    assert checkpoint.best == max(history["val_light_gauc"])
    assert (tmp_path / "best.weights.h5").exists()


def test_training_is_not_disturbed():
    dense, labels, groups = rows()
    finals = []
    for callbacks in ([], [GroupAUC((dense, labels, groups)), StopOnNonFinite(every=1)]):
        keras.utils.set_random_seed(3)
        model = one_output()
        # In order, as PyTorch draws the shuffles of fit and of predict from one generator.
        model.fit(dense, labels, epochs=3, batch_size=16, shuffle=False, verbose=0, callbacks=callbacks)
        finals.append(model.get_weights()[0])
    np.testing.assert_array_equal(*finals)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (({"item": np.zeros(2)}, [0, 1]), r"expected the groups in x\['user_id'\], received x as a dict of item"),
        ((np.zeros((2, 3)), [0, 1]), "received x as a ndarray"),
        (({"user_id": [1, 2]}, [0, 1, 1]), "y of 3, groups of 2"),
        (({"user_id": ["ann", None]}, [0, 1]), "received None in row 1"),
        (({"user_id": [1, 2]}, [0, 3]), "received 3 in row 1"),
        (np.zeros((2, 3)), r"expected data=\(x, y\) or \(x, y, groups\), received a ndarray"),
    ],
)
def test_group_auc_refuses_bad_data_at_construction(data, message):
    with pytest.raises(ValueError, match=message) as error:
        GroupAUC(data)
    assert "\n" not in str(error.value)


def test_group_auc_refuses_other_outputs():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)])
    model.compile(optimizer="sgd", loss=["mse", "mse"])
    dense, labels, groups = rows()
    with pytest.raises(ValueError, match="received a list of 2"):
        model.fit(dense, [labels, labels], verbose=0, callbacks=[GroupAUC((dense, labels, groups))])


def test_nan_loss_stops_before_the_checkpoint_is_overwritten(tmp_path):
    dense, labels, _ = rows()
    model = one_output()
    path = tmp_path / "last.weights.h5"
    callbacks = [StopOnNonFinite(every=1000), keras.callbacks.ModelCheckpoint(path, save_weights_only=True)]
    model.fit(dense, labels, verbose=0, callbacks=callbacks)
    good = path.read_bytes()
    with pytest.raises(NonFiniteLoss, match="infinite loss at the end of epoch 2: lower the learning rate") as error:
        model.fit(dense, labels * np.nan, initial_epoch=1, epochs=2, verbose=0, callbacks=callbacks)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == good


def test_batches_are_checked_every_so_often():
    dense, labels, _ = rows()
    with pytest.raises(NonFiniteLoss, match="epoch 1, batch 6:"):
        one_output().fit(dense, labels * np.nan, batch_size=4, verbose=0, callbacks=[StopOnNonFinite(every=6)])


def test_a_real_rocket_names_its_term_and_starts_afresh():
    dense, labels, groups = rows()
    inputs = keras.Input((3,))
    light, booster = (
        keras.Model(inputs, keras.layers.Dense(1, name=f"{net}_head")(inputs)) for net in ("light", "booster")
    )
    rocket = Rocket(Pair(light=light, booster=booster))
    rocket.compile(optimizer="sgd", loss=keras.losses.BinaryCrossentropy(from_logits=True))
    callbacks = [GroupAUC((dense, labels, groups)), StopOnNonFinite(every=2)]
    kernel = light.trainable_variables[0]
    kernel.assign(np.full((3, 1), np.nan))
    with pytest.raises(NonFiniteLoss, match="infinite light_loss and hint_loss at epoch 1, batch 2:"):
        rocket.fit(dense, labels, batch_size=16, verbose=0, callbacks=callbacks)
    for variable in light.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    history = rocket.fit(dense, labels, batch_size=16, verbose=0, callbacks=callbacks).history
    assert {"val_light_gauc", "val_booster_gauc"} <= history.keys()


def test_finite_training_runs_to_its_end_and_every_is_positive():
    dense, labels, _ = rows()
    history = one_output().fit(dense, labels, epochs=2, batch_size=4, verbose=0, callbacks=[StopOnNonFinite(every=3)])
    assert len(history.history["loss"]) == 2
    with pytest.raises(ValueError, match="every >= 1, received 0"):
        StopOnNonFinite(every=0)


@pytest.mark.parametrize(
    ("labels", "groups", "received"),
    [
        (np.zeros(64), np.repeat(np.arange(8), 8), "only 0 in 64 rows"),
        (np.ones(64), np.repeat(np.arange(8), 8), "only 1 in 64 rows"),
        (np.arange(64) % 2, np.arange(64), "no group with both in 64 rows"),
    ],
)
def test_rows_without_a_group_of_both_classes_are_named_before_the_first_epoch(labels, groups, received):
    dense, trained, _ = rows()
    model, epochs = one_output(), []
    callbacks = [
        GroupAUC((dense, labels, groups)),
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch)),
    ]
    with pytest.raises(ValueError, match=f"expected a group with rows of both classes, received {received}"):
        model.fit(dense, trained, verbose=0, callbacks=callbacks)
    assert epochs == []
