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


def both_ways(p, q):
    return kl(p, q) + kl(q, p)


def zscore(z):
    return (z - z.mean(-1, keepdims=True)) / (z.std(-1, keepdims=True) + 1e-7)


def two_classes(z, temperature=1.0):
    p = sigmoid(z / temperature)
    return np.concatenate([1 - p, p], -1)


MULTI = {
    "squared logits": (hints.SquaredLogitHint(), lambda z, x: ((x - z) ** 2).sum(-1)),
    "squared probabilities": (hints.SquaredProbabilityHint(), lambda z, x: ((softmax(x) - softmax(z)) ** 2).sum(-1)),
    "soft targets": (hints.SoftTargetHint(4.0), lambda z, x: 16 * kl(softmax(z / 4), softmax(x / 4))),
    "standardised": (hints.StandardisedHint(2.0), lambda z, x: 4 * kl(softmax(zscore(z) / 2), softmax(zscore(x) / 2))),
    "mutual": (hints.MutualHint(hints.SoftTargetHint(1.0)), lambda z, x: both_ways(softmax(z), softmax(x))),
}
BINARY = {
    "squared logits": (hints.SquaredLogitHint(), lambda z, x: ((x - z) ** 2).sum(-1)),
    "squared probabilities": (hints.SquaredProbabilityHint(), lambda z, x: ((sigmoid(x) - sigmoid(z)) ** 2).sum(-1)),
    "soft targets": (hints.SoftTargetHint(2.0), lambda z, x: 4 * kl(two_classes(z, 2), two_classes(x, 2))),
    "mutual": (hints.MutualHint(hints.SoftTargetHint(1.0)), lambda z, x: both_ways(two_classes(z), two_classes(x))),
}
CASES = [
    pytest.param(logits, *case, id=f"{name}, {logits} logits")
    for logits, table in ((10, MULTI), (1, BINARY))
    for name, case in table.items()
]


@pytest.mark.parametrize(("logits", "hint", "line"), CASES)
def test_hint_equals_one_line_of_numpy(logits, hint, line):
    booster, light = np.random.default_rng(0).normal(size=(2, 6, logits)) * 3
    expected = line(booster, light)
    got = keras.ops.convert_to_numpy(hint.per_example(booster.astype("float32"), light.astype("float32")))
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)
    mean = hint.compute_loss(booster.astype("float32"), light.astype("float32"))
    np.testing.assert_allclose(float(mean), expected.mean(), rtol=2e-5)


def test_soft_targets_of_far_apart_logits_stay_finite():
    booster, light = np.array([[80.0]], "float32"), np.array([[-80.0]], "float32")
    assert np.isfinite(float(hints.SoftTargetHint(1.0).compute_loss(booster, light)))


@pytest.mark.parametrize("hint", [hints.SoftTargetHint, hints.DecoupledHint, hints.StandardisedHint])
def test_temperature_must_be_positive(hint):
    with pytest.raises(ValueError, match="temperature must be above 0"):
        hint(0.0)


def decoupled(z, x, labels, alpha, beta):
    """Equation by equation: probabilities of the label's class, and of the others among themselves."""
    losses = []
    for p, q, k in zip(softmax(z), softmax(x), labels, strict=True):
        target = kl(np.array([p[k], 1 - p[k]]), np.array([q[k], 1 - q[k]]))
        rest = kl(np.delete(p, k) / (1 - p[k]), np.delete(q, k) / (1 - q[k]))
        losses.append(alpha * target + beta * rest)
    return np.array(losses)


@pytest.mark.parametrize("column", [False, True], ids=["(batch,)", "(batch, 1)"])
@pytest.mark.parametrize("classes", [2, 5])
def test_decoupled_hint_equals_its_two_parts(classes, column):
    booster, light = np.random.default_rng(1).normal(size=(2, 6, classes)) * 3
    labels = np.random.default_rng(2).integers(0, classes, 6)
    hint = hints.DecoupledHint(temperature=2.0, alpha=0.5, beta=3.0)
    given = labels[:, None] if column else labels.astype("float32")
    got = hint.per_example(booster.astype("float32"), light.astype("float32"), given)
    expected = 4 * decoupled(booster / 2, light / 2, labels, 0.5, 3.0)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(got), expected, rtol=2e-5, atol=1e-6)
    mean = hint.compute_loss(booster.astype("float32"), light.astype("float32"), labels=given)
    np.testing.assert_allclose(float(mean), expected.mean(), rtol=2e-5)


def test_decoupled_parts_make_up_soft_targets():
    """Equation 6 of the paper: KD = TCKD + (1 - p of the label's class in the booster) * NCKD."""
    booster, light = np.random.default_rng(3).normal(size=(2, 1, 4)).astype("float32")
    label = np.array([2])
    share = float(1 - softmax(booster)[0, 2])
    whole = float(hints.SoftTargetHint(1.0).compute_loss(booster, light))
    parts = float(hints.DecoupledHint(1.0, alpha=1.0, beta=share).compute_loss(booster, light, labels=label))
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def test_decoupled_hint_says_what_it_lacks():
    hint, logits = hints.DecoupledHint(), np.zeros((2, 3), "float32")
    with pytest.raises(ValueError, match="expected integer labels, received None"):
        hint.compute_loss(logits, logits)
    with pytest.raises(ValueError, match="expected integer labels, received None"):
        hint.per_example(logits, logits)
    with pytest.raises(ValueError, match=r"received the shape \(2, 3\): turn one-hot labels into integers"):
        hint.compute_loss(logits, logits, labels=np.eye(3)[:2])
    with pytest.raises(ValueError, match="beta must be at least 0"):
        hints.DecoupledHint(beta=-1.0)


@pytest.mark.parametrize("hint", [hints.DecoupledHint(), hints.StandardisedHint()], ids=lambda h: type(h).__name__)
def test_class_hints_refuse_one_logit(hint):
    logits = np.zeros((2, 1), "float32")
    labels = (np.zeros(2, "int32"),) if hint.needs_labels else ()
    with pytest.raises(ValueError, match=r"expected logits .* at least 2 classes, received the shape \(None, 1\)"):
        hint.connect((None, 1), (None, 1))
    with pytest.raises(ValueError, match=r"at least 2 classes, received the shape \(2, 1\)"):
        hint.per_example(logits, logits, *labels)


def test_standardised_hint_sees_no_scale_and_no_shift():
    logits = np.array([[1.0, 2.0, 4.0], [0.0, -3.0, 5.0]], "float32")
    loss = float(hints.StandardisedHint().compute_loss(logits, 7 * logits + 3))
    np.testing.assert_allclose(loss, 0, atol=1e-6)


def test_mutual_hint_refuses_what_has_one_direction_only():
    with pytest.raises(ValueError, match="without labels and regressor, received DecoupledHint"):
        hints.MutualHint(hints.DecoupledHint())
    with pytest.raises(ValueError, match="without labels and regressor, received FeatureHint"):
        hints.MutualHint(hints.FeatureHint("a", "b"))
    with pytest.raises(ValueError, match=r"expected a hint of rocket_keras\.hints, received 'kd'"):
        hints.MutualHint("kd")
