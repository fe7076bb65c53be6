"""A Rocket with several hints, hints on taps, Keras's own losses, and weights of the label loss."""

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket, hints, schedules

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def tapped_pair(light_width=4, booster_width=6, taps=("light_hidden", "booster_hidden")):
    x = keras.Input((5,), name="x")
    shared = keras.layers.Dense(8, "tanh", name="shared")(x)

    def net(name, width):
        hidden = keras.layers.Dense(width, "tanh", name=f"{name}_hidden")(shared)
        normed = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(hidden)
        return keras.Model(x, keras.layers.Dense(3, name=f"{name}_logits")(normed), name=name)

    return Pair(net("light", light_width), net("booster", booster_width), taps=taps)


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in variables]


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_several_hints_and_the_label_weight_add_up(rows):
    pair = tapped_pair(4, 4)
    several = [hints.SquaredLogitHint(), hints.FeatureHint("light_hidden", "booster_hidden", regressor=False)]
    weights = [0.5, schedules.WarmUp(2.0, 1)]
    rocket = Rocket(pair, several, weights, label_weight=schedules.Switch(1.0, 0.25, 1))
    rocket.compile("sgd", LOSS)
    x, y = rows(16)
    outputs = rocket(x, training=False)
    light, booster, u, v = (
        keras.ops.convert_to_numpy(outputs[name]).astype("float64")
        for name in ("light", "booster", "light_hidden", "booster_hidden")
    )
    logits = ((light - booster) ** 2).sum(-1).mean()
    features = 0.5 * ((u - v) ** 2).sum(-1).mean()
    labels = [-np.log(softmax(z)[np.arange(16), y]).mean() for z in (light, booster)]
    for step, (hint, weight) in enumerate([(0.5 * logits, 1.0), (0.5 * logits + 2 * features, 0.25)]):
        rocket.step.assign(step)
        loss = float(keras.ops.convert_to_numpy(rocket.compute_loss(x, y, outputs, training=False)))
        np.testing.assert_allclose(loss, weight * labels[0] + labels[1] + hint, rtol=1e-5)


def test_each_hint_has_a_log_of_its_own(rows):
    rocket = Rocket(tapped_pair(), [hints.SquaredLogitHint(), hints.SoftTargetHint(2.0)], [0.1, 0.2])
    rocket.compile("sgd", LOSS)
    logs = rocket.fit(*rows(), verbose=0).history
    assert {"loss", "light_loss", "booster_loss", "hint_loss", "hint_2_loss"} == set(logs)
    assert logs["hint_loss"] != logs["hint_2_loss"]


@pytest.mark.parametrize("to_shared", [True, False], ids=["light to shared", "routed"])
def test_the_regressor_trains_and_the_gradient_block_holds_for_taps(rows, to_shared):
    pair = tapped_pair()
    hint = hints.FeatureHint("light_hidden", "booster_hidden")
    # No label loss of the light net and none that reaches the light logits: what moves, moves by the feature hint.
    rocket = Rocket(pair, hint, 1.0, light_to_shared=to_shared, label_weight=0.0)
    rocket.compile(keras.optimizers.SGD(0.1), {"light": LOSS, "booster": _nothing})
    own, light, shared = (values(v) for v in (pair.booster_variables, pair.light_variables, pair.shared_variables))
    regressor = values(hint.trainable_variables)
    rocket.fit(*rows(), batch_size=16, verbose=0)
    for before, after in zip(own, values(pair.booster_variables), strict=True):
        np.testing.assert_array_equal(before, after)
    assert any((a != b).any() for a, b in zip(regressor, values(hint.trainable_variables), strict=True))
    assert any((a != b).any() for a, b in zip(light, values(pair.light_variables), strict=True))
    moved = any((a != b).any() for a, b in zip(shared, values(pair.shared_variables), strict=True))
    assert moved is to_shared


def _nothing(y_true, y_pred):
    return 0.0 * keras.ops.sum(y_pred, axis=-1)


def test_without_the_block_a_tap_moves_the_booster(rows):
    pair = tapped_pair()
    rocket = Rocket(
        pair, hints.FeatureHint("light_hidden", "booster_hidden"), 1.0, gradient_block=False, label_weight=0.0
    )
    rocket.compile(keras.optimizers.SGD(0.1), {"light": LOSS, "booster": _nothing})
    before = values(pair.booster_variables)
    rocket.fit(*rows(), batch_size=16, verbose=0)
    assert any((a != b).any() for a, b in zip(before, values(pair.booster_variables), strict=True))


