"""What the tests of columns by name share: a table with further columns, and pairs that read some of it."""

import keras
import numpy as np

import rocket_keras as rk

LOSS = keras.losses.BinaryCrossentropy(from_logits=True)
LIGHT, BOTH = ("age", "price"), ("age", "dwell", "price")
DENSE = keras.layers.Dense
# Names around those of the nets, so that each column would be read for another one.
DRAWN = np.random.default_rng(0).normal(size=(5, 32, 1)).astype("float32")
COLUMNS = dict(zip(("zeal", "price", "aaa", "dwell", "age"), DRAWN * [[[1]], [[1]], [[50]], [[1]], [[1]]], strict=True))
Y = (DRAWN[1] > 0).astype("float32")
WITH_TEXTS = {**COLUMNS, "user_id": np.array([f"user {i // 4}" for i in range(32)])}


def make_pair(units=2):
    keras.utils.set_random_seed(1)

    def net(name, columns, units):
        inputs = {column: keras.Input((1,), name=column) for column in columns}
        hidden = DENSE(units, "tanh", name=f"{name}_hidden")(keras.layers.Concatenate()(list(inputs.values())))
        return keras.Model(inputs, DENSE(1, name=f"{name}_logits")(hidden), name=name)

    return rk.Pair(net("light", LIGHT, units), net("booster", BOTH, 4), privileged=("dwell",))


def compiled(model, **options):
    model.compile(keras.optimizers.SGD(0.1), LOSS, **options)
    return model


def unpaired():
    inputs = {column: keras.Input((1,), name=column) for column in LIGHT}
    return inputs, DENSE(1)(keras.layers.Concatenate()(list(inputs.values())))


def log_of_training(model, x, y=Y, **options):
    logs = model.fit(x, y, batch_size=16, shuffle=False, verbose=0, **options).history
    return logs, model.get_weights()


def numbers(value):
    return [keras.ops.convert_to_numpy(leaf) for leaf in keras.tree.flatten(value)]


def input_names(model):
    graph = getattr(model, "joint", getattr(model, "net", model))
    return {tensor.name for tensor in graph.inputs}


def same(got, expected):
    for value, wanted in zip(numbers(got), numbers(expected), strict=True):
        np.testing.assert_array_equal(value, wanted)


def gauc(model, x):
    callback, logs = rk.callbacks.GroupAUC((x, Y, np.arange(32) // 4)), {}
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    return logs
