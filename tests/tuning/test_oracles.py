import dataclasses
import runpy
import warnings
from pathlib import Path

import keras_tuner
import pytest

from tuning import BayesianOracle, Gate, GridOracle, HyperbandOracle, RandomOracle
from tuning.quiet import quiet

SMALL = runpy.run_path(str(Path(__file__).with_name("small_space.py")))
build = SMALL["build"]
multiply_adds_of = SMALL["multiply_adds_of"]

KINDS = {"random": RandomOracle, "bayesian": BayesianOracle, "grid": GridOracle}


@pytest.fixture
def oracle(hypermodel, meter, tmp_path):
    """A function that makes an oracle over the small space, and a function that runs it with a made-up metric."""

    def make(kind, limit, seed=1, **options):
        gate = Gate(hypermodel, meter(limit))
        objective = keras_tuner.Objective("val_light_auc", "max")
        made = kind(gate, objective=objective, seed=seed, **options)
        made._set_project_dir(tmp_path, "trials")
        hp = made.get_space()
        build(hp)
        made.update_space(hp)
        return made

    return make


def run(oracle, metric=multiply_adds_of, most=100):
    """Ask for trials until the oracle stops, and report a metric each."""
    done = []
    with quiet():
        while len(done) < most:
            trial = oracle.create_trial("tuner0:0")
            if trial.status == "STOPPED":
                break
            done.append(trial.hyperparameters.values)
            oracle.update_trial(trial.trial_id, {"val_light_auc": float(metric(trial.hyperparameters.values))})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
    return done


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_proposal_is_within_the_budget(oracle, kind):
    made = oracle(kind, 300, max_trials=8)
    values = run(made)
    assert len(values) == 8
    assert all(multiply_adds_of(point) <= 300 for point in values)
    assert len({tuple(sorted(point.items())) for point in values}) == 8


def test_rejections_take_no_trial_and_are_no_failure(oracle):
    made = oracle(GridOracle, 120, max_trials=50)
    values = run(made)
    rejected = [look for look in made.gate.looks.values() if not look.feasible]
    # 20 points in all; many in a row miss the budget, and the search goes on to the end of the grid.
    assert len(values) + len(rejected) == 20
    assert len(values) == sum(
        multiply_adds_of(point) <= 120 for point in [look.values for look in made.gate.looks.values()]
    )
    assert len(rejected) > 5
    assert len(made.trials) == len(values)
    assert all(trial.status == "COMPLETED" for trial in made.trials.values())


def test_infeasible_defaults_are_measured_and_left_out(hypermodel, meter, tmp_path):
    def wide_by_default(hp):
        hp.Choice("light_units_0", [4, 8, 16, 32], default=32)
        return build(hp)

    gate = Gate(type(hypermodel)(wide_by_default), meter(150))
    made = GridOracle(gate, objective=keras_tuner.Objective("val_light_auc", "max"), seed=1)
    made._set_project_dir(tmp_path, "trials")
    hp = made.get_space()
    wide_by_default(hp)
    made.update_space(hp)
    values = run(made)
    assert values
    assert all(multiply_adds_of(point) <= 150 for point in values)
    assert any(look.values["light_units_0"] == 32 and not look.feasible for look in gate.looks.values())


def test_the_best_are_never_filled_up_with_what_failed(oracle):
    made = oracle(RandomOracle, 300, max_trials=3)
    with quiet():
        for status in ("COMPLETED", "FAILED", "FAILED"):
            trial = made.create_trial("tuner0:0")
            if status == "COMPLETED":
                made.update_trial(trial.trial_id, {"val_light_auc": 0.7})
            trial.status = status
            made.end_trial(trial)
    assert [trial.status for trial in made.get_best_trials(3)] == ["COMPLETED"]
    assert made.get_best_trials(1)[0].score == 0.7


def test_more_than_three_failures_in_a_row_do_not_abort(oracle):
    made = oracle(RandomOracle, 300, max_trials=6)
    with quiet():
        for _ in range(6):
            trial = made.create_trial("tuner0:0")
            trial.status = "FAILED"
            made.end_trial(trial)
    assert made.get_best_trials(2) == []


def test_an_impossible_budget_stops_with_a_reason(oracle):
    made = oracle(RandomOracle, 10, max_trials=5, patience=4)
    assert run(made) == []
    assert made.gave_up == "4 points in a row missed the budget"
    made = oracle(BayesianOracle, 10, max_trials=5, patience=1000)
    assert run(made) == []
    assert made.gave_up == "every point of the space was tried"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_small_space_is_searched_to_its_last_point(oracle, kind):
    made = oracle(kind, 10**6, max_trials=50)
    assert len(run(made)) == 20
    assert made.gave_up == "every point of the space was tried"


