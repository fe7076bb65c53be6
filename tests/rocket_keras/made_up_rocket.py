"""What the tests of Rocket share: a compiled one, and its variables as arrays."""

import keras
import numpy as np

from rocket_keras import Rocket

SPARSE = keras.losses.SparseCategoricalCrossentropy


def compiled(pair, optimizer=None, metrics=None, **options):
    switches = {k: options.pop(k) for k in ("hint", "hint_weight", "gradient_block", "light_to_shared") if k in options}
    rocket = Rocket(pair, **switches)
    loss = options.pop("loss", SPARSE(from_logits=True))
    rocket.compile(optimizer or keras.optimizers.SGD(0.1), loss, metrics=metrics, **options)
    return rocket


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in variables]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