def test_keras_losses_read_taps_and_logits(rows):
    pair = tapped_pair(4, 4)
    features = keras.distillation.FeatureDistillation(
        loss="mse", teacher_layer_name="booster_hidden", student_layer_name="light_hidden"
    )
    logits = keras.distillation.LogitsDistillation(temperature=2.0, loss=keras.losses.KLDivergence())
    rocket = Rocket(pair, [features, logits], [1.0, 1.0])
    rocket.compile("sgd", LOSS)
    x, y = rows(16)
    outputs = {name: keras.ops.convert_to_numpy(t) for name, t in rocket(x, training=False).items()}
    rocket.evaluate(x, y, batch_size=16, verbose=0)
    seen = {m.name: float(m.result()) for m in rocket.trackers}
    expected = ((outputs["light_hidden"] - outputs["booster_hidden"]) ** 2).mean()
    np.testing.assert_allclose(seen["hint_loss"], expected, rtol=1e-5)
    p, q = softmax(outputs["booster"] / 2), softmax(outputs["light"] / 2)
    np.testing.assert_allclose(seen["hint_2_loss"], 4 * (p * np.log(p / q)).sum(-1).mean(), rtol=1e-4)


class CountedDense(keras.layers.Dense):
    """Counts how often it is traced or called."""

    calls = 0

    def call(self, inputs, training=None):
        type(self).calls += 1
        return super().call(inputs, training=training)


def test_one_forward_pass_a_step_and_batch_norm_moves_once(rows):
    x = keras.Input((5,), name="x")
    shared = keras.layers.Dense(8, "tanh", name="shared")(x)
    hidden = CountedDense(4, name="light_hidden")(shared)
    normed = keras.layers.BatchNormalization(momentum=0.9, name="light_norm")(hidden)
    light = keras.Model(x, keras.layers.Dense(3)(normed))
    wide = keras.layers.Dense(6, name="booster_hidden")(shared)
    booster = keras.Model(x, keras.layers.Dense(3)(wide))
    pair = Pair(light, booster, taps=["light_hidden", "booster_hidden"])
    calls = CountedDense.calls
    pair.joint(np.zeros((2, 5), "float32"))
    once = CountedDense.calls - calls
    assert once == 1
    rocket = Rocket(pair, [hints.SquaredLogitHint(), hints.FeatureHint("light_hidden", "booster_hidden")], [1.0, 1.0])
    rocket.compile(keras.optimizers.SGD(0.0), LOSS)
    data = rows(16)
    activation = keras.Model(x, hidden).predict(data[0], verbose=0)
    rocket.fit(*data, batch_size=16, verbose=0)
    moving = keras.ops.convert_to_numpy(light.get_layer("light_norm").moving_mean)
    np.testing.assert_allclose(moving, 0.1 * activation.mean(0), rtol=1e-4, atol=1e-6)


def test_a_rocket_with_a_regressor_goes_on_after_loading(tmp_path, rows):
    data = rows()
    rocket = Rocket(tapped_pair(), [hints.FeatureHint("light_hidden", "booster_hidden")], [0.1], label_weight=0.5)
    rocket.compile(keras.optimizers.Adam(1e-2), LOSS)
    rocket.fit(*data, batch_size=16, shuffle=False, verbose=0)
    rocket.save(tmp_path / "rocket.keras")
    loaded = keras.models.load_model(tmp_path / "rocket.keras")
    for model in (rocket, loaded):
        model.fit(*data, batch_size=16, shuffle=False, verbose=0)
    for a, b in zip(values(rocket.trainable_variables), values(loaded.trainable_variables), strict=True):
        np.testing.assert_array_equal(a, b)
    assert float(keras.ops.convert_to_numpy(loaded.label_weight(0))) == 0.5


def test_mutual_learning_moves_both_nets(rows):
    pair = tapped_pair()
    rocket = Rocket(pair, hints.MutualHint(hints.SoftTargetHint(1.0)), 1.0, gradient_block=False, label_weight=0.0)
    rocket.compile(keras.optimizers.SGD(0.1), {"light": LOSS, "booster": _nothing})
    light, booster = values(pair.light_variables), values(pair.booster_variables)
    rocket.fit(*rows(), batch_size=16, verbose=0)
    assert any((a != b).any() for a, b in zip(light, values(pair.light_variables), strict=True))
    assert any((a != b).any() for a, b in zip(booster, values(pair.booster_variables), strict=True))


def test_taps_can_be_changed_afterwards():
    pair = tapped_pair(taps=())
    assert pair.tap_names == ()
    assert pair.with_taps(["light_hidden"]).tap_names == ("light_hidden",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hint": hints.FeatureHint("light_hidden", "nothing")}, r"reads the tap 'nothing', and the pair has the taps"),
        ({"hint": [hints.SquaredLogitHint()], "hint_weight": [0.1, 0.2]}, "one weight a hint. Received: 2 for 1 hints"),
        ({"hint": hints.MutualHint(hints.SoftTargetHint())}, "gradient_block=False"),
        ({"hint": hints.FeatureHint("light_hidden", "booster_hidden", regressor=False)}, "regressor"),
        ({"label_weight": -1.0}, "at least 0"),
    ],
)
def test_bad_arguments_get_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        Rocket(tapped_pair(), **arguments)
    assert "\n" not in str(caught.value)


def test_a_tap_of_a_layer_that_is_nowhere_is_named():
    with pytest.raises(ValueError, match="'attic', which is in neither"):
        tapped_pair(taps=["attic"])
