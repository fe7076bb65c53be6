import json
from types import SimpleNamespace

import keras_tuner
import pytest

import rocket_keras as rk
import tuning
from tuning import Gate, LatencyBudget, Meter, NoFeasibleModel, outcome

NARROW, WIDE = ({"light_depth": 1, "light_units_0": units} for units in (4, 32))


def row(trial, values, metric):
    sizes = {"parameters": 90, "multiply_adds": 90, "artefact_bytes": 900, "peak_memory_mb": None}
    told = {"trial": trial, "values": values, "metric": metric, "status": "completed", "latency": None, "share": 0.5}
    return {**told, **sizes, "why": ""}


@pytest.fixture
def oracle(hypermodel):
    budget = LatencyBudget(p50_ms=2.0, batch_size=4, parameters=100)
    objective = keras_tuner.Objective("val_light_auc", "max")
    gate = Gate(hypermodel, Meter(budget, headroom=0.1))
    return SimpleNamespace(gate=gate, objective=objective, gave_up=None, get_space=keras_tuner.HyperParameters)


@pytest.fixture
def confirmed(monkeypatch):
    """A function that lets the last measurements have these medians, and the list of those left."""

    def make(*medians):
        left = list(medians)

        def confirm(model, meter):
            p50 = left.pop(0)
            decision = "within" if p50 < 2.0 else "over"
            return rk.Latency(p50, p50, p50, 4, 1, 500, "onnxruntime", "a processor", decision=decision)

        monkeypatch.setattr(outcome, "confirm", confirm)
        return left

    return make


def test_a_net_that_was_trained_twice_is_measured_once_and_refuted_in_both_rows(oracle, confirmed):
    rows = [row("0", WIDE, 0.7), row("1", NARROW, 0.6), row("2", WIDE, 0.8), row("3", WIDE, None)]
    left, said = confirmed(3.0, 1.0), []
    winner, latency = outcome.confirmed_winner(rows, oracle, said.append)
    assert left == []
    assert (winner["trial"], latency.p50_ms) == ("1", 1.0)
    assert [one["status"] for one in rows] == ["refuted", "completed", "refuted", "completed"]
    # Of the whole limit, also where another limit is nearer.
    assert [one["share"] for one in rows] == [1.5, 0.5, 1.5, 0.5]
    assert len(said) == 1


def test_what_is_refuted_by_little_still_counts_its_sizes(oracle, confirmed):
    rows = [row("0", WIDE, 0.7)]
    confirmed(2.0)
    rows[0]["parameters"] = 110
    with pytest.raises(NoFeasibleModel, match=r"takes 1\.1 times the budget \(the last measurement had p50 2\.000 ms"):
        outcome.confirmed_winner(rows, oracle, lambda line: None)


@pytest.mark.parametrize(
    ("message", "line"), [(None, ""), ("one", "one"), ("Traceback:\n  File\nValueError: no\n", "ValueError: no")]
)
def test_of_a_message_the_last_line_is_told(message, line):
    assert outcome._last_line(message) == line


def test_without_a_winner_the_rows_the_reason_and_the_notes_are_left(find, tmp_path, console, monkeypatch):
    options = {"budget": LatencyBudget(artefact_bytes=10), "oracle": "grid", "cache": tmp_path / "cache"}
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(tuning.cache, "machine", lambda: {"processor": "another", "cores": 64})
        with pytest.raises(NoFeasibleModel):
            find(folder=tmp_path / "there", **options)
    with pytest.raises(NoFeasibleModel) as caught:
        find(**options)
    told = json.loads((tmp_path / "search" / "search.json").read_text())
    assert told["reason"] == str(caught.value)
    assert told["rows"] == caught.value.rows
    assert len(told["rows"]) == told["facts"]["rejected"] == 20
    assert told["facts"]["stopped"] == "every point of the space was tried"
    assert console.file.getvalue().splitlines()[-1] == "20 measurements of another machine were ignored"


def test_an_interrupted_search_says_its_notes(find, console, monkeypatch):
    def full(path, value):
        raise OSError(28, "No space left on device")

    def interrupted(self, epoch):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning.cache, "write_json", full)
    monkeypatch.setattr(tuning.training.Course, "epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find(max_trials=1)
    assert "takes no measurement ([Errno 28] No space left on device)" in console.file.getvalue().splitlines()[-1]
