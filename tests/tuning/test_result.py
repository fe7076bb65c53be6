import pytest

from tuning import LatencyBudget
from tuning.result import nothing_feasible, pareto_front


def row(share, metric, status="completed", **values):
    told = {"share": share, "metric": metric, "status": status, "values": values, "why": "p99 3 ms above 2 ms"}
    return {**told, "latency": None, "multiply_adds": 10}


def test_the_front_is_what_no_other_row_beats_in_both():
    rows = [row(0.9, 0.80), row(0.2, 0.70), row(0.5, 0.70), row(0.3, 0.75), row(0.1, None), row(0.6, 0.74)]
    assert [(r["share"], r["metric"]) for r in pareto_front(rows, "max")] == [(0.2, 0.70), (0.3, 0.75), (0.9, 0.80)]
    assert [(r["share"], r["metric"]) for r in pareto_front(rows, "min")] == [(0.2, 0.70)]


def test_what_was_refuted_is_not_on_the_front():
    rows = [row(0.9, 0.8, "refuted"), row(0.95, 0.7)]
    assert [r["metric"] for r in pareto_front(rows, "max")] == [0.7]


def test_no_feasible_model_tells_the_nearest():
    error = nothing_feasible([row(3.0, None, "over", a=1), row(1.5, None, "over", a=2)], LatencyBudget(p99_ms=2.0), "x")
    assert error.fastest["values"] == {"a": 2}
    assert error.share == 1.5
    assert "a=2, which takes 1.5 times the budget (p99 3 ms above 2 ms)" in str(error)
    assert str(error).endswith("widen the budget, or offer smaller nets")
    near = nothing_feasible([row(0.95, None, "over", a=2)], LatencyBudget(p99_ms=2.0), "x")
    assert "which takes 0.95 times the budget" in str(near)
    assert str(near).endswith("lower the headroom, or offer smaller nets")
    busy = {**row(1.5, None, "over", a=2), "latency": {"disturbed": True}}
    assert "ran on the machine during 1 measurements" in str(nothing_feasible([busy], LatencyBudget(p99_ms=2.0), "x"))
    assert "nothing was measured" in str(nothing_feasible([], LatencyBudget(p99_ms=2.0), "x"))


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ({"p99_ms": 2.0, "batch_size": 200}, "p99 2 ms of 200 rows on 1 thread"),
        ({"p50_ms": 0.5, "p99_ms": 2.0, "threads": 2}, "p50 0.5 ms, p99 2 ms of 1 rows on 2 threads"),
        ({"parameters": 50_000, "artefact_bytes": 10**6}, "50,000 parameters, 1,000,000 bytes"),
        ({"peak_memory_mb": 2.5}, "2.5 MB at the peak"),
    ],
)
def test_a_budget_in_words(budget, told):
    assert LatencyBudget(**budget).describe() == told
