import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from rocket_keras import Latency, export_light, measure_latency
from rocket_keras.latency import machine, processor
from rocket_keras.latency import measure as module
from rocket_keras.latency.machine import Neighbours
from rocket_keras.latency.quantiles import decided, interval
from rocket_keras.latency.table import print_latencies


def test_percentiles_are_ordered_and_say_what_they_are_of(make_pair):
    result = measure_latency(make_pair().light, batch_size=16, budget_ms=1000.0)
    assert 0 < result.p50_ms <= result.p95_ms <= result.p99_ms
    assert (result.batch_size, result.threads, result.requests) == (16, 1, 500)
    for part in ("p50", "p95", "p99"):
        low, high = getattr(result, f"{part}_interval")
        assert low <= getattr(result, f"{part}_ms") <= high
    assert result.runtime.startswith("onnxruntime ")
    assert (result.decision, result.within_budget) == ("within", True)
    assert result.confidence == 0.975
    assert result.slowdown >= 1.0
    assert result.device == processor()


class Clock:
    """A clock that stands still but for what is waited."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Reference:
    """A matrix whose product takes what `delays` says, in milliseconds of that clock."""

    def __init__(self, delays, clock):
        self.delays, self.clock = delays, clock

    def __matmul__(self, other):
        self.clock.sleep(1e-3 * next(self.delays))


class Delayed:
    """A session whose requests take what `delays` says, in milliseconds of that clock."""

    def __init__(self, session, delays, clock):
        self.get_inputs, self.delays, self.clock = session.get_inputs, iter(delays), clock

    def run(self, names, feed):
        assert all(len(value) == 4 for value in feed.values())
        self.clock.sleep(1e-3 * next(self.delays))
        return [None]


@pytest.fixture
def measure(make_pair, rows, tmp_path, monkeypatch):
    """A function that measures a session of known delays."""
    path = export_light(make_pair(), tmp_path / "light.onnx")
    session = module.onnx_session(path)

    def run(delays, reference=None, **options):
        clock = Clock()
        monkeypatch.setattr(module, "time", clock)
        monkeypatch.setattr(machine, "_interruptions", lambda: None)  # what else runs here is no matter
        if reference is not None:
            monkeypatch.setattr(machine, "time", clock)
            watcher = Neighbours()
            watcher._matrix = Reference(iter(reference), clock)
            monkeypatch.setattr(module, "Neighbours", lambda: watcher)
        monkeypatch.setattr(module, "onnx_session", lambda *args: Delayed(session, delays, clock))
        return measure_latency(path, 4, rows=rows()[0], **{"warm_up": 0, **options})

    return run


def forever(delay):
    while True:
        yield delay


def test_a_known_delay_is_measured(measure):
    result = measure(forever(10), budget_ms=5.0, requests=20)
    assert result.p50_ms == pytest.approx(10)
    assert (result.decision, result.within_budget) == ("over", False)


def test_a_budget_that_the_sample_cannot_decide_is_undecided(measure):
    result = measure(forever(1), budget_ms=100.0, requests=50, seconds=0.05)  # too few to bound a p99 from above
    assert (result.decision, result.within_budget) == ("undecided", None)
    assert result.requests == 50
    assert result.p99_interval[1] is None


def test_the_sample_grows_until_the_budget_is_decided(measure):
    result = measure(forever(0.05), budget_ms=20.0, requests=100)
    assert result.decision == "within"
    # A bound from above needs 546 requests at the confidence of the second look, which therefore has 600.
    assert result.requests == 600
    assert result.confidence == pytest.approx(1 - 0.05 / 6)


@pytest.mark.parametrize(
    ("blocks", "steady"),
    [([20.0, 1.0, 1.04], True), ([16.0, 8.0, 4.0, 2.0, 1.0], False), ([1.0, 1.1, 1.2, 1.3, 1.0], False)],
)
def test_the_warm_up_ends_when_two_blocks_agree_or_says_that_none_did(measure, blocks, steady):
    delays = [delay for block in blocks for delay in [block] * 10] + [1.0] * 100000
    result = measure(iter(delays), requests=50, warm_up=10)
    assert result.p99_ms == pytest.approx(1)
    assert (result.decision, result.within_budget) == (None, None)
    assert result.steady is steady


def test_without_a_warm_up_nobody_knows_whether_it_was_steady(measure):
    assert measure(forever(1), requests=20).steady is None


def printed(*found):
    console = Console(file=io.StringIO(), width=160)
    print_latencies(found, "title", console)
    return console.file.getvalue()


def test_the_table_tells_what_to_measure_again(measure):
    row = measure(forever(1), requests=20)
    table = printed(*(dataclasses.replace(row, steady=steady) for steady in (True, None, False)))
    cells = [line.split("│")[8].strip() for line in table.splitlines() if line.startswith("│")]
    assert cells == ["yes", "-", "no"]
    assert "Not steady: the medians of the warm-up still changed" in table
    assert "Not steady" not in printed(row)
    assert max(map(len, table.splitlines()[:6])) <= 160


def test_a_latency_that_was_stored_before_is_read(measure):
    stored = dataclasses.asdict(measure(forever(1), requests=20, warm_up=10))
    assert stored.pop("steady") is True
    assert Latency(**stored).steady is None


@pytest.mark.parametrize("rate_per_s", [None, 100.0])
def test_a_neighbour_that_comes_and_goes_is_noticed(measure, rate_per_s):
    def reference(slow):
        for number in range(10**6):
            yield slow if number % 4 == 0 else 0.01

    options = {"requests": 400, "rate_per_s": rate_per_s}
    quiet = measure(forever(1), reference=reference(0.012), **options)
    assert (quiet.slowdown, quiet.disturbed) == (pytest.approx(1.2), False)
    noisy = measure(forever(1), reference=reference(0.03), **options)
    assert (noisy.slowdown, noisy.disturbed) == (pytest.approx(3), True)
    steady = measure(forever(1), reference=forever(0.03), **options)  # one that is always there is not
    assert (steady.slowdown, steady.disturbed) == (pytest.approx(1), False)


def test_an_open_loop_looks_for_neighbours_when_there_is_time(measure):
    looks = []

    def reference():
        while True:
            looks.append(None)
            yield 0.01

    # Every 20th request is due while one of 15 ms before it is under way.
    delays = (15.0 if number % 20 == 19 else 1.0 for number in range(10**6))
    measure(delays, reference=reference(), requests=400, rate_per_s=100.0)
    assert len(looks) >= 18


def test_in_an_open_loop_a_request_waits_for_those_before_it(measure):
    delays = [40.0, *[0.1] * 1000]
    closed = measure(iter(delays), requests=20)
    opened = measure(iter(delays), requests=20, rate_per_s=1000.0)
    assert closed.p50_ms == pytest.approx(0.1)
    # Due a millisecond apart, while the first one took 40: request k of 0 to 19 has waited 40 - 0.9 k.
    assert opened.p50_ms == pytest.approx(40 - 0.9 * 9.5)
    assert opened.rate_per_s == 1000.0


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99])
def test_an_interval_covers_the_true_quantile(part):
    rng = np.random.default_rng(0)
    truth = np.exp(0.8 * {0.5: 0.0, 0.95: 1.6448536, 0.99: 2.3263479}[part])
    samples = [np.exp(0.8 * rng.normal(size=800)) for _ in range(400)]
    found = [interval(sample, part) for sample in samples]
    assert np.mean([low <= truth <= high for low, high in found]) >= 0.94
    assert np.mean([low <= truth for low, _ in found]) < 1


def test_an_interval_has_the_ranks_of_the_binomial_distribution():
    # P(X <= 39) = 0.0176 and P(X <= 60) = 0.9824 for X of 100 throws of a coin; 0.0284 and 0.9716 one rank inside.
    assert interval(np.arange(1, 101.0), 0.5) == (40.0, 61.0)
    assert interval(np.arange(1, 368.0), 0.99)[1] is None
    assert interval(np.arange(1, 369.0), 0.99)[1] == 368.0
    assert interval(np.arange(1.0, 4.0), 0.5)[0] == 0.0


def test_many_looks_err_as_rarely_as_one():
    rng = np.random.default_rng(1)
    truth = -np.log(0.01)  # of the exponential distribution: the budget is exactly its p99, so no answer is right

    def answer():
        times = rng.exponential(size=16000)
        return any(decided(times[: 500 * 2**look], {0.99: truth}, look)[0] for look in range(6))

    assert np.mean([answer() for _ in range(200)]) <= 0.05


def test_a_noisy_neighbour_shows_in_the_reference():
    quiet, noisy = Neighbours(times=[1e-5] * 100), Neighbours(times=[1e-5] * 70 + [3e-5] * 30)
    assert quiet.slowdown == pytest.approx(1)
    assert noisy.slowdown == pytest.approx(3)
    assert Neighbours().slowdown == 1
    quiet.look()
    assert len(quiet.times) == 101
    assert noisy.disturbed(1000)


def test_a_core_that_is_taken_away_disturbs(monkeypatch):
    counts = iter([10, 14, 14, 16, 16])
    monkeypatch.setattr("rocket_keras.latency.machine._interruptions", lambda: next(counts))
    neighbours = Neighbours(times=[1e-5] * 100)
    assert neighbours.interruptions == 4
    assert not neighbours.disturbed(1000)  # 4 of 1,000
    assert neighbours.disturbed(1000)  # 6 of 1,000
    monkeypatch.setattr("rocket_keras.latency.machine._interruptions", lambda: None)  # a system that does not tell
    assert Neighbours().interruptions is None
    assert not Neighbours(times=[1e-5] * 100).disturbed(1000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"rate_per_s": 0.0}, "rate_per_s must be above 0"),
        ({"batch_size": 8, "rows": np.zeros((7, 5), "float32")}, "at least one request of 8 rows"),
    ],
)
def test_bad_requests_are_named(make_pair, options, message):
    with pytest.raises(ValueError, match=message):
        measure_latency(make_pair().light, **options)


def test_an_onnx_file_needs_rows(tmp_path):
    with pytest.raises(ValueError, match="Give rows"):
        measure_latency(tmp_path / "net.onnx")
