import re

import keras
import numpy as np
import pytest

import rocket_keras as rk
from tuning import LatencyBudget, Meter, confirm, measure


@pytest.fixture
def net():
    def make(units=16):
        x = keras.Input((6,), name="x")
        return keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(units, "relu")(x)), name="light")

    return make


def latency(p50=1.0, p99=2.0, decision="within", disturbed=False):
    found = rk.Latency(p50, 1.5, p99, 4, 1, 500, "onnxruntime", "a processor", decision=decision, disturbed=disturbed)
    return found


@pytest.fixture
def timed(monkeypatch):
    """A function that makes a meter whose clock gives these latencies in turn, and the list of those left."""

    def make(budget, *answers, **options):
        left = list(answers)
        monkeypatch.setattr(measure, "measure_latency", lambda *a, **k: left.pop(0))
        return Meter(budget, **options), left

    return make


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        ({"parameters": 100}, "parameters 129 above 100"),
        ({"multiply_adds": 100}, "multiply_adds 112 above 100"),
        ({"artefact_bytes": 200}, r"artefact_bytes \d[\d,]* above 200"),
        ({"peak_memory_mb": 0.01}, r"peak_memory_mb [\d.]+ above 0.01"),
    ],
)
def test_each_size_is_a_limit_of_its_own(net, budget, why):
    found = Meter(LatencyBudget(**budget, batch_size=4)).measure(net())
    assert found.decision == "over"
    assert found.share > 1
    assert re.fullmatch(why, found.why)


def test_limits_hold_together_and_the_largest_share_is_told(net):
    budget = LatencyBudget(
        p50_ms=1000.0, batch_size=4, parameters=1290, multiply_adds=1120, peak_memory_mb=2000.0, artefact_bytes=10**6
    )
    found = Meter(budget).measure(net())
    assert found.decision == "within"
    assert found.why == ""
    assert found.share == pytest.approx(0.1, rel=0.02)
    assert found.artefact_bytes > 129 * 4
    assert 0 < found.peak_memory_mb < 2000
    assert found.latency["batch_size"] == 4


def test_a_larger_table_takes_more_memory_at_the_peak():
    def table(ids):
        x = keras.Input((), name="x", dtype="int32")
        return keras.Model(x, keras.layers.Dense(1)(keras.layers.Embedding(ids, 64)(x)), name="light")

    meter = Meter(LatencyBudget(peak_memory_mb=10**4, batch_size=4))
    small, large = (meter.measure(table(ids)).peak_memory_mb for ids in (100, 100_000))
    # 100,000 x 64 numbers of four bytes are 25.6 MB.
    assert large - small > 20


def test_the_headroom_tightens_times_alone(net, timed):
    meter, _ = timed(LatencyBudget(p99_ms=2.0, parameters=1000), latency(), headroom=0.25)
    assert meter.limits_ms == {"p99_ms": 1.5}
    found = meter.measure(net())
    # The share is that of the whole limit; what is learned is that of what is left.
    assert found.share == pytest.approx(2.0 / 2.0)
    assert meter.strain(found) == pytest.approx(2.0 / 1.5)
    assert meter.shares(found) == pytest.approx({"p99_ms": 1.0, "parameters": 0.129})


def test_an_undecided_net_is_measured_again_and_stays_undecided_after_three(net, timed):
    meter, left = timed(LatencyBudget(p99_ms=2.0), *[latency(decision="undecided") for _ in range(4)])
    found = meter.measure(net())
    assert len(left) == 1
    assert found.decision == "undecided"
    assert "undecided against 2 ms" in found.why


def test_a_disturbed_refusal_is_not_believed_at_once(net, timed):
    over = latency(p50=1.0, p99=9.0, decision="over", disturbed=True)
    meter, left = timed(LatencyBudget(p99_ms=2.0), over, latency(), latency())
    assert meter.measure(net()).decision == "within"
    assert len(left) == 1
    hopeless = latency(p50=5.0, p99=9.0, decision="over", disturbed=True)
    meter, left = timed(LatencyBudget(p99_ms=2.0), hopeless, latency())
    found = meter.measure(net(17))
    assert found.decision == "over"
    assert "something else ran" in found.why
    assert len(left) == 1


def test_a_net_of_the_same_shape_is_measured_once(net, timed):
    meter, left = timed(LatencyBudget(p99_ms=2.0), latency(), latency())
    first, second = meter.measure(net()), meter.measure(net())
    assert first == second
    assert len(left) == 1


def test_what_was_refused_while_disturbed_is_not_kept(net, timed):
    over = [latency(p50=5.0, p99=9.0, decision="over", disturbed=True) for _ in range(2)]
    meter, left = timed(LatencyBudget(p99_ms=2.0), *over)
    meter.measure(net())
    meter.measure(net())
    assert left == []


def test_what_stayed_undecided_is_measured_again_the_next_time(net, timed):
    meter, left = timed(LatencyBudget(p99_ms=2.0), *[latency(decision="undecided")] * 3, latency())
    assert [meter.measure(net()).decision for _ in range(2)] == ["undecided", "within"]
    assert left == []


def test_another_version_of_the_package_measures_again(net, timed, monkeypatch):
    meter, left = timed(LatencyBudget(p99_ms=2.0), latency(), latency())
    meter.measure(net())
    monkeypatch.setattr(measure, "__version__", "another")
    meter.measure(net())
    assert left == []


def test_requests_are_real_rows_of_the_nets_own_columns(net):
    rows = {"x": np.arange(18.0).reshape(3, 6), "other": np.zeros(3)}
    x = keras.Input((6,), name="x")
    model = keras.Model({"x": x}, keras.layers.Dense(1)(x))
    found = Meter(LatencyBudget(p50_ms=1.0, batch_size=5), rows).requests_of(model)
    assert set(found) == {"x"}
    np.testing.assert_array_equal(found["x"], rows["x"][[0, 1, 2, 0, 1]])


def test_the_floor_is_that_of_a_net_that_does_nothing(net):
    meter = Meter(LatencyBudget(p50_ms=1000.0, batch_size=4))
    assert meter.floor(net()).decision == "within"
    assert Meter(LatencyBudget(parameters=5)).floor(net()) is None


@pytest.mark.parametrize(
    ("answers", "decision", "left"),
    [
        ([latency(decision="over", disturbed=True), latency(), latency()], "within", 1),
        ([latency(decision="over"), latency(), latency()], "over", 2),
        ([latency(decision="undecided", disturbed=True)] * 3, "undecided", 0),
    ],
)
def test_a_winner_is_not_refuted_by_what_else_ran(net, monkeypatch, answers, decision, left):
    answers = list(answers)
    monkeypatch.setattr(confirm, "_measured", lambda *_: answers.pop(0))
    meter = Meter(LatencyBudget(p99_ms=2.0, batch_size=4))
    assert confirm.confirm(net(), meter).decision == decision
    assert len(answers) == left
