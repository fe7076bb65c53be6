import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Rocket, hints

helpers = runpy.run_path(str(Path(__file__).with_name("made_up_rocket.py")))
compiled, values, equal, SPARSE = (helpers[name] for name in ("compiled", "values", "equal", "SPARSE"))


def trained(make_pair, rows, share=True, steps=10, **switches):
    """Variables by part after some steps from the same weights on the same batches."""
    keras.utils.set_random_seed(11)
    pair = make_pair(share=share)
    x, y = rows(8 * steps)
    compiled(pair, keras.optimizers.SGD(0.1, momentum=0.9), **switches).fit(
        x, y, batch_size=8, shuffle=False, verbose=0
    )
    return {part: values(getattr(pair, f"{part}_variables")) for part in ("shared", "light", "booster")}


def test_gradient_block_keeps_the_hint_from_the_booster(make_pair, rows):
    blocked = trained(make_pair, rows, share=False, hint_weight=0.5)
    without = trained(make_pair, rows, share=False, hint_weight=0.0)
    assert equal(blocked["booster"], without["booster"])
    assert not equal(blocked["light"], without["light"])


def test_without_the_block_the_hint_moves_the_booster(make_pair, rows):
    open_ = trained(make_pair, rows, share=False, hint_weight=0.5, gradient_block=False)
    without = trained(make_pair, rows, share=False, hint_weight=0.0)
    assert not equal(open_["booster"], without["booster"])


@pytest.mark.parametrize("block", [True, False])
def test_hint_gradient_of_booster_only_variables(make_pair, rows, block):
    # Label losses that are zero everywhere leave the hint as the only source of gradient.
    keras.utils.set_random_seed(5)
    pair = make_pair()
    before = values(pair.booster_variables)
    rocket = compiled(pair, hint_weight=1.0, gradient_block=block, loss=lambda y, z: keras.ops.sum(z * 0.0, axis=-1))
    rocket.fit(*rows(16), batch_size=16, verbose=0)
    moved = [np.abs(a - b).max() for a, b in zip(before, values(pair.booster_variables), strict=True)]
    assert max(moved) == 0.0 if block else min(moved) > 0.0


def test_light_terms_move_the_shared_variables_by_default_only(make_pair, rows):
    off = {"light_to_shared": False}
    routed, routed_without = (trained(make_pair, rows, hint_weight=w, **off) for w in (0.5, 0.0))
    assert equal(routed["shared"], routed_without["shared"])
    assert equal(routed["booster"], routed_without["booster"])
    assert not equal(routed["light"], routed_without["light"])
    paper = [trained(make_pair, rows, hint_weight=w) for w in (0.5, 0.0)]
    assert not equal(paper[0]["shared"], paper[1]["shared"])


