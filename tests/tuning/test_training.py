import runpy
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from rocket_keras.callbacks import NonFiniteLoss
from tuning.rows import as_rows
from tuning.starts import started
from tuning.training import Course, Training

SMALL = runpy.run_path(str(Path(__file__).with_name("small_space.py")))
build = SMALL["build"]


def pair_of(seed=0, **values):
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return started(lambda: build(hp), seed).candidate


POINTS = {
    "a": {"light_depth": 1, "light_units_0": 4},
    "b": {"light_depth": 1, "light_units_0": 16},
    "c": {"light_depth": 2, "light_units_0": 8, "light_units_1": 8},
    "d": {"light_depth": 2, "light_units_0": 32, "light_units_1": 16},
}


@pytest.fixture
def course(training, data):
    def make(names="abcd", folder=None, told=lambda *_: None, epochs=None, **changes):
        settings = training(**changes)
        pairs = {name: pair_of(**POINTS[name]) for name in names}
        rows = [as_rows(data[part], part) for part in ("train", "validation")]
        return Course(pairs, settings, *rows, epochs or settings.epochs, folder, told)

    return make


@pytest.mark.parametrize(
    ("count", "epochs", "halving", "rungs"),
    [
        (8, 8, 2, {2: 4, 4: 2}),
        (8, 6, 2, {2: 4, 3: 2}),
        (8, 2, 2, {1: 2}),
        (8, 1, 2, {}),
        (9, 9, 3, {3: 3}),
        (3, 8, 2, {}),
        (8, 8, 1, {}),
        (1, 8, 2, {}),
    ],
)
def test_rungs_leave_two_to_the_end(training, count, epochs, halving, rungs):
    assert training(halving=halving).rungs(count, epochs) == rungs


def test_a_light_net_ends_the_same_in_a_fleet_and_alone(course):
    together = course("abc", epochs=3, halving=1).run()
    for name in "abc":
        np.testing.assert_allclose(together[name], course(name, epochs=3).run()[name], atol=1e-5)


def test_the_worse_ones_are_dropped_and_the_others_do_not_notice(course):
    halved = course("abcd", epochs=4, halving=2)
    scores = halved.run()
    whole = course("abcd", epochs=4, halving=1).run()
    assert sorted(map(len, scores.values())) == [2, 2, 4, 4]
    at_rung = {name: values[1] for name, values in whole.items()}
    assert set(halved.left) == set(sorted(at_rung, key=at_rung.get)[-2:])
    for name, values in scores.items():
        np.testing.assert_allclose(values, whole[name][: len(values)], atol=1e-5)


def test_a_killed_course_goes_on_from_its_last_epoch(course, tmp_path):
    whole = course("abcd", epochs=4, halving=2, folder=tmp_path / "whole").run()

    def kill(epoch, scores, left):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        course("abcd", epochs=4, halving=2, folder=tmp_path / "cut", told=kill).run()
    epochs = []
    again = course("abcd", epochs=4, halving=2, folder=tmp_path / "cut", told=lambda epoch, *_: epochs.append(epoch))
    scores = again.run()
    assert epochs == [3, 4]
    assert {name: len(values) for name, values in scores.items()} == {n: len(v) for n, v in whole.items()}
    for name, values in scores.items():
        np.testing.assert_allclose(values, whole[name], atol=1e-6)


def test_every_trial_has_a_booster_of_one_beginning():
    weights = [pair_of(**POINTS[name]).booster.get_weights() for name in "abd"]
    for others in weights[1:]:
        for ours, theirs in zip(weights[0], others, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    other = pair_of(seed=1, **POINTS["a"]).booster.get_weights()
    assert not np.array_equal(weights[0][0], other[0])


def test_the_best_epochs_weights_are_kept(course, training, data):
    made = course("b", epochs=4, optimizer=lambda steps: keras.optimizers.Adam(0.1))
    best = made.run_to_best()
    assert best == max(made.scores["b"])
    logits = made.model.pair.light.predict(data["validation"][0], verbose=0)
    assert made._score(np.asarray(logits, "float64")) == pytest.approx(best, abs=1e-9)


def test_light_nets_that_move_what_is_shared_are_trained_alone(course):
    with pytest.raises(ValueError, match="expected one pair, received 2; only a blocked booster"):
        course("ab", light_to_shared=True)
    assert len(course("a", light_to_shared=True).run()["a"]) == 2


def test_a_net_alone_whose_loss_is_no_number_says_so(course):
    with pytest.raises(NonFiniteLoss):
        course("a", optimizer=lambda steps: keras.optimizers.SGD(1e30), epochs=6).run()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"metric": "loss"}, "expected `metric` as one of auc, gauc, accuracy, log_loss, received 'loss'"),
        ({"epochs": 0}, "expected `epochs` of at least 1, received 0"),
        ({"fleet_size": 0}, "expected `fleet_size` of at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(training, changes, line):
    with pytest.raises(ValueError, match=line):
        training(**changes)


def test_a_metric_that_the_rows_cannot_tell_is_named(course):
    with pytest.raises(ValueError, match="expected `metric` as one of auc, log_loss for these validation rows"):
        course("a", metric="gauc").run()


def test_log_loss_is_better_when_it_is_lower(training):
    settings: Training = training(metric="log_loss")
    assert settings.direction == "min"
    assert settings.better([0.5, 0.3, float("nan")]) == 0.3
    assert np.isnan(settings.better([float("nan")]))