def test_bayesian_search_finds_the_best_within_the_budget_sooner_than_chance(oracle):
    limit = 400
    made = oracle(BayesianOracle, limit, max_trials=8)
    values = run(made)
    best = max(multiply_adds_of(look) for look in all_points() if multiply_adds_of(look) <= limit)
    assert max(map(multiply_adds_of, values)) == best


def all_points():
    units = (4, 8, 16, 32)
    one = [{"light_depth": 1, "light_units_0": a} for a in units]
    return one + [{"light_depth": 2, "light_units_0": a, "light_units_1": b} for a in units for b in units]


def test_unlikely_points_are_put_aside_unmeasured(oracle):
    made = oracle(BayesianOracle, 200, max_trials=6)
    run(made)
    beyond = sum(multiply_adds_of(point) > 200 for point in all_points())
    rejected = sum(not look.feasible for look in made.gate.looks.values())
    assert rejected < beyond / 2


def test_hyperband_promotes_points_within_the_budget(oracle):
    made = oracle(HyperbandOracle, 300, max_epochs=4, factor=2)
    values = run(made)
    assert {point["tuner/epochs"] for point in values} == {1, 2, 4}
    assert all(multiply_adds_of(point) <= 300 for point in values)


def test_a_grid_ends_with_the_grid_unless_it_is_given_a_patience(oracle):
    made = oracle(GridOracle, 10, max_trials=50)
    assert made.patience is None
    assert run(made) == []
    assert made.gave_up == "every point of the space was tried"
    assert len(made.gate.looks) == 20
    made = oracle(GridOracle, 10, max_trials=50, patience=4)
    assert run(made) == []
    assert made.gave_up == "4 points in a row missed the budget"


@pytest.mark.parametrize("kind", [*KINDS.values(), HyperbandOracle], ids=[*KINDS, "hyperband"])
def test_a_reloaded_oracle_goes_on_without_measuring_again(oracle, kind, monkeypatch):
    options = {"max_epochs": 4, "factor": 2} if kind is HyperbandOracle else {"max_trials": 6}
    wanted = len(run(oracle(kind, 300, **options))) if kind is HyperbandOracle else 6
    made = oracle(kind, 300, **options)
    first = run(made, most=3)
    made.save()
    again = oracle(kind, 300, **options)
    again.reload()
    assert len(again.gate.looks) == len(made.gate.looks)
    monkeypatch.setattr(again.gate.meter, "measure", lambda model: pytest.fail("measured again"))
    for trial in made.trials.values():
        assert again.gate.look(trial.hyperparameters.values, again.hyperparameters).feasible
    monkeypatch.undo()
    rest = run(again)
    points = {tuple(sorted(point.items())) for point in [*first, *rest]}
    assert len(points) == wanted


def test_what_was_rejected_on_a_busy_machine_may_be_proposed_again(oracle, monkeypatch):
    made = oracle(RandomOracle, 300, max_trials=20)
    real = made.gate.meter.measure
    busy = {"disturbed": True}

    def measure(model):
        found = real(model)
        return found if found.decision == "within" else dataclasses.replace(found, latency=busy)

    monkeypatch.setattr(made.gate.meter, "measure", measure)
    run(made)
    rejected = [look for look in made.gate.looks.values() if not look.feasible]
    assert rejected
    # They tell nothing of the net: the latency is learned from the others.
    assert made.gate.model.errors["points"] == len(made.gate.looks) - len(rejected)
    again = oracle(RandomOracle, 300, max_trials=20)
    again.reload()
    assert len(again.gate.looks) == len(made.gate.looks) - len(rejected)
    assert not any(again._duplicate(look.values) for look in rejected)


def test_keras_tuners_deprecated_calls_warn_of_nothing(oracle):
    made = oracle(RandomOracle, 300, max_trials=2)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        run(made)
    assert [str(one.message) for one in heard if "keras_tuner" in one.filename] == []


def test_a_silent_workers_trial_is_given_to_another(oracle, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tuning.oracles.time.monotonic", lambda: now[0])
    made = oracle(RandomOracle, 300, max_trials=2, lease_seconds=60.0)
    with quiet():
        lost = made.create_trial("a:0")
        kept = made.create_trial("b:0")
        assert made.create_trial("b:1").status == "IDLE"
        now[0] = 50.0
        made.get_trial(kept.trial_id)
        now[0] = 100.0
        again = made.create_trial("b:1")
        assert again.trial_id == lost.trial_id
        for trial in (kept, again):
            made.update_trial(trial.trial_id, {"val_light_auc": 0.7})
            trial.status = "COMPLETED"
            made.end_trial(trial)
        made.end_trial(again)  # told twice, as by a worker that was thought dead
        assert made.create_trial("b:0").status == "STOPPED"
    assert made.end_order == [kept.trial_id, lost.trial_id]
