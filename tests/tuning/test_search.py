import json
import runpy
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from keras_tuner.src.engine.objective import create_objective

import rocket_keras as rk
import tuning
import zoo
from tuning import LatencyBudget, NoFeasibleModel, report

SMALL = runpy.run_path(str(Path(__file__).with_name("small_space.py")))
build = SMALL["build"]
multiply_adds_of = SMALL["multiply_adds_of"]
GOALS = [keras_tuner.Objective("val_auc", "max"), keras_tuner.Objective("val_loss", "min")]


def test_the_best_trained_light_net_within_the_budget_wins(find, tmp_path, data):
    result = find(max_trials=6)
    trained = [row for row in result.rows if row["metric"] is not None]
    assert len(trained) == 6
    assert all(row["multiply_adds"] <= 300 for row in trained)
    assert result.score == max(row["metric"] for row in trained)
    assert multiply_adds_of(result.values) <= 300
    assert result.model is result.pair.light
    # Trained again alone, it is what it was in the fleet.
    assert result.retrained_score == pytest.approx(result.score, abs=1e-5)
    rejected = [row for row in result.rows if row["status"] == "over"]
    assert rejected
    assert all(row["epochs"] == 0 and row["trial"] is None and " above 300" in row["why"] for row in rejected)
    logits = result.model.predict(data["validation"][0], verbose=0)
    feed = {"x": data["validation"][0]}
    session = rk.onnx_runtime.onnx_session(tmp_path / "search" / "light.onnx")
    np.testing.assert_allclose(rk.onnx_runtime.onnx_run(session, feed), logits, atol=1e-5)


def test_it_leaves_json_a_picture_and_a_page(find, tmp_path):
    result = find(max_trials=6)
    folder = tmp_path / "search"
    told = json.loads((folder / "search.json").read_text())
    assert told == result.to_json()
    assert told["facts"]["trials"] == 6
    assert told["facts"]["rejected"] == sum(row["status"] == "over" for row in told["rows"])
    assert (folder / "pareto.png").stat().st_size > 10_000
    page = (folder / "report.html").read_text()
    assert page.count('<th scope="row">') == len(result.rows)
    assert "300 multiply-adds" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "The search ended: all trials were made." in page
    # Hyperband may have trained the winner's net in another trial.
    winner = next(row for row in told["rows"] if row["trial"] == told["trial"])
    told["rows"].append({**winner, "trial": "again", "metric": winner["metric"] - 0.1})
    assert report.page(told, "").count('<tr class="net-light">') == 1
    (star,) = [line for line in report.pareto_figure(told).axes[0].lines if line.get_label() == "winner"]
    assert star.get_ydata() == [result.score]
    front = result.front
    assert [row["share"] for row in front] == sorted(row["share"] for row in front)
    assert [row["metric"] for row in front] == sorted(row["metric"] for row in front)


