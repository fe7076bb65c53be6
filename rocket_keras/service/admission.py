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
"""Weight of the latest request in the mean time of one."""


class Line:
    """The requests that wait for their turn, first come, first served.

    Args:
        limits: `deadline_ms` and `max_waiting` are kept here.
        clock: Seconds, as `time.perf_counter`.

    Attributes:
        waiting: Requests in line, the one at work included.
        mean_s: Mean seconds of the latest requests' work.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.perf_counter) -> None:
        self._deadline_s, self._most, self._clock = limits.deadline_ms / 1e3, limits.max_waiting, clock
        self._turn = asyncio.Lock()
        self.waiting, self.mean_s = 0, 0.0

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Do the work when its turn has come.

        Raises:
            Refused: 503: the line is so long that the deadline would pass, or it has passed in the line. The work was
                not begun.
        """
        came = self._clock()
        expected_s = self.waiting * self.mean_s
        if self.waiting >= self._most or expected_s > self._deadline_s:
            raise self._overloaded(f"{self.waiting} requests in line, {1e3 * expected_s:.0f} ms of work")
        self.waiting += 1
        try:
            async with self._turn:
                # Those who came in the meantime are heard before the work begins.
                await asyncio.sleep(0)
                begin = self._clock()
                if begin - came > self._deadline_s:
                    raise self._overloaded(f"{1e3 * (begin - came):.0f} ms in line")
                try:
                    return work()
                finally:
                    self.mean_s += RECENT * (self._clock() - begin - self.mean_s)
        finally:
            self.waiting -= 1

    def _overloaded(self, found: str) -> Refused:
        return Refused(
            503,
            "overloaded",
            f"expected to begin within {1e3 * self._deadline_s:g} ms, received {found}; ask again later, or less often",
            max(1, math.ceil(self.waiting * self.mean_s)),
        )
