import itertools

import keras_tuner
import numpy as np
import pytest

from tuning import Gate, LatencyBudget, Measurement, Meter
from tuning.gate import Look
from tuning.latency_model import LatencyModel
from tuning.space import all_values


@pytest.fixture
def space():
    hp = keras_tuner.HyperParameters()
    hp.Int("depth", 1, 3)
    widths = [16, 32, 64, 128, 256, 512]
    hp.Choice("units_0", widths)
    with hp.conditional_scope("depth", [2, 3]):
        hp.Choice("units_1", widths)
    with hp.conditional_scope("depth", [3]):
        hp.Choice("units_2", widths)
    return hp.space


def cost(point):
    widths = [128, *(point[name] for name in ("units_0", "units_1", "units_2") if name in point), 1]
    return 0.05 + 2e-6 * sum(a * b for a, b in itertools.pairwise(widths))


def measured(space, count, noise=0.03):
    rng = np.random.default_rng(0)
    points = all_values(space)
    chosen = [points[i] for i in rng.permutation(len(points))[:count]]
    return points, chosen, [cost(point) * np.exp(noise * rng.normal()) for point in chosen]


def test_two_dozen_points_tell_all_others_to_a_tenth(space):
    points, chosen, shares = measured(space, 24)
    model = LatencyModel(space)
    model.fit(chosen, shares)
    off = np.abs(model.predict(points) / [cost(point) for point in points] - 1)
    assert np.quantile(off, 0.9) < 0.1
    # The reported error is that of points that were left out, so it is of the size of the true one.
    assert model.errors["points"] == 24
    assert 0.005 < model.errors["median"] < 0.1
    assert model.errors["median"] <= model.errors["p90"]


def test_it_never_falls_with_a_width_or_a_depth(space):
    points, chosen, shares = measured(space, 10, noise=0.5)
    model = LatencyModel(space)
    model.fit(chosen, shares)
    widths = [16, 32, 64, 128, 256, 512]
    for point in points[::7]:
        for name in set(point) - {"depth"}:
            line = model.predict([{**point, name: width} for width in widths])
            assert np.all(np.diff(line) >= -1e-12)
        deeper = {**point, "depth": 3, "units_1": point.get("units_1", 16), "units_2": point.get("units_2", 16)}
        assert model.predict([deeper])[0] >= model.predict([point])[0] - 1e-12


def test_the_probability_falls_as_the_share_passes_one(space):
    points, chosen, shares = measured(space, 24)
    model = LatencyModel(space)
    limit = 0.2
    model.fit(chosen, [share / limit for share in shares])
    chance = model.feasible(points)
    truth = np.array([cost(point) for point in points]) / limit
    assert np.all(chance[truth < 0.7] > 0.9)
    assert np.all(chance[truth > 1.5] < 0.1)


def test_before_four_points_everything_is_possible(space):
    model = LatencyModel(space)
    model.fit([{"depth": 1, "units_0": 16}], [0.5])
    assert model.errors is None
    np.testing.assert_allclose(model.feasible([{"depth": 1, "units_0": 512}]), [1.0])


def test_the_gate_learns_shares_of_what_the_headroom_leaves(hypermodel, monkeypatch):
    shares = []
    monkeypatch.setattr(LatencyModel, "fit", lambda self, points, found: shares.extend(found))
    gate = Gate(hypermodel, Meter(LatencyBudget(p99_ms=2.0, parameters=100), headroom=0.1))
    found = Measurement(50, 50, latency={"p99_ms": 1.9}, share=0.95, decision="over")
    gate.looks["one"] = Look({"light_depth": 1}, found, "here")
    gate.learn(keras_tuner.HyperParameters())
    assert shares == [pytest.approx(1.9 / 1.8)]
