import json
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket
from rocket_keras.streaming import StreamCheckpoint

log_of = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("numbered_log.py"))))
write, stream = log_of.write, log_of.stream


class Seen(keras.layers.Layer):
    """Counts how often each row went by in training."""

    def build(self, shape):
        self.rows = self.add_weight(shape=(400,), initializer="zeros", trainable=False, name="rows")

    def call(self, inputs, training=False):
        if training:
            row = keras.ops.cast(keras.ops.reshape(inputs, (-1,)), "int32")
            self.rows.assign_add(keras.ops.sum(keras.ops.one_hot(row, 400), axis=0))
        return keras.ops.cast(keras.ops.reshape(inputs, (-1, 1)), "float32") / 400


def make_rocket(metrics=("accuracy",), **compiled):
    row, price = keras.Input((), name="row", dtype="int32"), keras.Input((), name="price")
    seen = Seen(name="seen")(row)
    both = keras.layers.Concatenate()([seen, keras.layers.Reshape((1,))(price)])
    light = keras.Model({"row": row, "price": price}, keras.layers.Dense(1, name="light_logits")(both), name="light")
    hidden = keras.layers.Dense(4, "tanh", name="hidden")(both)
    booster = keras.Model(
        {"row": row, "price": price}, keras.layers.Dense(1, name="booster_logits")(hidden), name="booster"
    )
    rocket = Rocket(Pair(light=light, booster=booster))
    rocket.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=list(metrics),
        **compiled,
    )
    return rocket


def seen(rocket):
    return keras.ops.convert_to_numpy(rocket.joint.get_layer("seen").rows).tolist()


@pytest.mark.parametrize("size", [400, 200, 50])
def test_fit_trains_on_each_row_once_an_epoch(tmp_path, size, threads):
    one = stream(write(tmp_path, [230, 170]), batch_size=size)
    rocket = make_rocket()
    rocket.fit(one, epochs=3, verbose=0)
    # Keras looks at one batch to build the metrics; an epoch of one batch looks like that.
    assert one.position - 3 * len(one) in ((0, 1) if len(one) == 1 else (0,))
    assert seen(rocket) == [3] * 400
    one.close()
    assert not threads()


def test_fit_of_a_keras_model_and_evaluate(tmp_path):
    one = stream(write(tmp_path, [200, 200]))
    light = make_rocket().pair.light
    light.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    history = light.fit(one, epochs=2, shuffle=False, verbose=0, validation_data=stream(write(tmp_path, [200, 200])))
    assert set(history.history) >= {"loss", "val_loss"}
    assert light.evaluate(stream(write(tmp_path, [200, 200])), verbose=0, return_dict=True)["loss"] > 0


def test_a_step_of_several_batches_counts_as_several(tmp_path):
    """Keras names the last batch of a step; a step that an epoch's end cuts short is shorter."""
    one = stream(write(tmp_path / "log", [300]))
    checkpoint = StreamCheckpoint(one, tmp_path / "saved", every=8, epochs=2)
    checkpoint.set_model(make_rocket())
    checkpoint.on_train_begin()
    saved = []
    for epoch in range(2):
        for batch in (3, 7, 11, 15, 19, 23, 27, 29):
            checkpoint.on_train_batch_end(batch)
            if (tmp_path / "saved/state.json").exists():
                saved.append(json.loads((tmp_path / "saved/state.json").read_text())["stream"]["batch"])
        assert checkpoint.model.stop_training == (epoch == 1)
        checkpoint.on_epoch_end(epoch)
    assert checkpoint.trained == 60
    assert saved[:7] == [8, 8, 16, 16, 24, 24, 24]


def test_a_checkpoint_goes_on_where_training_stopped(tmp_path):
    log = write(tmp_path / "log", [230, 170])

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 11

    keras.utils.set_random_seed(3)
    whole = make_rocket()
    whole.fit(stream(log, seed=9), epochs=2, verbose=0)

    keras.utils.set_random_seed(3)
    rocket, one = make_rocket(), stream(log, seed=9)
    checkpoint = StreamCheckpoint(one, tmp_path / "saved", every=5, epochs=2)
    assert not checkpoint.restore(rocket)
    rocket.fit(one, epochs=2, verbose=0, callbacks=[checkpoint, Stop()])
    assert one.position == 12

    keras.utils.set_random_seed(4)
    rocket, one = make_rocket(), stream(log, seed=9)
    checkpoint = StreamCheckpoint(one, tmp_path / "saved", every=5, epochs=2)
    assert checkpoint.restore(rocket)
    assert one.position == 12
    rocket.fit(one, epochs=2, initial_epoch=one.position // len(one), verbose=0, callbacks=[checkpoint])
    assert one.position == 80
    for mine, theirs in zip(rocket.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert len(list((tmp_path / "saved").iterdir())) == 2
    with pytest.raises(ValueError, match="expected `every` of at least 1"):
        StreamCheckpoint(one, tmp_path, every=0)
    assert re.fullmatch(r"batch-0+80\.weights\.h5", json.loads((tmp_path / "saved/state.json").read_text())["weights"])


def test_workers_go_on_from_the_last_save_that_all_have_made(tmp_path):
    log = write(tmp_path / "log", [230, 170])

    def worker(number):
        one = stream(log, seed=9, shard=(number, 2))
        return one, StreamCheckpoint(one, tmp_path / "saved", every=5, epochs=2)

    for number, batches in enumerate((10, 16)):  # the second is a save ahead when both are killed
        one, checkpoint = worker(number)
        rocket = make_rocket()
        assert not checkpoint.restore(rocket)
        checkpoint.set_model(rocket)
        checkpoint.on_train_begin()
        for batch in range(batches):
            rocket.train_on_batch(*one[batch])
            checkpoint.on_train_batch_end(batch)
        one.close()
    files = sorted(str(path.relative_to(tmp_path / "saved")) for path in (tmp_path / "saved").glob("*/*.weights.h5"))
    assert files == [f"worker-{w}/batch-{b:010d}.weights.h5" for w, b in ((0, 5), (0, 10), (1, 10), (1, 15))]
    for number in range(2):
        one, checkpoint = worker(number)
        rocket = make_rocket()
        assert checkpoint.restore(rocket)
        assert one.position == 10
        assert sum(seen(rocket)) == 100
        one.close()
