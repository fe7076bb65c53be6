"""ONNX files in ONNX Runtime, on the CPU; its many exceptions as one."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rocket_keras.encoding.raw_values import check_int32
from rocket_keras.extras import require
from rocket_keras.ranks import of_rank


def onnx_session(path: str | Path, threads: int = 1, shared: Mapping[str, Any] | None = None) -> Any:
    """Open an ONNX file in ONNX Runtime on the CPU with so many threads.

    Args:
        path: The file.
        threads: How many.
        shared: Weights of the file, `OrtValue` by name, that the session shall use instead of a copy of its own. They
            must live as long as the session.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is cut, or no ONNX file that the runtime can run. One line.
        ImportError: ONNX Runtime is missing.
    """
    runtime = require("onnxruntime", "serve")
    if not Path(path).is_file():
        raise FileNotFoundError(f"expected an ONNX file at {path}, received no such file; write it with export_light")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for name, value in (shared or {}).items():
        options.add_initializer(name, value)
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _runtime_errors() as error:
        raise ValueError(
            f"expected an ONNX file that ONNX Runtime can run, received {path} ({' '.join(str(error).split())[:200]}); "
            "the file is cut or another one, so export it again"
        ) from error


def onnx_run(session: Any, feed: dict[str, np.ndarray]) -> np.ndarray:
    """Return the net's first output.

    Raises:
        ValueError: The runtime refuses the inputs. One line.
    """
    return onnx_run_all(session, feed)[0]


def onnx_run_all(session: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the net's outputs.

    Raises:
        ValueError: As `onnx_run`.
    """
    try:
        return session.run(None, feed)
    except _runtime_errors() as error:
        raise ValueError(f"ONNX Runtime refuses the inputs: {' '.join(str(error).split())[:200]}") from error


@lru_cache
def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return ONNX Runtime's own exceptions, which have no base class of theirs."""
    state = require("onnxruntime.capi.onnxruntime_pybind11_state", "serve")
    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError)


def onnx_feed(session: Any, rows: Any) -> dict[str, np.ndarray]:
    """Return what the session must be fed with: arrays by input name, in its dtypes and ranks.

    Raises:
        ValueError: A field of the net is missing in `rows`, or has whole numbers beyond those of the input's type.
    """
    inputs = session.get_inputs()
    named: list[Any] = list(rows) if isinstance(rows, list | tuple) else [rows]
    if isinstance(rows, dict):
        missing = sorted({i.name for i in inputs} - set(rows))
        if missing:
            raise ValueError(f"rows must have the net's inputs {sorted(i.name for i in inputs)}. Missing: {missing}.")
        named = [rows[i.name] for i in inputs]
    arrays = {i.name: of_rank(np.asarray(value), i.shape) for i, value in zip(inputs, named, strict=True)}
    for value in inputs:
        if numpy_type(value) is np.int32:
            check_int32(value.name, arrays[value.name])
    return {i.name: arrays[i.name].astype(numpy_type(i), copy=False) for i in inputs}


def single_row_inputs(session: Any) -> set[str]:
    """Return the inputs that have one row, whatever the others have; none where all have."""
    inputs = session.get_inputs()
    names = {value.name for value in inputs if value.shape[:1] == [1]}
    return names if len(names) < len(inputs) else set()


def numpy_type(value: Any) -> Any:
    """Return the NumPy type of a session's input or output."""
    return _NUMPY[value.type]


_NUMPY = {
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8,
}
