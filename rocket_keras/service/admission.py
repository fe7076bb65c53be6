"""Requests wait in line for a short while or are refused at once: the line never grows beyond what can be kept.

Scoring takes a fraction of a millisecond, less than to hand it to a thread: so it is done where the requests are read,
one at a time, and between two of them the service listens.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import TypeVar

from rocket_keras.service.limits import Limits, Refused

Answer = TypeVar("Answer")
RECENT = 0.1
"""Weight of the latest turn in the mean time of one."""
SETTLED = 50
"""Turns after which that mean tells what a usual turn is."""
FADES = 0.999
"""What is left of the memory of a slow turn after each that follows."""
ROOM = 0.1
"""Share of the deadline, at most, that is left for a slow turn."""
UNSEEN = 4
"""Turns of a request that its place in line does not show: before the service, which was at work, heard of it, its own,
and that in which its answer leaves."""


class Line:
    """The requests that wait for their turn, first come, first served.

    Args:
        limits: `deadline_ms` and `max_waiting` are kept here.
        clock: Seconds, as `time.perf_counter`.

    Attributes:
        waiting: Requests in line, the one at work included.
        mean_s: Mean seconds of the latest turns: to read those who came meanwhile, and a request's work.
        slow_s: Seconds by which the slowest of late turns was above the mean, as when the system took the core away: so
            much of the deadline, up to a tenth, is left for such a turn, lest the answer is late.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.perf_counter) -> None:
        self._deadline_s, self._most, self._clock = limits.deadline_ms / 1e3, limits.max_waiting, clock
        self._turn = asyncio.Lock()
        self.waiting, self.mean_s, self.slow_s, self._done = 0, 0.0, 0.0, -math.inf
        self._turns = 0

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Do the work when its turn has come.

        Raises:
            Refused: 503: the line is so long that the deadline would pass, or it has passed in the line. The work was
                not begun.
        """
        heard = self._clock()
        came = heard - min(self.waiting, UNSEEN) * self.mean_s
        expected_s = heard - came + self.waiting * self.mean_s
        if self.waiting >= self._most or expected_s > self._longest_s():
            raise self._overloaded(f"{self.waiting} requests in line, {1e3 * expected_s:.0f} ms of work")
        self.waiting += 1
        try:
            async with self._turn:
                # Those who came in the meantime are heard before the work begins.
                await asyncio.sleep(0)
                begin = self._clock()
                if begin - came > self._longest_s():
                    raise self._overloaded(f"{1e3 * (begin - came):.0f} ms in line")
                try:
                    return work()
                finally:
                    end = self._clock()
                    turn_s = end - max(heard, self._done)
                    self._turns += 1
                    if self._turns > SETTLED:
                        self.slow_s = max(FADES * self.slow_s, turn_s - self.mean_s)
                    self.mean_s += RECENT * (turn_s - self.mean_s)
                    self._done = end
        finally:
            self.waiting -= 1

    def _longest_s(self) -> float:
        """Return how long a request may have waited when its work begins."""
        return self._deadline_s - min(self.slow_s, ROOM * self._deadline_s)

    def _overloaded(self, found: str) -> Refused:
        return Refused(
            503,
            "overloaded",
            f"expected to begin within {1e3 * self._deadline_s:g} ms, received {found}; ask again later, or less often",
            max(1, math.ceil(self.waiting * self.mean_s)),
        )
