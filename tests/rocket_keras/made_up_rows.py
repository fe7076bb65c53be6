"""What the tests of tables trained row by row share: pairs over a table, and rows for them."""

import keras
import numpy as np

import rocket_keras as rk
from rocket_keras.layers import CategoricalEmbedding, MaskedMean, SparseEmbedding

SIZES, DIM = (30, 12, 7), 4
BINARY = keras.losses.BinaryCrossentropy


def inputs_of(sizes=SIZES, length=3):
    inputs = {f"f{i}": keras.Input((), dtype="int32", name=f"f{i}") for i in range(len(sizes))}
    return {**inputs, "several": keras.Input((length,), dtype="int32", name="several")}


def make_pair(kind=SparseEmbedding, sizes=SIZES, apart=False, seed=3, **options):
    """Build a pair over one table: looked up once for both, or (`apart`) by each net in calls of its own."""
    keras.utils.set_random_seed(seed)
    inputs = inputs_of(sizes)
    table = kind(sizes, DIM, embeddings_initializer="normal", name="table", **options)

    def features():
        single = table([inputs[f"f{i}"] for i in range(len(sizes))])
        several = table(inputs["several"], fields=[0])
        mean = MaskedMean(name=None)([several, inputs["several"]])
        return keras.layers.Concatenate(name=None)([single, mean])

    shared = features()
    light = keras.layers.Dense(1, name="light_logits")(features() if apart else shared)
    hidden = keras.layers.Dense(8, "tanh", name="booster_hidden")(shared)
    booster = keras.layers.Dense(1, name="booster_logits")(hidden)
    return rk.Pair(keras.Model(inputs, light, name="light"), keras.Model(inputs, booster, name="booster"))


def drawn(count=64, sizes=SIZES, length=3, seed=0, few=None):
    """Draw rows; ids of each field are among the first `few`, so that they repeat in a batch."""
    rng = np.random.default_rng(seed)
    x = {f"f{i}": rng.integers(0, min(few or size, size), count).astype("int32") for i, size in enumerate(sizes)}
    x["several"] = rng.integers(-1, min(few or sizes[0], sizes[0]), (count, length)).astype("int32")
    return x, rng.integers(0, 2, (count, 1)).astype("float32")


def trained(pair, row_optimizer=None, optimizer=None, steps=4, few=5, weights=None, switches=None, **options):
    """Fit a few batches of 16 rows and return the rocket."""
    rocket = rk.Rocket(pair, hint_weight=0.3, **(switches or {}))
    rows = {} if row_optimizer is None else {"row_optimizer": row_optimizer}
    rocket.compile(optimizer or keras.optimizers.SGD(0.1), BINARY(from_logits=True), **rows, **options)
    x, y = drawn(16 * steps, few=few)
    rocket.fit(x, y, batch_size=16, shuffle=False, verbose=0, sample_weight=weights)
    return rocket


def table_of(pair):
    return np.array(keras.ops.convert_to_numpy(pair.light.get_layer("table").table.value))


class DenseEmbedding(CategoricalEmbedding):
    """The same embeddings as matrix products with one-hot rows, of which the whole table has a gradient.

    Not a gather: of that, TensorFlow gives Keras's optimizers the rows one by one, and these do not sum their squares.
    """

    def call(self, ids, fields=None):
        fields = self._fields(ids, fields)
        if not isinstance(ids, list | tuple):
            return self._product(ids, fields[0])
        return keras.ops.concatenate([self._product(i, f) for i, f in zip(ids, fields, strict=True)], axis=1)

    def _product(self, ids, field):
        size, begin = self.sizes[field], self.offsets[field]
        return keras.ops.matmul(keras.ops.one_hot(ids, size), self.table[begin : begin + size])


def dense(**options):
    """Build the pair whose table is trained in full."""
    return make_pair(DenseEmbedding, **options)
