"""The light net as an artefact that others serve, compared with Keras before it is called done."""

import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras.extras import require
from rocket_keras.graph import inputs_of
from rocket_keras.onnx_graph import Unwritable, write_onnx
from rocket_keras.pair import Pair

TOLERANCE = 1e-5


def export_light(source: Pair | keras.Model, path: str | Path, rows: Any = None) -> Path:
    """Write the light net alone, read it back, and compare its logits with Keras's.

    Args:
        source: A pair, whose light net is written, or any functional model.
        path: The suffix says the format: `.onnx`, `.keras`, `.tflite` (LiteRT), or none for a SavedModel folder. Batch
            is dynamic, inputs keep their names. ONNX is written layer by layer, the same graph on every backend; a net
            with other layers than the zoo's goes through Keras's exporter.
        rows: Inputs to compare on, `(batch, ...)` or a dict of arrays; by default made-up rows (normal floats, ids 0
            and 1).

    Returns:
        The path written. It appears whole or not at all.

    Raises:
        ValueError: Unknown suffix, a format that this backend cannot write, or a net that computes in another dtype
            than float32.
        ImportError: The exporter's package is missing.
        ArithmeticError: What was written differs from Keras by more than 1e-5, relative to logits above 1.
    """
    model = source.light if isinstance(source, Pair) else source
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise ValueError(f"path must end in one of {sorted(filter(None, _FORMATS))}, or be a folder. Received: {path}.")
    write, run = _FORMATS[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = made_up_rows(model, 7) if rows is None else inputs_of(model, rows)
    # Keras exports only a model that was called once: so the reference comes first.
    expected = keras.ops.convert_to_numpy(model(_for_model(rows), training=False))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        with warnings.catch_warnings():
            # The exporters warn of their own deprecations, which nobody who calls this can mend.
            warnings.simplefilter("ignore")
            write(model, draft)
            got = np.asarray(run(draft, rows))
        _compare(path, got, expected)
        if path.is_dir():
            shutil.rmtree(path)
        draft.replace(path)
    return path


def made_up_rows(model: keras.Model, count: int, seed: int = 0) -> Any:
    """Return `count` rows for the model's inputs, in its structure: standard normal floats, ids 0 or 1."""
    rng = np.random.default_rng(seed)

    def column(tensor: keras.KerasTensor) -> np.ndarray:
        if any(size is None for size in tensor.shape[1:]):
            raise ValueError(f"Give rows: the input {tensor.name!r} has an open shape, {tensor.shape}.")
        shape = (count, *tensor.shape[1:])
        is_float = keras.backend.is_float_dtype(tensor.dtype)
        return (
            rng.normal(size=shape).astype(tensor.dtype) if is_float else rng.integers(0, 2, shape).astype(tensor.dtype)
        )

    return keras.tree.map_structure(column, model.input)


def onnx_session(path: str | Path, threads: int = 1) -> Any:
    """Open an ONNX file in ONNX Runtime on the CPU with so many threads."""
    runtime = require("onnxruntime", "serve")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnx_feed(session: Any, rows: Any) -> dict[str, np.ndarray]:
    """Return what the session must be fed with: arrays by input name, in its dtypes.

    Raises:
        ValueError: A field of the net is missing in `rows`.
    """
    inputs = session.get_inputs()
    named: list[Any] = list(rows) if isinstance(rows, list | tuple) else [rows]
    if isinstance(rows, dict):
        missing = sorted({i.name for i in inputs} - set(rows))
        if missing:
            raise ValueError(f"rows must have the net's inputs {sorted(i.name for i in inputs)}. Missing: {missing}.")
        named = [rows[i.name] for i in inputs]
    return {
        i.name: np.asarray(value).astype(_NUMPY[i.type], copy=False) for i, value in zip(inputs, named, strict=True)
    }


_NUMPY = {
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8,
}


def _write_onnx(model: keras.Model, draft: Path) -> None:
    if model.compute_dtype != "float32":
        raise ValueError(f"ONNX export needs a float32 net. Received: compute dtype {model.compute_dtype}.")
    try:
        write_onnx(model, draft)
    except Unwritable:
        # A net with other layers than the zoo's: Keras's own exporter traces it through the backend.
        exporter = {"jax": "jax2onnx", "tensorflow": "tf2onnx", "torch": "onnx"}[keras.backend.backend()]
        require(exporter, keras.backend.backend())
        model.export(str(draft), format="onnx", verbose=False)


def _run_onnx(draft: Path, rows: Any) -> Any:
    session = onnx_session(draft)
    return session.run(None, onnx_feed(session, rows))[0]


def _write_keras(model: keras.Model, draft: Path) -> None:
    model.save(draft)


def _run_keras(draft: Path, rows: Any) -> Any:
    return keras.ops.convert_to_numpy(keras.models.load_model(draft, compile=False)(_for_model(rows), training=False))


def _write_saved_model(model: keras.Model, draft: Path) -> None:
    _needs_tensorflow("A SavedModel")
    model.export(str(draft), format="tf_saved_model", verbose=False)


def _run_saved_model(draft: Path, rows: Any) -> Any:
    layer = keras.layers.TFSMLayer(str(draft), call_endpoint="serve")
    return keras.ops.convert_to_numpy(layer(_for_model(rows)))


def _write_litert(model: keras.Model, draft: Path) -> None:
    _needs_tensorflow("A .tflite file")
    model.export(str(draft), format="litert", verbose=False)


def _run_litert(draft: Path, rows: Any) -> Any:
    interpreter = require("tensorflow", "tensorflow").lite.Interpreter(str(draft))
    details = interpreter.get_input_details()
    flat = [np.asarray(leaf) for leaf in keras.tree.flatten(rows)]
    for detail, value in zip(details, flat, strict=True):
        interpreter.resize_tensor_input(detail["index"], value.shape)
    interpreter.allocate_tensors()
    for detail, value in zip(details, flat, strict=True):
        interpreter.set_tensor(detail["index"], value.astype(detail["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


_FORMATS: dict[str, tuple[Callable[[keras.Model, Path], None], Callable[[Path, Any], Any]]] = {
    ".onnx": (_write_onnx, _run_onnx),
    ".keras": (_write_keras, _run_keras),
    ".tflite": (_write_litert, _run_litert),
    "": (_write_saved_model, _run_saved_model),
}


def _needs_tensorflow(what: str) -> None:
    if keras.backend.backend() != "tensorflow" or importlib.util.find_spec("tensorflow") is None:
        raise ValueError(
            f"{what} is written under the TensorFlow backend alone. Received: backend {keras.backend.backend()!r}. "
            "Export .onnx here, or load the .keras file under KERAS_BACKEND=tensorflow and export it there."
        )


def _for_model(rows: Any) -> Any:
    return keras.tree.map_structure(keras.ops.convert_to_tensor, rows)


def _compare(path: Path, got: np.ndarray, expected: np.ndarray) -> None:
    if got.shape != expected.shape:
        raise ArithmeticError(
            f"{path} gives logits {got.shape} where Keras gives {expected.shape}. Nothing was written."
        )
    off = float(np.max(np.abs(got - expected) / np.maximum(np.abs(expected), 1.0)))
    if not off <= TOLERANCE:
        raise ArithmeticError(f"{path} differs from Keras by {off:.1e}, more than {TOLERANCE}. Nothing was written.")
