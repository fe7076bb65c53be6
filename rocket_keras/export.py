"""The light net as an artefact that others serve, compared with Keras before it is called done."""

import importlib.util
import tempfile
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras.columns_by_name import listed
from rocket_keras.encoding import Encoder
from rocket_keras.extras import require
from rocket_keras.graph import input_structure, inputs_of
from rocket_keras.loadable import check_loadable
from rocket_keras.onnx_graph import has_tables
from rocket_keras.onnx_graph.general import write_any
from rocket_keras.onnx_runtime import onnx_feed, onnx_run, onnx_session
from rocket_keras.pair import Pair
from rocket_keras.ranks import of_rank
from rocket_keras.serving.ahead import one_row_inputs
from rocket_keras.serving.artefact import CHECKED_ROWS, Artefact, request_rows, write_artefact
from rocket_keras.serving.fastest import Choice, Requests, choose
from rocket_keras.serving.request import USER, raw_columns

TOLERANCE = 1e-5


def export_light(
    source: Pair | keras.Model,
    path: str | Path,
    rows: Any = None,
    encoder: Any = None,
    once: Collection[str] = (),
    fold: Choice = False,
    batch_norm: bool = True,
    name: str | None = None,
    int8: Choice = False,
    requests: Requests | None = None,
) -> Path:
    """Write the light net alone, read it back, and compare its logits with Keras's.

    Args:
        source: A pair, whose light net is written, or any functional model.
        path: The suffix says the format: `.onnx`, `.keras`, `.tflite` (LiteRT), or none for a SavedModel folder. Batch
            is dynamic, inputs keep their names. A dict of inputs is a list in a `.keras` file, because of such a net
            Keras itself takes the columns of a dict by name, whatever further ones there are. ONNX is written layer by
            layer, the same graph on every backend; a net with other layers than those that are written here, quantised
            ones of Keras among them, goes through Keras's exporter. LoRA is merged into the weights.
        rows: Inputs to compare on, `(batch, ...)` or a dict of arrays; by default made-up rows (normal floats, ids 0
            and 1).
        encoder: What turns raw values into the net's inputs, as its JSON text or an object with `to_json()`; it goes
            into the ONNX file, where `Scorer` finds it, into the folder of a SavedModel, or beside the file. The ONNX
            graph of all but small nets takes the user's inputs, as the encoder names them, as one row or as many as the
            others.
        once: Names of the inputs that a request has once for all its candidates (the user's): ONNX then takes one row
            of them, and computes what follows from them alone once, their part of the first dense layer included.
        fold: Multiply the embedding tables of small vocabularies with their part of the first dense layer ahead of
            time; `"auto"` where that is faster here, by requests that are measured. ONNX only.
        batch_norm: Fold each BatchNorm into the dense layer or convolution beside it. ONNX only.
        name: What an ONNX file calls the net; the model's name otherwise.
        int8: Write 8-bit weights and activations, whose logits are others; `"auto"` where that is faster here. ONNX
            only; the file's choices, with what was measured, stand in its metadata (`serving.read_artefact`).
        requests: What `"auto"` measures with, and what `int8` is calibrated and scored with; by default requests of 200
            of the `rows`.

    Returns:
        The path written. It appears whole or not at all. Of folders it replaces an empty one or a SavedModel, no other.

    Raises:
        ValueError: Unknown suffix, a folder that must not be replaced, a format that this backend cannot write, a net
            that computes in another dtype than float32 or that no exporter can write, an unknown name in `once`, a
            rewrite of a net or format that has none, too few rows to choose by, or `.keras` of a net with functions or
            classes that are not registered. One line.
        ImportError: The exporter's package is missing.
        ArithmeticError: What was written differs from Keras by more than 1e-5, relative to logits above 1.
    """
    model = source.light if isinstance(source, Pair) else source
    path = Path(path)
    if path.suffix not in _FORMATS:
        raise ValueError(f"path must end in one of {sorted(filter(None, _FORMATS))}, or be a folder. Received: {path}.")
    check_place(path)
    if fold == "auto" or int8:
        options = {"encoder": encoder, "once": once, "batch_norm": batch_norm, "name": name}
        return _export_chosen(model, path, rows, fold, int8, requests or Requests(), options)
    write, run = _FORMATS[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = made_up_rows(model, 7) if rows is None else of_ranks(model, inputs_of(model, rows))
    if path.suffix == ".onnx" and isinstance(input_structure(model), list | tuple) and not isinstance(rows, dict):
        named = zip(model.inputs, keras.tree.flatten(rows), strict=True)
        rows = {tensor.name: column for tensor, column in named}
    text = encoder if encoder is None or isinstance(encoder, str) else encoder.to_json()
    either = _user_inputs(model, text) if path.suffix == ".onnx" and not once else frozenset()
    rewrites = Rewrites(frozenset(once), bool(fold), batch_norm, either)
    rows = _as_one_request(model, path, rows, rewrites)
    # Keras exports only a model that was called once: so the reference comes first.
    expected = keras.ops.convert_to_numpy(model(_for_model(rows), training=False))
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        with warnings.catch_warnings():
            # The exporters warn of their own deprecations, which nobody who calls this can mend.
            warnings.simplefilter("ignore")
            write(model, draft, rewrites)
            got = np.asarray(run(draft, request_rows(rows, once) if once else rows))
        _compare(path, got, expected)
        if users := one_row_inputs(onnx_session(draft)) if either else ():
            one = _one_user(rows, users)
            wanted = keras.ops.convert_to_numpy(model(_for_model(one), training=False))
            _compare(path, np.asarray(run(draft, request_rows(one, users))), wanted)
        _add_encoder(name or model.name, draft, path, text, rows, expected, tuple(once))
        _put(draft, path, Path(folder) / "earlier")
    return path


def _export_chosen(
    model: keras.Model, path: Path, rows: Any, fold: Choice, int8: Choice, requests: Requests, options: dict[str, Any]
) -> Path:
    """Export the forms that may be chosen, and put the chosen one in its place."""
    _check_onnx(path)
    rows = rows if rows is None else of_ranks(model, inputs_of(model, rows))
    parts = {part: getattr(requests, part) for part in ("rows", "calibration", "test")}
    own = {part: x if x is None else of_ranks(model, inputs_of(model, x)) for part, x in parts.items()}
    requests = replace(requests, **{**own, "rows": rows if own["rows"] is None else own["rows"]})
    requests.request()  # before anything is written
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:

        def write(file: str, folded: bool) -> Path:
            return export_light(model, Path(folder) / file, rows, fold=folded, **options)

        chosen, _ = choose(write, has_tables(model), fold, int8, requests, tuple(options["once"]))
        chosen.replace(path)
    return path


def check_place(path: Path) -> None:
    """Make sure that nothing but an earlier export lies where one is to be written.

    Raises:
        ValueError: A folder where a file goes, a file where a folder goes, or a folder with something else than a
            SavedModel in it. One line.
    """
    if path.suffix:
        if path.is_dir():
            raise ValueError(f"expected a file at {path}, received a folder; name a file in it")
        return
    if path.exists() and not path.is_dir():
        raise ValueError(f"expected a folder at {path}, received a file; name another folder")
    found = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if others := sorted(found - _SAVED_MODEL):
        raise ValueError(
            f"expected an empty folder or a SavedModel at {path}, received one that holds {others[0]!r}; name a new "
            "folder, in it or elsewhere"
        )
    if found and "saved_model.pb" not in found:
        raise ValueError(
            f"expected an empty folder or a SavedModel at {path}, received one without saved_model.pb; name a new one"
        )


_SAVED_MODEL = {"assets", "assets.extra", "fingerprint.pb", "saved_model.pb", "variables"}


def _put(draft: Path, path: Path, aside: Path) -> None:
    """Move what was written into its place, and what is there aside."""
    if not path.is_dir():
        draft.replace(path)
        return
    path.replace(aside)
    try:
        draft.replace(path)
    except OSError:
        aside.replace(path)
        raise


@dataclass(frozen=True)
class Rewrites:
    """How an ONNX graph is made faster, each exact up to rounding; see `export_light`."""

    once: frozenset[str] = frozenset()
    fold: bool = False
    batch_norm: bool = True
    either: frozenset[str] = frozenset()


def _user_inputs(model: keras.Model, encoder: str | None) -> frozenset[str]:
    """Return the inputs that raw columns of the user alone become; none where all inputs are such."""
    try:
        fields = Encoder.from_json(encoder).fields if encoder else ()
    except ValueError:  # another's encoder
        return frozenset()
    names = {tensor.name for tensor in getattr(model, "inputs", None) or ()}
    columns = raw_columns(fields, frozenset()).values()
    mine = {field.name for column in columns if column.place == USER for field in column.fields if field.side == USER}
    return frozenset(mine & names if names - mine else ())


def _as_one_request(model: keras.Model, path: Path, rows: Any, rewrites: Rewrites) -> Any:
    """Give all rows the first one's values in the columns that a request has once."""
    if rewrites.once or rewrites.fold:
        _check_onnx(path)
    if not rewrites.once:
        return rows
    if not isinstance(rows, dict) or rewrites.once - set(rows):
        names = sorted(rows) if isinstance(rows, dict) else "one input without a name"
        raise ValueError(f"`once` must name inputs of the net: {names}. Received: {sorted(rewrites.once)}.")
    if rewrites.once == {tensor.name for tensor in model.inputs}:
        raise ValueError(
            "expected `once` to leave an input to the candidates, received all inputs; leave it out: each row of such "
            "a net is a request's"
        )
    return _one_user(rows, rewrites.once)


def _check_onnx(path: Path) -> None:
    if path.suffix != ".onnx":
        raise ValueError(f"`once`, `fold` and `int8` are rewrites of ONNX graphs. Received: {path}. Export .onnx.")


def _one_user(rows: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the rows with the first one's values in these columns."""
    return {
        name: np.repeat(column[:1], len(column), axis=0) if name in names else column for name, column in rows.items()
    }


def _add_encoder(
    name: str, draft: Path, path: Path, encoder: str | None, rows: Any, expected: np.ndarray, once: tuple
) -> None:
    """Let the preprocessing travel with what was written."""
    if path.suffix == ".onnx":
        few = {k: v[:CHECKED_ROWS] for k, v in rows.items()} if isinstance(rows, dict) else {}
        write_artefact(draft, Artefact(name, encoder, once, few, expected[:CHECKED_ROWS] if few else ()))
    elif encoder is not None:
        folder = draft / "assets.extra" if draft.is_dir() else path.parent
        folder.mkdir(exist_ok=True)
        file = "encoder.json" if draft.is_dir() else f"{path.stem}.encoder.json"
        (folder / file).write_text(encoder + "\n", encoding="utf-8")


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

    return keras.tree.map_structure(column, input_structure(model))


def of_ranks(model: keras.Model, rows: Any) -> Any:
    """Return rows as NumPy arrays with the ranks of the model's inputs."""
    if isinstance(rows, dict):
        shapes = {tensor.name: tensor.shape for tensor in model.inputs}
        return {k: of_rank(np.asarray(v), shapes[k]) if k in shapes else v for k, v in rows.items()}
    arrays = [np.asarray(leaf) for leaf in keras.tree.flatten(rows)]
    ranked = [of_rank(array, tensor.shape) for array, tensor in zip(arrays, model.inputs, strict=True)]
    return keras.tree.pack_sequence_as(rows, ranked)


def _write_onnx(model: keras.Model, draft: Path, rewrites: Rewrites) -> None:
    write_any(model, draft, rewrites.once, rewrites.fold, rewrites.batch_norm, rewrites.either)


def _run_onnx(draft: Path, rows: Any) -> Any:
    session = onnx_session(draft)
    return onnx_run(session, onnx_feed(session, rows))


def _write_keras(model: keras.Model, draft: Path, _: Rewrites) -> None:
    check_loadable(model)
    listed(model).save(draft)


def _run_keras(draft: Path, rows: Any) -> Any:
    return keras.ops.convert_to_numpy(keras.models.load_model(draft, compile=False)(_for_model(rows), training=False))


def _write_saved_model(model: keras.Model, draft: Path, _: Rewrites) -> None:
    _needs_tensorflow("A SavedModel")
    model.export(str(draft), format="tf_saved_model", verbose=False)


def _run_saved_model(draft: Path, rows: Any) -> Any:
    layer = keras.layers.TFSMLayer(str(draft), call_endpoint="serve")
    return keras.ops.convert_to_numpy(layer(_for_model(rows)))


def _write_litert(model: keras.Model, draft: Path, _: Rewrites) -> None:
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


_FORMATS: dict[str, tuple[Callable[[keras.Model, Path, Rewrites], None], Callable[[Path, Any], Any]]] = {
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
