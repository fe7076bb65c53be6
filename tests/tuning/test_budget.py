from types import SimpleNamespace

import keras
import pytest

from tuning import LatencyBudget


def latency(p50=1.0, p95=2.0, p99=3.0, batch_size=200, threads=1):
    return SimpleNamespace(p50_ms=p50, p95_ms=p95, p99_ms=p99, batch_size=batch_size, threads=threads)


@pytest.mark.parametrize(
    ("limits", "met"),
    [
        ({"p99_ms": 3.1}, True),
        ({"p99_ms": 3.0}, True),
        ({"p99_ms": 2.9}, False),
        ({"p95_ms": 1.9}, False),
        ({"p50_ms": 0.9, "p99_ms": 9.0}, False),
        ({"p50_ms": 1.1, "p95_ms": 2.1, "p99_ms": 3.1}, True),
    ],
)
def test_every_limit_set_must_hold(limits, met):
    assert LatencyBudget(**limits, batch_size=200).met_by(latency()) is met


def test_a_latency_that_is_not_a_number_meets_nothing():
    assert LatencyBudget(p99_ms=1.0, batch_size=200).met_by(latency(p99=float("nan"))) is False


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ({"batch_size": 100}, r"at batch_size=200, received one at batch_size=100; measure with"),
        ({"threads": 4}, r"at threads=1, received one at threads=4; measure with"),
    ],
)
def test_a_latency_of_another_setting_is_refused(other, line):
    with pytest.raises(ValueError, match=line):
        LatencyBudget(p99_ms=9.0, batch_size=200, threads=1).met_by(latency(**other))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({}, "at least one limit, received none"),
        ({"p99_ms": 0.0}, "p99_ms to be a positive number of milliseconds, received 0.0"),
        ({"p50_ms": -1.0}, "p50_ms to be a positive"),
        ({"p95_ms": float("nan")}, "p95_ms to be a positive"),
        ({"p99_ms": 1.0, "batch_size": 0}, "batch_size to be a whole number of at least 1, received 0"),
        ({"p99_ms": 1.0, "threads": 1.5}, "threads to be a whole number of at least 1, received 1.5"),
        ({"p99_ms": 1.0, "threads": True}, "threads to be a whole number"),
    ],
)
def test_bad_values_are_refused_in_one_line(arguments, line):
    with pytest.raises(ValueError, match=line) as caught:
        LatencyBudget(**arguments)
    assert "\n" not in str(caught.value)


def test_measures_at_its_own_setting():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    budget = LatencyBudget(p99_ms=1e6, batch_size=3, threads=1)
    measured = budget.measure(model)
    assert (measured.batch_size, measured.threads) == (3, 1)
    assert budget.met_by(measured)
    assert not LatencyBudget(p50_ms=1e-9, batch_size=3).met_by(measured)
