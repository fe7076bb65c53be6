"""Trains on a log until it is killed or done: `python killed_training.py LOG FOLDER [KILL_AT]`.

KILL_AT is a number of batches of this run, or "saving": in the middle of the second save. What the nets have seen, and
the weights at the end, are written to FOLDER.
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

from rocket_keras import Pair, Rocket
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import KnownIdField, NumberField
from rocket_keras.layers import SparseEmbedding
from rocket_keras.streaming import Stream, StreamCheckpoint, read_log

ENCODER = Encoder((KnownIdField("row", "row", 1000), NumberField("price", "price", 0.0, 100.0)))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Kill(keras.callbacks.Callback):
    def __init__(self, at):
        super().__init__()
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            die()


class DiesSaving(StreamCheckpoint):
    saves = 0

    def _save(self):
        self.saves += 1
        if self.saves == 2:
            self.stream.state = lambda position: die()  # the weights are written, the state is not
        super()._save()


def make():
    row, price = keras.Input((), name="row", dtype="int32"), keras.Input((), name="price")
    inputs = {"row": row, "price": price}
    table = SparseEmbedding([1000], 4, name="table")([row])
    both = keras.layers.Concatenate()([table, keras.layers.Reshape((1,))(price)])
    light = keras.Model(inputs, keras.layers.Dense(1, name="light_logits")(both), name="light")
    hidden = keras.layers.Dense(8, "tanh", name="hidden")(both)
    booster = keras.Model(inputs, keras.layers.Dense(1, name="booster_logits")(hidden), name="booster")
    rocket = Rocket(Pair(light=light, booster=booster))
    rocket.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    return rocket


def main():
    log, folder, kill_at = sys.argv[1], Path(sys.argv[2]), (sys.argv[3:] or ["0"])[0]
    keras.utils.set_random_seed(1 if not (folder / "state.json").exists() else 2)
    rocket = make()
    stream = Stream(read_log(log), ENCODER, "click", 10, shuffle_rows=70, seed=4)
    kind = DiesSaving if kill_at == "saving" else StreamCheckpoint
    checkpoint = kind(stream, folder, every=7, epochs=2)
    checkpoint.restore(rocket)
    callbacks = [checkpoint, *([Kill(int(kill_at))] if kill_at.isdigit() else [])]
    rocket.fit(stream, epochs=2, initial_epoch=stream.position // len(stream), verbose=0, callbacks=callbacks)
    state = [*rocket.optimizer.variables, *rocket.row_optimizer.variables]
    np.savez(folder / "end.npz", *rocket.get_weights(), *(keras.ops.convert_to_numpy(v.value) for v in state))
    stream.close()


if __name__ == "__main__":
    main()
