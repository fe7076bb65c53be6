"""The line of requests, by a clock that stands still unless it is moved."""

import asyncio

import pytest

pytest.importorskip("fastapi")

from rocket_keras.service.admission import Line
from rocket_keras.service.limits import Limits, Refused


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds, done=None, name=None):
        """Work that takes so many seconds."""

        def worked():
            self.now += seconds
            if done is not None:
                done.append(name)
            return name

        return worked


@pytest.fixture
def clock():
    return Clock()


def run_all(*coroutines):
    async def together():
        return await asyncio.wait_for(asyncio.gather(*coroutines, return_exceptions=True), 60)

    return asyncio.run(together())


def test_first_come_first_served(clock):
    line, done = Line(Limits(deadline_ms=1000), clock), []
    answers = run_all(*(line.run(clock.work(0.001, done, name)) for name in "abcde"))
    assert answers == done == list("abcde")
    assert line.waiting == 0


def test_whose_deadline_passed_in_the_line_is_refused_and_not_begun(clock):
    line, done = Line(Limits(deadline_ms=25), clock), []
    answers = run_all(*(line.run(clock.work(0.01, done, name)) for name in "abcdef"))
    assert done == list("abc")
    assert answers[:3] == list("abc")
    assert [(type(e), e.status, e.kind) for e in answers[3:]] == [(Refused, 503, "overloaded")] * 3
    assert "30 ms in line" in answers[3].detail
    assert run_all(line.run(clock.work(0.01, name="later"))) == ["later"]


def test_who_would_wait_too_long_is_refused_at_once(clock):
    line = Line(Limits(deadline_ms=65), clock)
    for _ in range(100):
        run_all(line.run(clock.work(0.01)))
    assert line.mean_s == pytest.approx(0.01, rel=1e-3)
    seen = []

    async def come(name):
        try:
            return await line.run(clock.work(0.01, seen, name))
        except Refused as refused:
            seen.append(refused.detail)
            raise

    answers = run_all(*(come(name) for name in "abcdef"))
    # 4 in line make 40 ms, and as much before they are heard of: the others are told before the first one is done.
    assert all("received 4 requests in line, 80 ms of work; ask again" in detail for detail in seen[:2])
    assert seen[2:] == list("abcd") == answers[:4]


def test_a_turn_is_work_and_what_was_read_before_it(clock):
    line = Line(Limits(deadline_ms=100_000), clock)

    async def read():
        for _ in range(30):
            clock.now += 0.001
            await asyncio.sleep(0)

    async def come():
        for _ in range(7):
            await line.run(clock.work(0.001))

    run_all(read(), come(), come())
    assert 0.0015 < line.mean_s < 0.003  # work alone takes 0.001
    assert line.waiting == 0


def test_the_line_has_an_end(clock):
    line = Line(Limits(deadline_ms=1000, max_waiting=2), clock)
    answers = run_all(*(line.run(clock.work(0, name=name)) for name in "abcd"))
    assert answers[:2] == ["a", "b"]
    assert all(isinstance(answer, Refused) for answer in answers[2:])


def test_retry_after_is_the_time_of_the_line(clock):
    line = Line(Limits(deadline_ms=10_000), clock)
    for _ in range(100):
        run_all(line.run(clock.work(3.0)))
    answers = run_all(*(line.run(clock.work(3.0)) for _ in range(4)))
    assert [answer.retry_after_s for answer in answers[2:]] == [6, 6]


def test_one_slow_request_does_not_close_the_line(clock):
    line = Line(Limits(deadline_ms=10), clock)
    run_all(line.run(clock.work(100.0)))
    assert run_all(line.run(clock.work(0.001, name="next"))) == ["next"]


@pytest.mark.parametrize(("seconds", "begun"), [(0.085, True), (0.095, False)])
def test_room_is_left_for_a_slow_turn(clock, seconds, begun):
    line = Line(Limits(deadline_ms=100), clock)
    for _ in range(200):
        run_all(line.run(clock.work(0.001)))
    # The first of the two is a slow turn, and leaves a tenth of the deadline at most.
    answers = run_all(line.run(clock.work(seconds)), line.run(clock.work(0.001, name="second")))
    assert answers[1] == "second" if begun else isinstance(answers[1], Refused)


def test_a_slow_turn_is_forgotten(clock):
    line = Line(Limits(deadline_ms=100), clock)
    for seconds in [0.001] * 200 + [0.007]:
        run_all(line.run(clock.work(seconds)))
    assert line.slow_s == pytest.approx(0.006, rel=0.01)
    for _ in range(3000):
        run_all(line.run(clock.work(0.001)))
    assert line.slow_s < 0.001


def test_work_that_fails_leaves_the_line(clock):
    def fails():
        raise KeyError("x")

    line = Line(Limits(deadline_ms=1000), clock)
    answers = run_all(line.run(fails), line.run(clock.work(0, name="b")))
    assert isinstance(answers[0], KeyError)
    assert answers[1] == "b"
    assert line.waiting == 0


def test_who_leaves_the_line_makes_room(clock):
    line = Line(Limits(deadline_ms=1000), clock)

    async def leave():
        tasks = [asyncio.create_task(line.run(clock.work(0, name=name))) for name in "abc"]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, left, last = asyncio.run(leave())
    assert (first, last, line.waiting) == ("a", "c", 0)
    assert isinstance(left, asyncio.CancelledError)


@pytest.mark.parametrize("name", ["deadline_ms", "max_candidates", "max_body_bytes", "max_waiting", "body_seconds"])
def test_limits_are_above_0(name):
    with pytest.raises(ValueError, match=f"expected `{name}` above 0, received 0; give a positive number"):
        Limits(**{name: 0})