@pytest.mark.parametrize("block", [True, False])
def test_the_routed_booster_runs_as_if_it_were_alone(make_pair, rows, block):
    weight = 0.5 if block else 0.0
    routed = trained(make_pair, rows, hint_weight=weight, gradient_block=block, light_to_shared=False)
    keras.utils.set_random_seed(11)
    pair = make_pair()
    pair.booster.compile(keras.optimizers.SGD(0.1, momentum=0.9), SPARSE(from_logits=True))
    x, y = rows(80)
    pair.booster.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for got, expected in zip(
        routed["shared"] + routed["booster"], values(pair.shared_variables + pair.booster_variables), strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("metrics", [None, ["accuracy"]])
def test_the_routed_booster_sees_the_rows_in_the_order_of_the_booster_alone(make_pair, rows, metrics):
    x, y = rows(40)

    def weights(alone):
        keras.utils.set_random_seed(11)
        pair = make_pair()
        if alone:
            pair.booster.compile(keras.optimizers.SGD(0.1, momentum=0.9), SPARSE(from_logits=True), metrics=metrics)
        model = pair.booster
        if not alone:
            model = compiled(pair, keras.optimizers.SGD(0.1, momentum=0.9), metrics, light_to_shared=False)
        for epochs in (2, 1):  # a second fit goes on
            model.fit(x, y, batch_size=8, epochs=epochs, verbose=0)
        return values(pair.booster.trainable_variables)

    for got, expected in zip(weights(False), weights(True), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_an_unblocked_routed_hint_moves_the_booster_but_not_the_shared_variables(make_pair, rows):
    off = {"light_to_shared": False, "gradient_block": False}
    one_step, without = (trained(make_pair, rows, hint_weight=w, steps=1, **off) for w in (0.5, 0.0))
    assert equal(one_step["shared"], without["shared"])
    assert not equal(one_step["booster"], without["booster"])


def test_routes_are_a_partition_of_the_trainable_variables(make_pair):
    for block in (True, False):
        rocket = Rocket(make_pair(), light_to_shared=False, gradient_block=block)
        ids = [id(v) for route in rocket.routes() for v in route.variables]
        assert sorted(ids) == sorted(id(v) for v in rocket.trainable_variables)


def test_a_default_step_is_keras_own_bit_for_bit(make_pair, rows):
    class ByHand(keras.Model):
        def __init__(self, pair):
            super().__init__()
            self.joint = pair.joint

        def call(self, x, training=None):
            return self.joint(x, training=training)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            labels = SPARSE(from_logits=True)
            hint = keras.ops.sum(
                keras.ops.square(y_pred["light"] - keras.ops.stop_gradient(y_pred["booster"])), axis=-1
            )
            return labels(y, y_pred["light"]) + labels(y, y_pred["booster"]) + 0.03 * keras.ops.mean(hint)

    def weights(make):
        keras.utils.set_random_seed(2)
        pair = make_pair()
        model = make(pair)
        model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss=SPARSE(from_logits=True))
        x, y = rows(40)
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        return values(pair.joint.trainable_variables)

    assert equal(weights(lambda pair: Rocket(pair, hint_weight=0.03)), weights(ByHand))


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_logs_name_the_terms_and_the_metrics_of_each_head(make_pair, rows, light_to_shared):
    pair = make_pair(kernel_regularizer="l2")
    rocket = compiled(pair, hint_weight=0.5, light_to_shared=light_to_shared, metrics=["accuracy"])
    x, y = rows(48)
    logs = rocket.fit(x, y, batch_size=16, validation_data=(x, y), verbose=0).history
    names = {"loss", "light_loss", "booster_loss", "hint_loss", "light_accuracy", "booster_accuracy"}
    assert set(logs) == names | {f"val_{name}" for name in names}
    assert all(np.isfinite(value).all() for value in logs.values())
    outputs = rocket.predict(x, verbose=0)
    hint = np.square(outputs["light"] - outputs["booster"]).sum(-1).mean()
    np.testing.assert_allclose(logs["val_hint_loss"][0], hint, rtol=1e-5)
    l2 = 0.01 * np.square(values(pair.shared_variables)[0]).sum()
    total = logs["val_light_loss"][0] + logs["val_booster_loss"][0] + 0.5 * hint + l2
    np.testing.assert_allclose(logs["val_loss"][0], total, rtol=1e-5)
    right = (outputs["light"].argmax(-1) == y).mean()
    np.testing.assert_allclose(logs["val_light_accuracy"][0], right, rtol=1e-6)


@pytest.mark.parametrize("light_to_shared", [True, False])
def test_rows_of_weight_zero_change_nothing(make_pair, rows, light_to_shared):
    def weights(other):
        keras.utils.set_random_seed(4)
        pair = make_pair()
        x, y = rows(32)
        weight = np.arange(32) % 2
        if other:
            x[weight == 0], y[weight == 0] = 5.0, 2
        compiled(pair, hint_weight=0.5, light_to_shared=light_to_shared).fit(
            x, y, sample_weight=weight.astype("float32"), batch_size=16, shuffle=False, verbose=0
        )
        return values(pair.joint.trainable_variables)

    assert equal(weights(False), weights(True))


def test_class_weight_reaches_all_three_terms(make_pair, rows):
    def logs(**kwargs):
        keras.utils.set_random_seed(4)
        rocket = compiled(make_pair(), keras.optimizers.SGD(0.0), hint_weight=0.5)
        x, y = rows(32)
        return rocket.fit(x, y, batch_size=32, verbose=0, **kwargs).history

    once, twice = logs(), logs(class_weight={0: 2.0, 1: 2.0, 2: 2.0})
    for term in ("light_loss", "booster_loss", "hint_loss", "loss"):
        np.testing.assert_allclose(twice[term], 2 * np.array(once[term]), rtol=1e-5)


def test_accuracy_of_one_logit_has_its_threshold_at_zero(make_pair, rows):
    rocket = compiled(make_pair(logits=1), loss=keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    x, y = rows(logits=1)
    result = rocket.evaluate(x, y, verbose=0, return_dict=True)
    logits = rocket.predict(x, verbose=0)["light"][:, 0]
    np.testing.assert_allclose(result["light_accuracy"], ((logits > 0) == y).mean(), rtol=1e-6)


def test_each_head_may_have_a_loss_and_metrics_of_its_own(make_pair, rows):
    rocket = compiled(
        make_pair(),
        loss={"light": SPARSE(from_logits=True), "booster": SPARSE(from_logits=True)},
        metrics={"light": ["accuracy"], "booster": [keras.metrics.SparseTopKCategoricalAccuracy(2, name="top2")]},
    )
    logs = rocket.fit(*rows(), verbose=0).history
    assert "light_accuracy" in logs
    assert "booster_top2" in logs
    assert "light_top2" not in logs


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": SPARSE()}, "takes probabilities"),
        ({"loss": keras.losses.BinaryCrossentropy()}, "takes probabilities"),
        ({"metrics": [SPARSE()]}, "takes probabilities"),
        ({"metrics": [keras.metrics.Accuracy()]}, 'take "accuracy"'),
        ({"loss": None}, "needs a loss"),
        ({"loss_weights": {"light": 2.0}}, "expected no loss_weights, received {'light': 2.0}; give Rocket"),
        ({"loss": {"light": SPARSE(from_logits=True)}}, "must have the keys"),
    ],
)
def test_compile_refuses_what_does_not_fit_logits(make_pair, options, message):
    with pytest.raises(ValueError, match=message):
        compiled(make_pair(), **options)


