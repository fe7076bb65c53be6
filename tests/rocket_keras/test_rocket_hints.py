"""Rocket with several hints, on logits and on features."""

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Rocket, hints, schedules

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
TAPS = ["light_hidden", "booster_hidden"]
MOMENTUM = 0.9


def no_loss(labels, logits):
    """Labels that teach nothing leave the hint as the only source of gradient."""
    return keras.ops.sum(logits * 0.0, axis=-1)


def make_pair(light=6, booster=10, share=True, taps=TAPS, count=None):
    """A hidden layer a net over a shared one, with BatchNorm behind the taps."""
    inputs = keras.Input((5,), name="x")
    shared = keras.layers.Dense(8, "tanh", name="shared")(inputs)
    nets = {}
    for head, width in (("light", light), ("booster", booster)):
        low = shared if share else keras.layers.Dense(8, "tanh", name=f"{head}_low")(inputs)
        low = low if count is None else count(low)
        x = keras.layers.Dense(width, "tanh", name=f"{head}_hidden")(low)
        x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{head}_norm")(x)
        nets[head] = keras.Model(inputs, keras.layers.Dense(3, name=f"{head}_logits")(x), name=head)
    return Pair(**nets, taps=taps)


def compiled(pair, hint=None, hint_weight=1.0, optimizer=None, loss=LOSS, run_eagerly=False, **switches):
    rocket = Rocket(pair, hint, hint_weight, **switches)
    rocket.compile(optimizer or keras.optimizers.SGD(0.1), loss, run_eagerly=run_eagerly)
    return rocket


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def same(before, after):
    return [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def said(pair, x):
    """Logits and taps in inference mode, in float64."""
    return {k: keras.ops.convert_to_numpy(v).astype("float64") for k, v in pair.joint(x, training=False).items()}


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_the_loss_is_the_weighted_sum_at_every_step(rows):
    feature = hints.FeatureHint(*TAPS)
    weights = [schedules.WarmUp(0.5, 2), schedules.Linear(1.0, 0.2, 4), 0.3]
    label_weight = schedules.Switch(1.0, 0.25, 2)
    rocket = compiled(
        make_pair(),
        [hints.SquaredLogitHint(), feature, hints.SoftTargetHint(2.0)],
        weights,
        label_weight=label_weight,
    )
    x, y = rows(24)
    out = said(rocket.pair, x)
    light, booster = softmax(out["light"]), softmax(out["booster"])
    ce, booster_ce = (-np.log(p[np.arange(24), y]).mean() for p in (light, booster))
    kernel, bias = values(feature.regressor.weights)
    squares = np.square(out["light"] - out["booster"]).sum(-1).mean()
    features = 0.5 * np.square(out["light_hidden"] @ kernel + bias - out["booster_hidden"]).sum(-1).mean()
    p, q = softmax(out["booster"] / 2), softmax(out["light"] / 2)
    soft = 4 * (p * np.log(p / q)).sum(-1).mean()
    for step, (labels, first, second) in enumerate([(1, 0, 1), (1, 0, 0.8), (0.25, 0.5, 0.6), (0.25, 0.5, 0.4)]):
        rocket.step.assign(step)
        logs = rocket.evaluate(x, y, batch_size=24, verbose=0, return_dict=True)
        expected = {"light_loss": ce, "booster_loss": booster_ce, "hint_loss": squares}
        expected |= {"hint_2_loss": features, "hint_3_loss": soft}
        expected["loss"] = labels * ce + booster_ce + first * squares + second * features + 0.3 * soft
        assert logs == pytest.approx(expected, rel=1e-5)


def test_taps_by_name_equal_taps_by_tensor(rows):
    plain = make_pair(taps=None)
    by_name = plain.with_taps(TAPS)
    tensors = {"a": plain.light.get_layer(TAPS[0]).output, "b": plain.booster.get_layer(TAPS[1]).output}
    by_tensor = by_name.with_taps(tensors)
    assert (plain.tap_names, by_name.tap_names, by_tensor.tap_names) == ((), tuple(TAPS), ("a", "b"))
    assert by_name.light is plain.light
    x, _ = rows(4)
    np.testing.assert_array_equal(said(by_name, x)[TAPS[0]], said(by_tensor, x)["a"])
    np.testing.assert_array_equal(said(by_name, x)[TAPS[1]], said(by_tensor, x)["b"])


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_the_regressor_learns_with_the_light_net(rows, light_to_shared):
    def trained(weight):
        keras.utils.set_random_seed(3)
        hint = hints.FeatureHint(*TAPS)
        rocket = compiled(make_pair(), hint, weight, light_to_shared=light_to_shared)
        before = values(hint.trainable_variables)
        rocket.fit(*rows(16), batch_size=8, shuffle=False, verbose=0)
        parts = {part: values(getattr(rocket.pair, f"{part}_variables")) for part in ("shared", "light", "booster")}
        return same(before, values(hint.trainable_variables)), parts

    (stays, hinted), (stays_without, plain) = trained(0.5), trained(0.0)
    assert len(stays) == 2
    assert not any(stays)
    assert all(stays_without)
    assert not all(same(hinted["light"], plain["light"]))
    if light_to_shared:
        assert not any(same(hinted["shared"], plain["shared"]))
    else:
        assert all(same(hinted["shared"], plain["shared"]) + same(hinted["booster"], plain["booster"]))


@pytest.mark.parametrize("block", [True, False])
def test_the_gradient_block_holds_for_taps(rows, block):
    pair = make_pair(share=False)
    before = {v.path: values([v])[0] for v in pair.joint.trainable_variables}
    compiled(pair, hints.FeatureHint(*TAPS), loss=no_loss, gradient_block=block).fit(*rows(16), verbose=0)
    moved = {v.path for v in pair.joint.trainable_variables if not np.array_equal(before[v.path], values([v])[0])}
    light = {f"light_{layer}/{name}" for layer in ("low", "hidden") for name in ("kernel", "bias")}
    booster = {path.replace("light", "booster") for path in light}
    assert moved == (light if block else light | booster)


def test_mutual_hints_move_each_net_toward_the_other(rows):
    pair = make_pair(share=False)
    x, y = rows(16)
    biases = [pair.light.get_layer("light_logits").bias, pair.booster.get_layer("booster_logits").bias]
    rocket = compiled(
        pair,
        hints.MutualHint(hints.SoftTargetHint(1.0)),
        optimizer=keras.optimizers.SGD(1.0),
        loss=no_loss,
        gradient_block=False,
    )
    out = {k: keras.ops.convert_to_numpy(v).astype("float64") for k, v in pair.joint(x, training=True).items()}
    toward = (softmax(out["booster"]) - softmax(out["light"])).mean(0)
    rocket.fit(x, y, batch_size=16, verbose=0)
    light, booster = values(biases)
    np.testing.assert_allclose(light, toward, atol=1e-6)
    np.testing.assert_allclose(booster, -toward, atol=1e-6)
    assert np.abs(toward).max() > 1e-3


def test_distillation_losses_of_keras_work_on_taps_and_logits(rows):
    logits = keras.distillation.LogitsDistillation(temperature=3.0, loss=keras.losses.KLDivergence())
    features = keras.distillation.FeatureDistillation(
        loss="mse", teacher_layer_name="booster_hidden", student_layer_name="light_hidden"
    )
    rocket = compiled(make_pair(light=10), [logits, features], [0.5, 2.0])
    x, y = rows(16)
    out = said(rocket.pair, x)
    p, q = softmax(out["booster"] / 3), softmax(out["light"] / 3)
    logs = rocket.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    assert logs["hint_loss"] == pytest.approx(9 * (p * np.log(p / q)).sum(-1).mean(), rel=1e-4)
    assert logs["hint_2_loss"] == pytest.approx(np.square(out[TAPS[0]] - out[TAPS[1]]).mean(), rel=1e-5)
    total = logs["light_loss"] + logs["booster_loss"] + 0.5 * logs["hint_loss"] + 2 * logs["hint_2_loss"]
    assert logs["loss"] == pytest.approx(total, rel=1e-5)
    before = values(rocket.pair.light_variables)
    rocket.fit(x, y, verbose=0)
    assert not any(same(before, values(rocket.pair.light_variables)))


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_batch_norm_of_tapped_nets_moves_once_a_step(rows, light_to_shared):
    pair = make_pair(taps=[*TAPS, "light_norm", "booster_norm"])
    x, y = rows(16)
    hidden = said(pair, x)
    all_hints = [hints.FeatureHint(*TAPS), hints.FeatureHint("light_norm", "booster_norm")]
    rocket = compiled(pair, all_hints, [1.0, 1.0], keras.optimizers.SGD(0.0), light_to_shared=light_to_shared)
    rocket.fit(x, y, batch_size=16, verbose=0)
    for net, head in ((pair.light, "light"), (pair.booster, "booster")):
        norm, seen = net.get_layer(f"{head}_norm"), hidden[f"{head}_hidden"]
        mean, variance = values([norm.moving_mean, norm.moving_variance])
        np.testing.assert_allclose(mean, (1 - MOMENTUM) * seen.mean(0), atol=1e-6)
        np.testing.assert_allclose(variance, MOMENTUM + (1 - MOMENTUM) * seen.var(0), atol=1e-6)


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_a_step_is_one_forward_pass(rows, light_to_shared):
    class Counted(keras.layers.Layer):
        calls = 0

        def call(self, x):
            self.calls += 1
            return x

    layer = Counted()
    pair = make_pair(count=layer)
    all_hints = [hints.SquaredLogitHint(), hints.FeatureHint(*TAPS)]
    rocket = compiled(pair, all_hints, [1.0, 1.0], run_eagerly=True, light_to_shared=light_to_shared)
    rocket.fit(*rows(8), batch_size=8, verbose=0)
    before = layer.calls
    rocket.fit(*rows(24), batch_size=8, verbose=0)
    assert layer.calls - before == 3 * 2  # three batches; it stands below the light net's tap and the booster's


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_a_loaded_rocket_with_a_regressor_trains_on_as_if_it_had_not_stopped(rows, tmp_path, light_to_shared):
    rocket = compiled(
        make_pair(),
        [hints.SquaredLogitHint(), hints.FeatureHint(*TAPS)],
        [0.1, schedules.Linear(1.0, 0.1, 8)],
        keras.optimizers.Adam(0.01),
        light_to_shared=light_to_shared,
        label_weight=schedules.Switch(1.0, 0.5, 3),
    )
    rocket.fit(*rows(32), batch_size=8, shuffle=False, verbose=0)
    rocket.save(tmp_path / "rocket.keras")
    loaded = keras.models.load_model(tmp_path / "rocket.keras")
    assert all(same(values(rocket.variables), values(loaded.variables)))
    logs = [model.fit(*rows(32, seed=1), batch_size=8, shuffle=False, verbose=0).history for model in (rocket, loaded)]
    assert logs[0] == logs[1]
    assert all(same(values(rocket.trainable_variables), values(loaded.trainable_variables)))
    assert all(same(values(rocket.hints[1].weights), values(loaded.hints[1].weights)))


def test_wrong_taps_and_numbers_of_weights_are_named():
    with pytest.raises(
        ValueError, match=r"^FeatureHint .*'light_map'.*\['light_hidden', 'booster_hidden'\].*with_taps"
    ):
        Rocket(make_pair(), hints.FeatureHint("light_map", "booster_hidden"))
    with pytest.raises(ValueError, match=r"taps names layers of the light or the booster net.*'nowhere'"):
        make_pair().with_taps(["nowhere"])
    with pytest.raises(ValueError, match=r"one weight a hint.*3 for 2 hints"):
        Rocket(make_pair(), [hints.SquaredLogitHint(), hints.SoftTargetHint()], [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"one weight a hint.*1 for 2 hints"):
        Rocket(make_pair(), [hints.SquaredLogitHint(), hints.SoftTargetHint()], 0.5)
    with pytest.raises(ValueError, match="MutualHint teaches the booster, too"):
        Rocket(make_pair(), hints.MutualHint(hints.SoftTargetHint(1.0)))
