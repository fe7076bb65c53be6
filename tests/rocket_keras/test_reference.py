"""Twenty SGD steps against a float64 NumPy implementation of the algorithm, written from the paper's equations."""

import keras
import numpy as np
import pytest

from rocket_keras import Rocket

STEPS, BATCH, RATE, WEIGHT = 20, 8, 0.1, 0.3


def numpy_steps(weights, x, y, block, to_shared):
    """Train `{"shared": [W, b], "light": [W, b], "booster": [W1, b1, W2, b2]}` in float64."""
    w = {part: [np.array(v, "float64") for v in values] for part, values in weights.items()}
    for step in range(STEPS):
        xs, ys = x[step * BATCH : (step + 1) * BATCH].astype("float64"), y[step * BATCH : (step + 1) * BATCH]
        s = np.tanh(xs @ w["shared"][0] + w["shared"][1])
        light = s @ w["light"][0] + w["light"][1]
        h = np.tanh(s @ w["booster"][0] + w["booster"][1])
        booster = h @ w["booster"][2] + w["booster"][3]

        def cross_entropy_gradient(z, ys=ys):
            p = np.exp(z - z.max(-1, keepdims=True))
            p /= p.sum(-1, keepdims=True)
            p[np.arange(BATCH), ys] -= 1
            return p / BATCH

        hint = 2 * WEIGHT * (light - booster) / BATCH
        d_light = cross_entropy_gradient(light) + hint
        # What reaches the booster's own variables, and what reaches the shared ones through it.
        d_own = cross_entropy_gradient(booster) - (0 if block else hint)
        d_through = d_own if to_shared else cross_entropy_gradient(booster)

        def back(d, h=h, w=w):
            return (d @ w["booster"][2].T) * (1 - h**2)

        d_s = back(d_through) @ w["booster"][0].T + (d_light @ w["light"][0].T if to_shared else 0)
        d_s *= 1 - s**2
        gradients = {
            "shared": [xs.T @ d_s, d_s.sum(0)],
            "light": [s.T @ d_light, d_light.sum(0)],
            "booster": [s.T @ back(d_own), back(d_own).sum(0), h.T @ d_own, d_own.sum(0)],
        }
        for part, values in gradients.items():
            for variable, gradient in zip(w[part], values, strict=True):
                variable -= RATE * gradient
    return w


@pytest.mark.parametrize("to_shared", [True, False], ids=["light to shared", "routed"])
@pytest.mark.parametrize("block", [True, False], ids=["block", "no block"])
def test_twenty_steps_equal_float64_numpy(make_pair, rows, block, to_shared):
    pair = make_pair()
    parts = {part: getattr(pair, f"{part}_variables") for part in ("shared", "light", "booster")}
    rng = np.random.default_rng(3)
    for variables in parts.values():
        for variable in variables:
            variable.assign(rng.normal(scale=0.5, size=variable.shape).astype("float32"))
    before = {part: [keras.ops.convert_to_numpy(v.value) for v in variables] for part, variables in parts.items()}
    x, y = rows(STEPS * BATCH)
    expected = numpy_steps(before, x, y, block, to_shared)
    rocket = Rocket(pair, hint_weight=WEIGHT, gradient_block=block, light_to_shared=to_shared)
    rocket.compile(keras.optimizers.SGD(RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rocket.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    for part, variables in parts.items():
        for variable, value in zip(variables, expected[part], strict=True):
            np.testing.assert_allclose(keras.ops.convert_to_numpy(variable.value), value, atol=1e-4)