def test_a_search_that_was_killed_goes_on_and_ends_the_same(find, tmp_path, monkeypatch):
    whole = find(max_trials=6, folder=tmp_path / "whole", training=None, epochs=3, batch_size=64)
    real = tuning.training.Course.epoch

    def killed(self, epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return real(self, epoch)

    cut = {"max_trials": 6, "folder": tmp_path / "cut", "training": None, "epochs": 3, "batch_size": 64}
    monkeypatch.setattr(tuning.training.Course, "epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        find(**cut)
    epochs = []
    monkeypatch.setattr(
        tuning.training.Course, "epoch", lambda self, epoch: (epochs.append(epoch), real(self, epoch))[1]
    )
    monkeypatch.setattr(tuning.measure, "write_untrained", lambda *_: pytest.fail("measured again"))
    again = find(**cut)
    assert epochs[0] == 2
    assert again.values == whole.values
    assert again.score == pytest.approx(whole.score, abs=1e-6)
    shown = [(row["trial"], row["status"], row["values"]) for row in whole.rows]
    assert [(row["trial"], row["status"], row["values"]) for row in again.rows] == shown


def test_an_impossible_budget_names_the_nearest_and_by_how_much_it_misses(find):
    with pytest.raises(NoFeasibleModel) as caught:
        find(limit=50)
    error = caught.value
    assert error.fastest["values"] == {"light_depth": 1, "light_units_0": 4}
    assert error.share == pytest.approx(multiply_adds_of(error.fastest["values"]) / 50)
    assert len(error.rows) == 20
    assert str(error).startswith(
        "no light net within 50 multiply-adds: every point of the space was tried. Nearest of 20"
    )
    assert "\n" not in str(error)


def test_arguments_that_no_pair_is_trained_with_are_refused(find):
    with pytest.raises(ValueError, match=r"where the builder makes pairs, received \['max_trails'\]"):
        find(max_trails=3)


def test_a_budget_below_what_the_runtime_takes_is_told_before_anything_is_built(find):
    with pytest.raises(NoFeasibleModel, match=r"a net that does nothing takes p50 .* ms, p99 .* ms here") as caught:
        find(budget=LatencyBudget(p50_ms=1e-5, batch_size=20), headroom=0.0)
    assert caught.value.rows == []
    assert caught.value.share > 1


def test_a_limit_of_time_is_measured_and_confirmed_in_a_process_of_its_own(find, tmp_path):
    result = find(budget=LatencyBudget(p50_ms=200.0, batch_size=30), max_trials=2)
    assert result.latency.decision == "within"
    assert result.latency.budgets_ms == {"p50_ms": 200.0}
    assert result.latency.batch_size == 30
    assert result.floor.p50_ms < 200
    for row in result.rows:
        assert row["latency"]["budgets_ms"] == {"p50_ms": pytest.approx(180.0)}
        # Decided by what the headroom leaves, told as the share of the whole limit.
        assert row["share"] == pytest.approx(row["latency"]["p50_ms"] / 200.0)
        assert "process" in row["measured_by"]

    page = (tmp_path / "search" / "report.html").read_text()
    assert "p50 200 ms of 30 rows on 1 thread, of which 10% stays free" in page
    lines = {line.get_label(): line for line in report.pareto_figure(result.to_json()).axes[0].lines}
    assert list(lines["budget"].get_xdata()) == [1.0, 1.0]
    assert list(lines["less the headroom"].get_xdata()) == [0.9, 0.9]


def test_a_winner_that_the_last_measurement_refutes_is_not_the_winner(find, monkeypatch):
    real, seen = tuning.outcome.confirm, []

    def confirm(model, meter):
        seen.append(model.count_params())
        latency = real(model, meter)
        return latency if len(seen) > 1 else rk.Latency(**{**vars(latency), "decision": "over", "p50_ms": 300.0})

    monkeypatch.setattr(tuning.outcome, "confirm", confirm)
    result = find(budget=LatencyBudget(p50_ms=200.0, batch_size=30), max_trials=3)
    assert len(seen) == 2
    (refuted,) = [row for row in result.rows if row["status"] == "refuted"]
    assert refuted["metric"] >= result.score
    assert "p50 300.000 ms" in refuted["why"]
    assert refuted not in result.front


def test_a_space_of_one_point_is_searched(find):
    def one(hp):
        hp.Fixed("light_units_0", 8)
        hp.Fixed("light_depth", 1)
        return build(hp)

    result = find(builder=one, max_trials=5)
    assert len(result.rows) == 1
    assert result.facts["stopped"] == "every point of the space was tried"


def test_light_nets_of_two_boosters_are_trained_in_a_fleet_each(find, console):
    def rows(count, seed):
        rng = np.random.default_rng(seed)
        ids, x = rng.integers(0, 9, count).astype("int32"), rng.normal(size=count).astype("float32")
        return {"user": ids, "price": x}, (ids % 2 + x > 0.5).astype("float32")

    builder = zoo.ctr_pair_builder(
        [zoo.Categorical("user", 9), zoo.Numeric("price")], (1,), (4, 8), embedding_dims=(2, 5), booster_units=(16,)
    )
    result = find(10**6, builder, oracle="grid", train=rows(256, 1), validation=rows(100, 2), cache=None, max_trials=4)
    trained = {(row["values"]["embedding_dim"], row["values"]["light_units_0"]): row["status"] for row in result.rows}
    assert trained == dict.fromkeys([(2, 4), (2, 8), (5, 4), (5, 8)], "completed")
    # Two fleets of two; the winner, alone, ends as it did in its own.
    assert console.file.getvalue().count("2 light nets, epoch 1: best auc") == 2
    assert result.retrained_score == pytest.approx(result.score, abs=1e-5)


def test_a_light_net_whose_loss_is_no_number_fails_alone(find, console):
    class Spoils(keras.layers.Layer):
        def call(self, x, training=None):
            return x * float("nan") if training else x

    def build_bad(hp):
        hp.Fixed("light_depth", 1)
        pair = build(hp)
        if hp.get("light_units_0") != 16:
            return pair
        y = Spoils(name="spoils")(pair.light.output)
        return rk.Pair(light=keras.Model(pair.light.input, y, name="light"), booster=pair.booster)

    result = find(builder=build_bad, max_trials=20, oracle="grid", limit=10**6)
    statuses = {row["values"]["light_units_0"]: row["status"] for row in result.rows}
    assert statuses.pop(16) == "failed"
    assert set(statuses.values()) <= {"completed", "dropped"}
    (failed,) = [row for row in result.rows if row["status"] == "failed"]
    assert "NaN" in failed["why"]
    assert failed["metric"] is None
    assert result.values["light_units_0"] != 16


@pytest.mark.parametrize("oracle", ["random", "hyperband", "grid"])
def test_every_oracle_of_keras_tuner_searches(find, oracle):
    result = find(oracle=oracle)
    assert multiply_adds_of(result.values) <= 300
    assert result.facts["oracle"] == oracle


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"oracle": "best"}, "expected `oracle` as one of bayesian, random, hyperband, grid, received 'best'"),
        ({"max_trials": 0}, "expected `max_trials` of at least 1, received 0"),
        ({"oracle": "hyperband", "max_trials": 3}, "expected no `max_trials` with the oracle 'hyperband', received 3"),
        ({"objective": GOALS}, "expected `objective` as one keras_tuner.Objective, received several"),
        ({"objective": create_objective(GOALS)}, "expected `objective` as one keras_tuner.Objective, received several"),
        ({"headroom": 1.0}, "expected `headroom` from 0 to below 1, received 1.0"),
        ({"train": 3}, "expected `train` as"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_one_line(find, options, line):
    with pytest.raises(ValueError, match=line) as caught:
        find(**options)
    assert "\n" not in str(caught.value)


def test_a_builder_that_returns_something_else_is_told(find):
    with pytest.raises(TypeError, match=r"expected the builder to return a rocket_keras\.Pair"):
        find(builder=lambda hp: None)


def test_a_measurement_of_an_earlier_search_is_used_again(find, tmp_path, monkeypatch):
    options = {"max_trials": 1, "cache": tmp_path / "cache", "budget": LatencyBudget(artefact_bytes=10**6)}
    find(folder=tmp_path / "one", **options)
    monkeypatch.setattr(tuning.measure, "write_untrained", lambda *_: pytest.fail("measured again"))
    find(folder=tmp_path / "two", **options)
