"""Nets that are compared: one graph has one latency, and one that was disturbed says so wherever it stands."""

import dataclasses
import io

import keras
import numpy as np
import pytest
from rich.console import Console

from rocket_keras import Latency, export_light
from rocket_keras.latency import measure_each, several
from rocket_keras.latency.structure import graph_structure
from rocket_keras.launch.spread import spread
from rocket_keras.summary import latency_marks, marks_legend

LATENCY = Latency(1.0, 1.5, 2.0, 20, 1, 500, "onnxruntime 1", "Chip", budget_ms=1.5, decision="over", disturbed=True)


def net(units=5, activation="relu", name="light"):
    x = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(units, activation, name=f"{name}_hidden")(x)
    return keras.Model(x, keras.layers.Dense(1, name=f"{name}_logits")(hidden), name=name)


@pytest.fixture
def files(tmp_path):
    nets = {"base": net(name="base"), "light": net(), "wide": net(6), "tanh": net(activation="tanh")}
    return {name: export_light(model, tmp_path / f"{name}.onnx") for name, model in nets.items()}


def test_a_structure_is_that_of_the_graph_not_of_the_weights_or_names(files):
    structures = {name: graph_structure(file) for name, file in files.items()}
    assert structures["base"] == structures["light"]
    assert len({structures[name] for name in ("light", "wide", "tanh")}) == 3


def test_nets_of_one_graph_are_measured_once(files, monkeypatch):
    measured = []

    def measure(file, **options):
        measured.append(file.stem)
        return dataclasses.replace(LATENCY, p50_ms=float(len(measured)), disturbed=False)

    monkeypatch.setattr(several, "measure_latency", measure)
    known = {}
    found = measure_each(files, known, batch_size=20)
    assert measured == ["base", "wide", "tanh"]
    assert {name: one.p50_ms for name, one in found.items()} == {"base": 1, "light": 1, "wide": 2, "tanh": 3}
    assert measure_each({"again": files["light"]}, known)["again"].p50_ms == 1


@pytest.mark.parametrize(
    ("tries", "kept"),
    [
        ([(4.0, True), (0.2, False)], 0.2),
        ([(4.0, True), (3.0, True), (5.0, True)], 3.0),
        ([(4.0, False)], 4.0),
    ],
)
def test_a_disturbed_measurement_is_repeated(files, monkeypatch, tries, kept):
    given = iter(tries)

    def measure(file, **options):
        p99, disturbed = next(given)
        return dataclasses.replace(LATENCY, p99_ms=p99, disturbed=disturbed)

    monkeypatch.setattr(several, "measure_latency", measure)
    found = measure_each({"base": files["base"]})["base"]
    assert (found.p99_ms, found.disturbed) == (kept, dict(tries)[kept])
    assert next(given, None) is None


def test_it_measures(files):
    rows = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    found = measure_each(files, batch_size=8, rows=rows, requests=30, warm_up=0)
    assert found["base"] is found["light"]
    assert all(one.batch_size == 8 and one.p99_ms > 0 for one in found.values())


@pytest.mark.parametrize(
    ("facts", "marks"),
    [
        ({"disturbed": True}, "‡"),
        ({"steady": False}, "‡"),
        ({"decision": "over"}, "†"),
        ({"decision": "over", "disturbed": True}, "‡†"),
        ({"decision": "undecided"}, "?"),
        ({"decision": "within", "steady": True, "disturbed": False}, ""),
        ({"p50_ms": 1.0}, ""),  # of an earlier version
        (None, ""),
    ],
)
def test_every_mark_has_its_legend(facts, marks):
    assert latency_marks(facts) == marks
    legend = marks_legend([facts, None])
    assert bool(legend) is bool(marks)
    assert all(f"{mark} " in legend for mark in marks)


def test_seeds_that_were_disturbed_or_over_the_budget_mark_their_median(tmp_path):
    def answer(seed, p99, **facts):
        latency = {**dataclasses.asdict(LATENCY), "p99_ms": p99, "disturbed": False, "decision": "within", **facts}
        row = {"test": {"auc": 0.7}, "parameters": 1, "multiply_adds": 1, "training_seconds": 1.0, "latency": latency}
        common = ("entry", "command", "backend", "device", "versions", "git_commit", "date", "dataset", "recipe")
        return {**dict.fromkeys(common), "seed": seed, "nets": {"light": row}}

    answers = [answer(0, 1.0), answer(1, 1.2, disturbed=True, slowdown=3.0), answer(2, 9.0, decision="over")]
    latency = spread(answers, tmp_path / "summary.json")["nets"]["light"]["latency"]
    assert (latency["p99_ms"], latency["disturbed"], latency["decision"]) == (1.2, True, "over")
    assert latency["slowdown"] == 3.0
    assert spread(answers[:1] * 2, tmp_path / "summary.json")["nets"]["light"]["latency"]["disturbed"] is False


def test_the_board_of_a_search_marks_what_was_disturbed():
    tuning = pytest.importorskip("tuning")
    from tuning.board import Board
    from tuning.gate import Look
    from tuning.measure import Measurement

    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    board = Board(console, tuning.LatencyBudget(p99_ms=1.5), "auc")
    board.look(Look({"units": 4}, Measurement(1, 1, latency=dataclasses.asdict(LATENCY), decision="over"), "here"))
    console.print(board._table())
    printed = console.file.getvalue()
    assert "2.000‡†" in printed
    assert "‡ Disturbed" in printed
    assert "† Over the budget" in printed
