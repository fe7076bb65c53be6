"""Twenty SGD steps of a convolutional pair: all backends agree with one stored course.

`KERAS_BACKEND=jax python tests/zoo/test_reference.py > tests/zoo/reference.json` writes the course anew.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import Rocket

REFERENCE = Path(__file__).with_name("reference.json")
STEPS, BATCH = 20, 16


def course(light_to_shared):
    """Losses of each step and the logits of four images after the last, from weights and batches made by NumPy."""
    pair = zoo.wide_resnet_pair(10, 16, input_shape=(8, 8, 1), sharing="interval")
    rng = np.random.default_rng(0)
    for variable in sorted(pair.joint.trainable_variables, key=lambda v: v.path):
        if variable.path.endswith("kernel"):
            fan_in = int(np.prod(variable.shape[:-1]))
            variable.assign((rng.normal(size=variable.shape) / fan_in**0.5).astype("float32"))
    rocket = Rocket(pair, hint_weight=0.03, light_to_shared=light_to_shared)
    rocket.compile(keras.optimizers.SGD(0.005), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = rng.normal(size=(STEPS * BATCH, 8, 8, 1)).astype("float32")
    y = (np.abs(x).mean((1, 2, 3)) * 40).astype("int32") % 10
    losses = []
    for step in range(STEPS):
        part = slice(step * BATCH, step * BATCH + BATCH)
        logs = rocket.fit(x[part], y[part], batch_size=BATCH, verbose=0).history
        losses.append([float(logs[name][0]) for name in ("light_loss", "booster_loss", "hint_loss")])
    logits = rocket.predict(x[:4], verbose=0)
    return {"losses": losses, "light": logits["light"].tolist(), "booster": logits["booster"].tolist()}


@pytest.fixture(scope="module")
def courses():
    """The courses with the code that users run: the compilers' settings of the tests would round otherwise."""
    settings = {"XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS", "JAX_COMPILATION_CACHE_DIR"}
    environment = {name: value for name, value in os.environ.items() if name not in settings}
    done = subprocess.run([sys.executable, __file__], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_twenty_steps_equal_the_stored_course(courses, light_to_shared):
    expected, got = json.loads(REFERENCE.read_text())[str(light_to_shared)], courses[str(light_to_shared)]
    for key in ("losses", "light", "booster"):
        np.testing.assert_allclose(got[key], expected[key], atol=1e-4, rtol=1e-4, err_msg=key)


if __name__ == "__main__":
    print(json.dumps({str(switch): course(switch) for switch in (True, False)}))
