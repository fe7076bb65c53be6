"""Which of several files of one net answers first, by requests that are taken in turn."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session
from rocket_keras.serving.artefact import request_rows


def medians_ms(
    files: Sequence[Path], rows: Mapping[str, Any] | Any, once: Sequence[str] = (), threads: int = 1, rounds: int = 300
) -> list[float]:
    """Return the median milliseconds of a request, a file each.

    Whatever else the machine does meanwhile slows all of them: in each round each file answers once.

    Args:
        files: ONNX files with the same inputs.
        rows: The rows of one request.
        once: Inputs that a request has once.
        threads: Threads of ONNX Runtime.
        rounds: Requests a file, after a tenth as many that do not count.
    """
    sessions = [onnx_session(file, threads) for file in files]
    feeds = [onnx_feed(session, request_rows(rows, once) if once else rows) for session in sessions]
    times = np.empty((rounds + rounds // 10, len(files)))
    for row in times:
        for place, (session, feed) in enumerate(zip(sessions, feeds, strict=True)):
            begin = time.perf_counter()
            onnx_run(session, feed)
            row[place] = 1e3 * (time.perf_counter() - begin)
    return [float(value) for value in np.median(times[rounds // 10 :], axis=0)]