def test_a_hint_of_keras_works_and_refuses_sample_weight(make_pair, rows):
    hint = keras.distillation.LogitsDistillation(temperature=2.0, loss=keras.losses.KLDivergence())
    rocket = compiled(make_pair(), hint=hint, hint_weight=1.0)
    x, y = rows()
    assert np.isfinite(rocket.fit(x, y, verbose=0).history["hint_loss"]).all()
    with pytest.raises(ValueError, match="sample_weight cannot reach the hint"):
        rocket.fit(x, y, sample_weight=np.ones(len(y)), verbose=0)


def test_the_booster_may_have_an_optimizer_of_its_own(make_pair, rows):
    x, y = rows()
    pair = make_pair()
    before = values(pair.shared_variables + pair.booster_variables)
    light_before = values(pair.light_variables)
    rocket = compiled(pair, booster_optimizer=keras.optimizers.SGD(0.0))
    rocket.fit(x, y, verbose=0)
    assert equal(before, values(pair.shared_variables + pair.booster_variables))
    assert not equal(light_before, values(pair.light_variables))


def test_bad_arguments_are_named(make_pair):
    with pytest.raises(ValueError, match=r"must be a keras\.distillation\.DistillationLoss"):
        Rocket(make_pair(), hint="squared")
    with pytest.raises(ValueError, match="must be a finite number of at least 0"):
        Rocket(make_pair(), hint_weight=-1.0)


def test_a_custom_hint_needs_one_method(make_pair, rows):
    class AbsoluteHint(hints.Hint):
        def per_example(self, booster_outputs, light_outputs):
            return keras.ops.sum(keras.ops.abs(booster_outputs - light_outputs), axis=-1)

    logs = compiled(make_pair(), hint=AbsoluteHint()).fit(*rows(), sample_weight=np.ones(64), verbose=0).history
    assert np.isfinite(logs["hint_loss"]).all()
