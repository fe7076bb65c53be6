"""Gradients of hints, read off one SGD step of rate 1 on the two outputs themselves."""

import keras
import numpy as np
import pytest

from rocket_keras import hints


class Leaves(keras.Model):
    """The two tensors that a hint compares, as trainable variables."""

    def __init__(self, hint, booster, light):
        super().__init__()
        self.hint = hint
        self.booster = self.add_weight(shape=booster.shape, name="booster")
        self.light = self.add_weight(shape=light.shape, name="light")
        self.booster.assign(booster)
        self.light.assign(light)
        self.built = True

    def call(self, labels):
        return labels

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        kwargs = {"labels": x} if self.hint.needs_labels else {}
        # Products, not the variables: TensorFlow may update a variable's buffer while the gradient still reads it.
        return self.hint.compute_loss(1.0 * self.booster, 1.0 * self.light, **kwargs)


def gradients(hint, booster, light):
    """Return the gradients for the booster's and the light net's tensor."""
    booster, light = np.asarray(booster, "float32"), np.asarray(light, "float32")
    hint.connect((None, *booster.shape[1:]), (None, *light.shape[1:]))
    leaves = Leaves(hint, booster, light)
    leaves.compile(keras.optimizers.SGD(1.0))
    labels = np.arange(len(light), dtype="int32") % light.shape[-1]
    leaves.train_on_batch(labels, labels)
    after = [keras.ops.convert_to_numpy(v) for v in (leaves.booster, leaves.light)]
    return booster - after[0], light - after[1]


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_each_peer_of_a_mutual_hint_moves_toward_the_other():
    booster, light = np.random.default_rng(0).normal(size=(2, 4, 3)) * 2
    toward_light, toward_booster = gradients(hints.MutualHint(hints.SoftTargetHint(1.0)), booster, light)
    np.testing.assert_allclose(toward_booster, (softmax(light) - softmax(booster)) / 4, atol=1e-6)
    np.testing.assert_allclose(toward_light, (softmax(booster) - softmax(light)) / 4, atol=1e-6)


@pytest.mark.parametrize(
    "hint",
    [
        hints.DecoupledHint(2.0),
        hints.StandardisedHint(2.0),
        hints.CosineHint("a", "b"),
        hints.AttentionHint("a", "b"),
    ],
    ids=lambda h: type(h).__name__,
)
def test_gradient_equals_finite_differences(hint):
    shape = (2, 2, 2, 2) if isinstance(hint, hints.AttentionHint) else (2, 4)
    booster, light = np.random.default_rng(4).normal(size=(2, *shape))
    labels = (np.arange(2) % shape[-1],) if hint.needs_labels else ()

    def loss(x):
        per_example = hint.per_example(booster.astype("float32"), x.astype("float32"), *labels)
        return keras.ops.convert_to_numpy(per_example).astype("float64").mean()

    _, slopes = gradients(hint, booster, light)
    expected = np.zeros(shape)
    for i in np.ndindex(shape):
        step = np.zeros(shape)
        step[i] = 1e-2
        expected[i] = (loss(light + step) - loss(light - step)) / 2e-2
    np.testing.assert_allclose(slopes, expected, atol=2e-3)
    assert np.abs(slopes).max() > 0.02


FLAT = {"zeros": np.zeros((2, 3)), "constant": np.full((2, 3), 0.1), "huge": np.array([[1e15, 0, -1e15], [0, 0, 1e15]])}


@pytest.mark.parametrize("values", FLAT)
@pytest.mark.parametrize(
    "hint",
    [hints.SoftTargetHint(), hints.DecoupledHint(), hints.StandardisedHint(), hints.MutualHint(hints.SoftTargetHint())],
    ids=lambda h: type(h).__name__,
)
def test_logits_at_their_limits_have_finite_gradients(hint, values):
    other = np.random.default_rng(1).normal(size=(2, 3))
    for booster, light in ((FLAT[values], other), (other, FLAT[values]), (FLAT[values], FLAT[values])):
        assert all(np.isfinite(g).all() for g in gradients(hint, booster, light))


def test_constant_logits_have_a_standardised_gradient_of_ordinary_size():
    light = np.zeros((1, 3))
    _, slopes = gradients(hints.StandardisedHint(2.0), [[1.0, 2.0, 4.0]], light)
    assert 0.01 < np.abs(slopes).max() < 10


@pytest.mark.parametrize("size", [0.0, 1e15])
@pytest.mark.parametrize(
    "hint", [hints.AttentionHint("a", "b"), hints.CosineHint("a", "b")], ids=lambda h: type(h).__name__
)
def test_maps_at_their_limits_have_finite_losses_and_gradients(hint, size):
    limit = np.full((2, 2, 2, 3), size, "float32")
    other = np.random.default_rng(1).normal(size=(2, 2, 2, 3)).astype("float32")
    for booster, light in ((limit, other), (other, limit), (limit, limit)):
        assert np.isfinite(keras.ops.convert_to_numpy(hint.per_example(booster, light))).all()
        assert all(np.isfinite(g).all() for g in gradients(hint, booster, light))


def test_huge_attention_equals_its_rescaled_self():
    other = np.random.default_rng(1).normal(size=(2, 2, 2, 3)).astype("float32")
    maps = [keras.ops.convert_to_numpy(hints.attention_map(other * size)) for size in (1.0, 1e25)]
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-5)
