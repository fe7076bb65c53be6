"""What a fleet logs, refuses, keeps and saves, and what a light net that fails does to the others."""

import runpy
from pathlib import Path

import keras
import numpy as np
import pytest

from rocket_keras import Fleet, Rocket, export_light, hints, schedules
from rocket_keras.callbacks import GroupAUC, NonFiniteLoss

made_up = runpy.run_path(str(Path(__file__).with_name("made_up_fleet.py")))
ctr_pair, ctr_rows, pairs_of = (made_up[name] for name in ("ctr_pair", "ctr_rows", "pairs_of"))
launched_alone, distance, BINARY = (made_up[name] for name in ("launched_alone", "distance", "BINARY"))
TWO, THREE, PLAIN = (made_up[name] for name in ("TWO", "THREE", "PLAIN"))

TOLERANCE = 1e-5


def adam():
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.02, 60), epsilon=1e-4)


def compiled(pairs=None, optimizer=adam, **options):
    fleet = Fleet(pairs or pairs_of(), **options)
    fleet.compile(optimizer(), BINARY, metrics=["accuracy"])
    return fleet


def values(model):
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in model.variables]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_logs_name_each_net():
    x, y = ctr_rows(32)
    fleet = compiled(hint=[hints.SquaredLogitHint(), hints.SoftTargetHint(2.0)], hint_weight=[0.5, 0.1])
    logs = fleet.fit(x, y, validation_data=(x, y), **PLAIN).history
    terms = [f"{name}_{term}_loss" for name in TWO for term in ("light", "hint", "hint_2")]
    names = {"loss", "booster_loss", *terms, *(f"{head}_accuracy" for head in fleet.heads)}
    assert set(logs) == names | {f"val_{name}" for name in names}
    outputs = fleet.predict(x, verbose=0)
    assert set(outputs) == {"booster", "a", "b"}
    hint = np.square(outputs["a"] - outputs["booster"]).mean()
    np.testing.assert_allclose(logs["val_a_hint_loss"][0], hint, rtol=1e-4)
    lights = (logs[f"val_{n}_light_loss"][0] + 0.5 * logs[f"val_{n}_hint_loss"][0] for n in TWO)
    total = logs["val_booster_loss"][0] + sum(lights) + sum(0.1 * logs[f"val_{n}_hint_2_loss"][0] for n in TWO)
    np.testing.assert_allclose(logs["val_loss"][0], total, rtol=1e-5)
    found = fleet.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["b_accuracy"], ((outputs["b"] > 0) == y).mean(), rtol=1e-6)
    assert len(fleet.evaluate(x, y, verbose=0)) == len(names)


