"""Our hints in Keras's own Distiller."""

import keras
import numpy as np
import pytest

from rocket_keras import hints


def net(prefix, channels):
    inputs = keras.Input((4, 4, 2))
    maps = keras.layers.Conv2D(channels, 3, padding="same", activation="tanh", name=f"{prefix}_map")(inputs)
    rows = keras.layers.GlobalAveragePooling2D(name=f"{prefix}_rows")(maps)
    return keras.Model(inputs, keras.layers.Dense(3, name=f"{prefix}_logits")(rows), name=prefix)


def distiller(hint, student=None):
    built = keras.distillation.Distiller(
        teacher=net("booster", 5),
        student=student or net("light", 5 if isinstance(hint, hints.CosineHint) else 3),
        distillation_losses=hint,
        student_loss_weight=0.1,
    )
    built.compile(keras.optimizers.Adam(0.01), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return built


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(32, 4, 4, 2)).astype("float32"), rng.integers(0, 3, 32)


def values(layer):
    return [np.array(w) for w in layer.get_weights()]


HINTS = {
    "squared logits": lambda: hints.SquaredLogitHint(),
    "squared probabilities": lambda: hints.SquaredProbabilityHint(),
    "soft targets": lambda: hints.SoftTargetHint(2.0),
    "standardised": lambda: hints.StandardisedHint(2.0),
    "mutual": lambda: hints.MutualHint(hints.SoftTargetHint(1.0)),
    "feature maps": lambda: hints.FeatureHint("light_map", "booster_map"),
    "feature rows": lambda: hints.FeatureHint("light_rows", "booster_rows"),
    "attention": lambda: hints.AttentionHint("light_map", "booster_map"),
    "mutual attention": lambda: hints.MutualHint(hints.AttentionHint("light_map", "booster_map")),
    "cosine": lambda: hints.CosineHint("light_map", "booster_map"),
}


@pytest.mark.parametrize("name", HINTS)
def test_hint_trains_the_student_alone(name):
    model = distiller(HINTS[name]())
    teacher, student = values(model.teacher), values(model.student)
    history = model.fit(*data(), epochs=6, batch_size=16, verbose=0).history
    assert history["distillation_loss"][-1] < 0.97 * history["distillation_loss"][0]
    for before, after in zip(teacher, values(model.teacher), strict=True):
        np.testing.assert_array_equal(after, before)
    assert all(np.any(after != before) for before, after in zip(student, values(model.student), strict=True))


def test_regressor_learns_in_the_distiller_and_is_saved_with_it(tmp_path):
    hint = hints.FeatureHint("light_map", "booster_map")
    model = distiller(hint)
    before = values(hint)
    model.fit(*data(), verbose=0)
    assert [w.shape for w in before] == [(3, 5), (5,)]
    assert all(np.any(a != b) for a, b in zip(before, values(hint), strict=True))
    model.save(tmp_path / "distiller.keras")
    (loaded,) = keras.saving.load_model(tmp_path / "distiller.keras", compile=False).distillation_losses
    for a, b in zip(values(hint), values(loaded), strict=True):
        np.testing.assert_array_equal(a, b)


def test_several_hints_train_at_once():
    both = [hints.SquaredLogitHint(), hints.FeatureHint("light_map", "booster_map")]
    model = keras.distillation.Distiller(net("booster", 5), net("light", 3), both, [1.0, 0.1])
    model.compile(keras.optimizers.Adam(0.01), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = values(both[1])
    model.fit(*data(), verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, values(both[1]), strict=True))


def test_misfits_are_found_when_the_distiller_is_made():
    with pytest.raises(ValueError, match="expected one width"):
        distiller(hints.FeatureHint("light_map", "booster_map", regressor=False))
    with pytest.raises(ValueError, match="No such layer: light_mapp"):
        distiller(hints.AttentionHint("light_mapp", "booster_map"))

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = net("light", 3)

        def call(self, x):
            return self.inner(x)

    with pytest.raises(ValueError, match="expected a functional or Sequential model for the layer 'light_map'"):
        distiller(hints.AttentionHint("light_map", "booster_map"), student=Own())


def test_a_hint_with_labels_says_that_the_distiller_has_none():
    with pytest.raises(ValueError, match=r"expected integer labels, .*Distiller passes no labels"):
        distiller(hints.DecoupledHint()).fit(*data(), verbose=0)
