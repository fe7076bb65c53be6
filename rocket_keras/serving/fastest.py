"""Which of several files of one net answers first, by requests that are taken in turn."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.extras import require
from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session
from rocket_keras.serving.ahead import Ahead, one_row_inputs
from rocket_keras.serving.artefact import request_rows


def medians_ms(
    files: Sequence[Path], rows: Mapping[str, Any] | Any, once: Sequence[str] = (), threads: int = 1, rounds: int = 300
) -> list[float]:
    """Return the median milliseconds of a request, a file each: as a `Scorer` runs it that has met the candidates.

    Whatever else the machine does meanwhile slows all of them: in each round each file answers once.

    Args:
        files: ONNX files with the same inputs.
        rows: The rows of one request.
        once: Inputs that a request has once.
        threads: Threads of ONNX Runtime.
        rounds: Requests a file, after a tenth as many that do not count.
    """
    takes = [_take(file, rows, once, threads) for file in files]
    times = np.empty((rounds + rounds // 10, len(files)))
    for row in times:
        for place, take in enumerate(takes):
            begin = time.perf_counter()
            take()
            row[place] = 1e3 * (time.perf_counter() - begin)
    return [float(value) for value in np.median(times[rounds // 10 :], axis=0)]


def _take(file: Path, rows: Mapping[str, Any] | Any, once: Sequence[str], threads: int) -> Callable[[], Any]:
    """Return what answers a request."""
    session = onnx_session(file, threads)
    feed = onnx_feed(session, request_rows(rows, once) if once else rows)
    user = one_row_inputs(session)
    ahead = Ahead.of(require("onnx", "serve").load(str(file)), feed.keys() - user, threads) if user else None
    if ahead is None:
        return lambda: onnx_run(session, feed)
    made = ahead.candidates({name: feed[name] for name in feed.keys() - user})
    places, mine = np.arange(len(next(iter(made.values())))), {name: feed[name][:1] for name in user}
    return lambda: ahead.logits({name: known[places] for name, known in made.items()}, mine)