def test_group_auc_names_each_net():
    x, y = ctr_rows(32)
    gauc = GroupAUC((x, y, np.arange(32) // 8))
    logs = compiled().fit(x, y, callbacks=[gauc], **PLAIN).history
    assert {"val_booster_gauc", "val_a_gauc", "val_b_gauc"} <= set(logs)


def test_rows_of_weight_zero_change_nothing():
    def weights(other):
        fleet = compiled()
        x, y = ctr_rows(32)
        weight = (np.arange(32) % 2).astype("float32")
        if other:
            x[weight == 0], y[weight == 0] = 7, 1.0
        fleet.fit(x, y, sample_weight=weight, **PLAIN)
        return values(fleet.joint)

    assert equal(weights(False), weights(True))


def test_class_weight_reaches_all_terms():
    def logs(**kwargs):
        x, y = ctr_rows(32)
        fleet = compiled(optimizer=lambda: keras.optimizers.SGD(0.0))
        return fleet.fit(x, y, **PLAIN, **kwargs).history

    once, twice = logs(), logs(class_weight={0: 2.0, 1: 2.0})
    for term in ("booster_loss", "a_light_loss", "a_hint_loss", "b_light_loss", "b_hint_loss", "loss"):
        np.testing.assert_allclose(twice[term], 2 * np.array(once[term]), rtol=1e-5)


def test_a_loss_for_each_role():
    x, y = ctr_rows(32)
    fleet = Fleet(pairs_of())
    smoothed = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.5)
    fleet.compile("sgd", {"light": smoothed, "booster": BINARY}, metrics={"light": ["accuracy"], "booster": []})
    logs = fleet.fit(x, {"light": y, "booster": 1 - y}, **PLAIN).history
    assert {name for name in logs if "accuracy" in name} == {"a_accuracy", "b_accuracy"}


def test_kept_light_nets_go_on_as_if_nothing_had_happened():
    options = {"hint_weight": schedules.WarmUp(0.5, 15), "label_weight": schedules.Linear(1.0, 0.2, 40)}
    first, second = ctr_rows(160), ctr_rows(160, seed=1)
    fleet, whole = compiled(pairs_of(candidates=THREE), **options), compiled(pairs_of(candidates=THREE), **options)
    for model in (fleet, whole):
        model.fit(*first, **PLAIN)
    kept = fleet.keep(["deep", "narrow"])
    assert list(kept.pairs) == ["narrow", "deep"]
    assert set(kept.predict(second[0], verbose=0)) == {"booster", "narrow", "deep"}
    state = len(kept.optimizer.variables)
    for model in (kept, whole):
        model.fit(*second, **PLAIN)
    assert distance_between(kept, whole) < TOLERANCE
    assert int(kept.step) == 40
    assert state < len(whole.optimizer.variables)
    assert len(kept.variables) < len(whole.variables)
    last = kept.keep(["deep"])
    for model in (last, whole):
        model.fit(*first, **PLAIN)
    assert distance_between(last, whole) < TOLERANCE


def distance_between(fleet, other):
    weights = {
        name: {net: getattr(other.pairs[name], net).get_weights() for net in ("light", "booster")}
        for name in fleet.pairs
    }
    return distance(fleet, weights)


def spoil(variable):
    """The kernel of the logits: a ReLU above another one may turn NaN into 0."""
    variable.assign(np.nan * keras.ops.convert_to_numpy(variable.value))


def test_a_light_net_that_fails_takes_no_other_with_it():
    x, y = ctr_rows(80)
    alone = launched_alone(pairs_of(candidates=THREE), x, y, adam)
    pairs = pairs_of(candidates=THREE)
    spoil(pairs["wide"].light_variables[-2])
    fleet = compiled(pairs)
    logs = fleet.fit(x, y, **PLAIN).history
    assert fleet.non_finite() == ("wide",)
    assert distance(fleet, alone, ["narrow", "deep"]) < TOLERANCE
    assert np.isnan(logs["wide_light_loss"]).all()
    finite = [logs[f"{name}_light_loss"][0] + 0.03 * logs[f"{name}_hint_loss"][0] for name in ("narrow", "deep")]
    np.testing.assert_allclose(logs["loss"][0], logs["booster_loss"][0] + sum(finite), rtol=1e-5)
    kept = fleet.keep(["narrow", "deep"])
    kept.fit(x, y, **PLAIN)
    assert kept.non_finite() == ()


class RootHint(hints.Hint):
    """A finite loss whose gradient is NaN."""

    def per_example(self, booster_outputs, light_outputs):
        return keras.ops.sum(keras.ops.sqrt(0.0 * keras.ops.square(light_outputs)), axis=-1)


def test_gradients_that_are_nan_reach_only_the_variables_of_their_net():
    x, y = ctr_rows(8)
    fleet = compiled(hint={"a": RootHint(), "b": None})
    alone = launched_alone(pairs_of(), x, y, adam)
    fleet.fit(x, y, **PLAIN)
    assert distance(fleet, alone, ["b"]) < TOLERANCE
    bad = [bool(np.isnan(keras.ops.convert_to_numpy(v.value)).any()) for v in fleet.pairs["a"].light_variables]
    assert all(bad)
    fleet.fit(x, y, **PLAIN)
    assert fleet.non_finite() == ("a",)
    assert np.isfinite(fleet.predict(x, verbose=0)["booster"]).all()


def test_a_booster_that_fails_stops_all():
    x, y = ctr_rows(16)
    fleet = compiled()
    spoil(fleet.pairs["a"].booster_variables[-2])
    with pytest.raises(NonFiniteLoss, match="infinite booster_loss at"):
        fleet.fit(x, y, **PLAIN)


@pytest.mark.parametrize("whole", [True, False])
def test_a_saved_fleet_goes_on_as_if_it_had_not_stopped(tmp_path, whole):
    options = {"hint_weight": {"a": schedules.WarmUp(0.5, 6), "b": 0.2}, "label_weight": 0.7}
    first, second = ctr_rows(64), ctr_rows(64, seed=1)
    fleet = compiled(**options)
    fleet.fit(*first, **PLAIN)
    if whole:
        fleet.save(tmp_path / "fleet.keras")
        loaded = keras.models.load_model(tmp_path / "fleet.keras")
    else:
        fleet.save_weights(tmp_path / "fleet.weights.h5")
        loaded = compiled(pairs_of(seed=8), **options)
        loaded.load_weights(tmp_path / "fleet.weights.h5")
    assert equal(values(fleet.joint), values(loaded.joint))
    assert equal(values(fleet.optimizer), values(loaded.optimizer))
    for model in (fleet, loaded):
        model.fit(*second, **PLAIN)
    assert equal(values(fleet.joint), values(loaded.joint))
    assert list(loaded.pairs) == ["a", "b"]
    assert int(loaded.step) == 16
    assert len(loaded.pairs["b"].shared_variables) == len(fleet.pairs["b"].shared_variables)


def test_a_light_net_serves_and_launches_alone(tmp_path):
    x, y = ctr_rows(32)
    fleet = compiled()
    fleet.fit(x, y, **PLAIN)
    pair, logits = fleet.pairs["b"], fleet.predict(x, verbose=0)
    own = {id(variable) for variable in pair.booster_variables}
    assert own
    assert not own & {id(variable) for variable in pair.light.variables}
    assert pair.light.get_layer("light_logits") is not fleet.pairs["a"].light.get_layer("light_logits")
    export_light(pair, tmp_path / "light.keras")
    light = keras.models.load_model(tmp_path / "light.keras")
    np.testing.assert_allclose(light.predict(x, verbose=0), logits["b"], atol=1e-6)
    rocket = Rocket(pair, light_to_shared=False)
    rocket.compile(adam(), BINARY)
    rocket.fit(x, y, **PLAIN)
    assert not np.array_equal(fleet.predict(x, verbose=0)["b"], logits["b"])


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"jit_compile": False}], ids=str)
def test_uncompiled_steps_equal_compiled_ones(options):
    x, y = ctr_rows(24)
    fleets = [compiled(), Fleet(pairs_of())]
    fleets[1].compile(adam(), BINARY, **options)
    for fleet in fleets:
        fleet.fit(x, y, **PLAIN)
    assert distance_between(*fleets) < TOLERANCE


def test_several_steps_an_execution_equal_single_ones():
    x, y = ctr_rows(24)
    fleets = [compiled(), Fleet(pairs_of())]
    fleets[1].compile(adam(), BINARY, steps_per_execution=3)
    try:
        fleets[1].fit(x, y, **PLAIN)
    except ValueError as error:
        pytest.skip(f"Keras: {error}")
    fleets[0].fit(x, y, **PLAIN)
    assert distance_between(*fleets) < TOLERANCE
    assert int(fleets[1].step) == 3


def test_mixed_precision_trains():
    x, y = ctr_rows(64)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        fleet = compiled(optimizer=lambda: keras.optimizers.Adam(0.01))
        losses = fleet.fit(x, y, epochs=3, **PLAIN).history["loss"]
    finally:
        keras.config.set_dtype_policy("float32")
    assert losses[-1] < losses[0]
