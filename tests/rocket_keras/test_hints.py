import keras
import numpy as np
import pytest

from rocket_keras import hints


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def kl(p, q):
    return (p * (np.log(p) - np.log(q))).sum(-1)


def two_classes(z, temperature):
    p = sigmoid(z / temperature)
    return np.concatenate([1 - p, p], -1)


MULTI = {
    "squared logits": (hints.SquaredLogitHint(), lambda z, x: ((x - z) ** 2).sum(-1)),
    "squared probabilities": (hints.SquaredProbabilityHint(), lambda z, x: ((softmax(x) - softmax(z)) ** 2).sum(-1)),
    "soft targets": (hints.SoftTargetHint(4.0), lambda z, x: 16 * kl(softmax(z / 4), softmax(x / 4))),
}
BINARY = {
    "squared logits": (hints.SquaredLogitHint(), lambda z, x: ((x - z) ** 2).sum(-1)),
    "squared probabilities": (hints.SquaredProbabilityHint(), lambda z, x: ((sigmoid(x) - sigmoid(z)) ** 2).sum(-1)),
    "soft targets": (hints.SoftTargetHint(2.0), lambda z, x: 4 * kl(two_classes(z, 2), two_classes(x, 2))),
}


@pytest.mark.parametrize(("cases", "logits"), [(MULTI, 10), (BINARY, 1)], ids=["ten logits", "one logit"])
@pytest.mark.parametrize("name", MULTI)
def test_hint_equals_one_line_of_numpy(name, cases, logits):
    hint, line = cases[name]
    booster, light = np.random.default_rng(0).normal(size=(2, 6, logits)) * 3
    expected = line(booster, light)
    got = keras.ops.convert_to_numpy(hint.per_example(booster.astype("float32"), light.astype("float32")))
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)
    mean = hint.compute_loss(booster.astype("float32"), light.astype("float32"))
    np.testing.assert_allclose(float(mean), expected.mean(), rtol=2e-5)


def test_soft_targets_of_far_apart_logits_stay_finite():
    booster, light = np.array([[80.0]], "float32"), np.array([[-80.0]], "float32")
    assert np.isfinite(float(hints.SoftTargetHint(1.0).compute_loss(booster, light)))


def test_soft_target_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature must be above 0"):
        hints.SoftTargetHint(0.0)


@pytest.mark.parametrize("hint", [hints.SquaredLogitHint(), hints.SoftTargetHint(2.0)], ids=lambda h: type(h).__name__)
def test_hints_work_in_the_distiller_of_keras(hint, make_pair, rows):
    pair = make_pair(share=False)
    distiller = keras.distillation.Distiller(
        teacher=pair.booster, student=pair.light, distillation_losses=hint, student_loss_weight=0.5
    )
    distiller.compile(
        optimizer=keras.optimizers.SGD(0.1), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    before = [np.array(w) for w in pair.light.get_weights()]
    distiller.fit(*rows(), epochs=1, verbose=0)
    assert any(np.any(a != b) for a, b in zip(before, pair.light.get_weights(), strict=True))
