"""A light net in 8-bit integers, by ONNX Runtime's own quantiser."""

import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.extras import require
from rocket_keras.onnx_runtime import onnx_feed, onnx_session
from rocket_keras.serving.artefact import checked_logits, read_artefact, request_rows, write_artefact

CALIBRATION_BATCH = 200
CALIBRATION_REQUESTS = 2000
"""Made of the rows, at most, where a request has some inputs once: so many users have a say in the ranges."""
QUANTISED = ["Conv", "Gemm", "MatMul"]
TOLERANCE = 0.05
"""Of the logits on another processor, which may round sums of 8-bit products otherwise."""


def quantise(source: Path, path: Path, rows: Mapping[str, Any] | Any, once: tuple[str, ...] = ()) -> None:
    """Write the net with 8-bit weights and activations, whose ranges are those of the rows (static quantisation).

    Embedding tables stay as they are: a look-up computes nothing.

    Args:
        source: ONNX file of the net in float32.
        path: ONNX file to write; what travels in the first one travels in it, too.
        rows: Rows of the validation split.
        once: Inputs that a request has once.

    Raises:
        ImportError: onnx or ONNX Runtime is missing.
    """
    quantization = require("onnxruntime.quantization", "serve")
    reader = _Rows(source, rows, once)
    # The quantiser advises a preparation of which our graphs have no need: constants are folded already. The bias that
    # is not constant is the user's part of a request.
    logging.getLogger().addFilter(_without_advice)
    try:
        quantization.quantize_static(
            str(source),
            str(path),
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=QUANTISED,
        )
    finally:
        logging.getLogger().removeFilter(_without_advice)
    artefact = read_artefact(onnx_session(source), source, check=False)
    if artefact.rows:
        logits = checked_logits(onnx_session(path), artefact)
        artefact = dataclasses.replace(artefact, logits=logits, tolerance=TOLERANCE)
    write_artefact(path, artefact)


def _without_advice(record: logging.LogRecord) -> bool:
    return not any(advice in record.getMessage() for advice in ("pre-processing", "is not constant"))


class _Rows:
    """Batches of rows, as the quantiser asks for them."""

    def __init__(self, source: Path, rows: Any, once: tuple[str, ...]) -> None:
        feed = onnx_feed(onnx_session(source), rows)
        count = len(next(iter(feed.values())))
        size = math.ceil(count / CALIBRATION_REQUESTS) if once else CALIBRATION_BATCH
        self._batches: Iterator[dict[str, np.ndarray]] = iter(
            request_rows({name: column[start : start + size] for name, column in feed.items()}, once)
            for start in range(0, count, size)
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next batch; None after the last one."""
        return next(self._batches, None)
