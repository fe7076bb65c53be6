"""Work done ahead in a background thread."""

import queue
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")
WAIT = 0.1
"""Seconds between two looks at whether anyone still waits for the work."""


class Prefetch(Generic[T]):
    """An iterator whose next items are made while the last one is used.

    An error of the work is raised where the item would have come. The thread ends with `close`, when nobody holds the
    iterator any more, and with the program.

    Args:
        items: The work; used in the background thread alone.
        ahead: Items that are made ahead.
    """

    def __init__(self, items: Iterator[T], ahead: int):
        self._queue: queue.Queue[tuple[str, Any]] = queue.Queue(ahead)
        self._stop = threading.Event()
        self._over: BaseException | None = None
        # The thread holds queue and event, never this object: it could not be collected.
        self._thread = threading.Thread(
            target=_work, args=(items, self._queue, self._stop), name="rocket_keras streaming", daemon=True
        )
        self._end = weakref.finalize(self, _end, self._stop, self._thread)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._over is not None:
            raise self._over
        while True:
            try:
                kind, item = self._queue.get(timeout=WAIT)
            except queue.Empty:
                if self._stop.is_set():
                    raise StopIteration from None
                continue
            if kind == "item":
                return item
            self._over = item
            raise item

    def close(self) -> None:
        """End the work, and wait until it has ended."""
        self._end()


def _end(stop: threading.Event, thread: threading.Thread) -> None:
    stop.set()
    if thread is not threading.current_thread():
        thread.join(timeout=30)


def _work(items: Iterator[Any], results: queue.Queue, stop: threading.Event) -> None:
    def put(kind: str, item: Any) -> None:
        while not stop.is_set():
            try:
                return results.put((kind, item), timeout=WAIT)
            except queue.Full:
                continue

    try:
        for item in items:
            put("item", item)
            if stop.is_set():
                return
        put("end", StopIteration())
    except BaseException as error:  # noqa: BLE001  # it is raised again where the items are taken
        put("end", error)
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
