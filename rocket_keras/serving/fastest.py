"""Which of several files of one net answers first, by requests that are taken in turn."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from rocket_keras.extras import require
from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session, single_row_inputs
from rocket_keras.processor import processor
from rocket_keras.serving.ahead import Ahead, one_row_inputs
from rocket_keras.serving.artefact import read_artefact, request_rows, write_artefact
from rocket_keras.serving.quantise import quantise

Choice = bool | Literal["auto"]
LEAST_GAIN = 1.02
"""How many times faster a form of a net must be to be taken."""
SCORED_AT_ONCE = 2048


@dataclasses.dataclass(frozen=True)
class Requests:
    """What the choices of `export_light` are measured with.

    Attributes:
        rows: Rows to make a request of; those of `export_light` otherwise.
        candidates: Rows of a request.
        threads: Threads of ONNX Runtime.
        calibration: Rows of which the ranges of 8-bit integers are taken, such as those of a validation split; `rows`
            otherwise.
        test: Rows that the net is scored on, in float32 and in 8-bit integers.
        score: From their logits `(rows, logits)` in float64 to scores by name; None for no scores.
    """

    rows: Any = None
    candidates: int = 200
    threads: int = 1
    calibration: Any = None
    test: Any = None
    score: Callable[[np.ndarray], Mapping[str, float]] | None = None

    def request(self) -> Any:
        """Return the rows of one request.

        Raises:
            ValueError: There are none, or too few.
        """
        count = 0 if self.rows is None else len(keras.tree.flatten(self.rows)[0])
        if count < self.candidates:
            raise ValueError(
                f"expected rows of a request of {self.candidates} candidates to choose by, received {count} rows; give "
                "`rows` of your data, or Requests(candidates=...) with fewer"
            )
        return keras.tree.map_structure(lambda column: column[: self.candidates], self.rows)


def choose(
    write: Callable[[str, bool], Path], folds: bool, fold: Choice, int8: Choice, requests: Requests, once: Sequence[str]
) -> tuple[Path, dict[str, Any]]:
    """Write a net in the forms that may be chosen, and measure them.

    Args:
        write: From a file's name and whether tables are folded to the path of the ONNX file.
        folds: Whether there is a table to fold.
        fold, int8: As in `export_light`.
        requests: What is measured.
        once: Inputs that a request has once.

    Returns:
        The path of the chosen file, and what was chosen: `fold`, and `int8` where it was asked for; `fold_ms` (looked
        up, folded) and `int8_ms` (float32, int8), medians of a request in milliseconds, with the setting; `int8_scores`
        by form.
    """
    chosen: dict[str, Any] = {}
    measure = lambda files: medians_ms(files, requests.request(), once, requests.threads)  # noqa: E731
    if fold == "auto" and folds:
        looked_up, folded = chosen["fold_ms"] = measure([write("looked_up.onnx", False), write("folded.onnx", True)])
        fold = folded * LEAST_GAIN < looked_up
    chosen["fold"] = fold is True
    file = write("light.onnx", chosen["fold"])
    if int8:
        small = file.with_name("int8.onnx")
        calibration = requests.rows if requests.calibration is None else requests.calibration
        quantise(file, small, calibration, tuple(once))
        chosen["int8_ms"] = measure([file, small])
        if requests.score is not None:
            files = {"float32": file, "int8": small}
            chosen["int8_scores"] = {name: dict(_scores(one, requests)) for name, one in files.items()}
        plain, quantised = chosen["int8_ms"]
        chosen["int8"] = int8 is True or quantised * LEAST_GAIN < plain
        file = small if chosen["int8"] else file
    if "fold_ms" in chosen or "int8_ms" in chosen:
        chosen["measured"] = {
            "percentile": "p50",
            "candidates": requests.candidates,
            "threads": requests.threads,
            "runtime": f"onnxruntime {require('onnxruntime', 'serve').__version__}",
            "device": processor(),
        }
    artefact = read_artefact(onnx_session(file), file, check=False)
    write_artefact(file, dataclasses.replace(artefact, choices=chosen))
    return file, chosen


def _scores(file: Path, requests: Requests) -> Mapping[str, float]:
    """Return the file's scores on the test rows; a graph shaped for requests is asked row by row."""
    assert requests.score is not None
    session = onnx_session(file)
    feed = onnx_feed(session, requests.test)
    step = 1 if single_row_inputs(session) else SCORED_AT_ONCE
    parts = range(0, len(next(iter(feed.values()))), step)
    logits = [onnx_run(session, {name: column[i : i + step] for name, column in feed.items()}) for i in parts]
    return requests.score(np.concatenate(logits).astype("float64"))


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
