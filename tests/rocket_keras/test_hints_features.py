import keras
import numpy as np
import pytest

from rocket_keras import hints

MAPS = ((6, 4, 3, 5), (6, 4, 3, 2))
ROWS = ((6, 5), (6, 2))


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


def losses(hint, booster, light):
    hint.connect((None, *booster.shape[1:]), (None, *light.shape[1:]))
    return keras.ops.convert_to_numpy(hint.per_example(booster.astype("float32"), light.astype("float32")))


def regressed(hint, light):
    kernel, bias = (keras.ops.convert_to_numpy(w).astype("float64") for w in hint.regressor.weights)
    return light @ kernel + bias


def flat(x):
    return x.reshape(len(x), -1)


def unit(x):
    return flat(x) / np.linalg.norm(flat(x), axis=1, keepdims=True)


@pytest.mark.parametrize("shapes", [MAPS, ROWS], ids=["maps", "rows"])
def test_feature_hint_equals_one_line_of_numpy(shapes):
    booster, light = draw(*shapes)
    hint = hints.FeatureHint("light", "booster")
    got = losses(hint, booster, light)
    np.testing.assert_allclose(got, 0.5 * (flat(regressed(hint, light) - booster) ** 2).sum(1), rtol=1e-5)


@pytest.mark.parametrize("shapes", [MAPS, ROWS], ids=["maps", "rows"])
def test_feature_hint_without_regressor_compares_as_they_are(shapes):
    booster, light = draw(shapes[0], shapes[0])
    hint = hints.FeatureHint("light", "booster", regressor=False)
    np.testing.assert_allclose(losses(hint, booster, light), 0.5 * (flat(light - booster) ** 2).sum(1), rtol=1e-5)
    assert hint.weights == []


@pytest.mark.parametrize("regressor", [False, True])
@pytest.mark.parametrize("shapes", [MAPS, ROWS], ids=["maps", "rows"])
def test_cosine_hint_equals_one_line_of_numpy(shapes, regressor):
    booster, light = draw(shapes[0], shapes[1] if regressor else shapes[0])
    hint = hints.CosineHint("light", "booster", regressor=regressor)
    got = losses(hint, booster, light)
    light = regressed(hint, light) if regressor else light
    np.testing.assert_allclose(got, 1 - (unit(booster) * unit(light)).sum(1), rtol=1e-5, atol=1e-6)


def test_attention_hint_equals_one_line_of_numpy():
    booster, light = draw(*MAPS)
    maps = [unit((features**2).mean(-1)) for features in (booster, light)]
    got = losses(hints.AttentionHint("light", "booster"), booster, light)
    np.testing.assert_allclose(got, 0.5 * ((maps[1] - maps[0]) ** 2).sum(1), rtol=1e-5)
    ours = keras.ops.convert_to_numpy(hints.attention_map(light.astype("float32")))
    assert ours.shape == (6, 12)
    np.testing.assert_allclose(ours, maps[1], rtol=1e-5)


def test_attention_weight_of_the_authors_code_translates():
    """Their loss: 1000 * mean over batch and positions of the squared difference, without the half."""
    booster, light = draw((6, 8, 8, 5), (6, 8, 8, 2))
    theirs = 1000 * np.mean((unit((light**2).mean(-1)) - unit((booster**2).mean(-1))) ** 2)
    ours = losses(hints.AttentionHint("light", "booster"), booster, light).mean()
    np.testing.assert_allclose(2000 / 64 * ours, theirs, rtol=1e-5)


def test_shapes_are_checked_before_training():
    for hint in (hints.FeatureHint("a", "b"), hints.AttentionHint("a", "b")):
        with pytest.raises(ValueError, match=r"same positions, received booster \(None, 8, 8, 4\) and light \(None, 4"):
            hint.connect((None, 8, 8, 4), (None, 4, 4, 4))
    with pytest.raises(ValueError, match=r"expected two maps .* received booster \(None, 4\)"):
        hints.AttentionHint("a", "b").connect((None, 4), (None, 4))
    with pytest.raises(ValueError, match="same positions"):
        hints.FeatureHint("a", "b").connect((None, 4), (None, 2, 2, 4))
    with pytest.raises(ValueError, match=r"expected one width.* set regressor=True"):
        hints.CosineHint("a", "b").connect((None, 4), (None, 3))
    with pytest.raises(ValueError, match="expected known widths"):
        hints.FeatureHint("a", "b").connect((None, None), (None, 3))
    with pytest.raises(ValueError, match="expected one width"):
        hints.CosineHint("a", "b").per_example(np.zeros((2, 4), "float32"), np.zeros((2, 1), "float32"))
    hints.AttentionHint("a", "b").connect((None, None, None, 4), (None, 8, 8, 4))


def test_a_tap_has_a_name():
    for hint in (hints.FeatureHint, hints.CosineHint, hints.AttentionHint):
        with pytest.raises(ValueError, match="expected the name of a tap, received booster_tap=None"):
            hint("light", None)


def test_a_regressor_belongs_to_one_pair():
    hint = hints.FeatureHint("a", "b")
    with pytest.raises(ValueError, match="before its first loss"):
        hint.per_example(np.zeros((2, 5), "float32"), np.zeros((2, 3), "float32"))
    hint.connect((None, 5), (None, 3))
    kernel = keras.ops.convert_to_numpy(hint.regressor.kernel)
    hint.connect([None, 5], [None, 3])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(hint.regressor.kernel), kernel)
    with pytest.raises(ValueError, match="make a new FeatureHint for each pair"):
        hint.connect((None, 6), (None, 3))


def test_a_connected_hint_is_rebuilt_with_its_regressor():
    hint = hints.FeatureHint("a", "b", name="deep")
    hint.connect((None, 4, 4, 5), (None, 4, 4, 3))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(hint))
    assert [tuple(w.shape) for w in again.trainable_weights] == [(3, 5), (5,)]
    again.set_weights(hint.get_weights())
    booster, light = (x.astype("float32") for x in draw((2, 4, 4, 5), (2, 4, 4, 3)))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(again.per_example(booster, light)),
        keras.ops.convert_to_numpy(hint.per_example(booster, light)),
    )


def test_a_mutual_feature_hint_reads_the_same_taps():
    hint = hints.MutualHint(hints.AttentionHint("low", "high"))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(hint))
    assert (again.student_layer_name, again.teacher_layer_name) == ("low", "high")
    with pytest.raises(ValueError, match="expected two maps"):
        again.connect((None, 4), (None, 4))


def test_features_of_half_precision_are_compared_in_float32():
    booster, light = np.full((1, 64, 64, 4), 200.0, "float16"), np.zeros((1, 64, 64, 4), "float16")
    hint = hints.FeatureHint("a", "b", regressor=False)
    got = keras.ops.convert_to_numpy(hint.per_example(booster, light))
    np.testing.assert_allclose(got, [0.5 * 64 * 64 * 4 * 200.0**2], rtol=1e-5)
