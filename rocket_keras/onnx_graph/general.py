"""ONNX files of any net: written here where every layer has its lines, else by Keras's own exporter."""

import contextlib
import io
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rocket_keras.extras import require
from rocket_keras.onnx_graph import Unwritable, other_float, write_onnx
from rocket_keras.onnx_runtime import onnx_session


def write_any(
    model: keras.Model,
    path: Path,
    once: Collection[str] = (),
    fold: bool = False,
    batch_norm: bool = True,
    either: Collection[str] = (),
) -> None:
    """Write a net's ONNX file, which ONNX Runtime opens.

    Args:
        model: The net. It was called once, as Keras's exporter wants it.
        path, once, fold, batch_norm, either: As in `write_onnx`.

    Raises:
        ValueError: The net computes in another float type than float32, neither way can write it, or one of `once` and
            `fold` is asked of a net that has layers without lines here. One line.
        ImportError: The package of Keras's exporter is missing.
    """
    for layer in (model, *keras.tree.flatten(_layers(model))):
        if other_float(layer):
            raise ValueError(
                f"expected a net that computes in float32 for ONNX, received {layer.compute_dtype} in {layer.name!r}; "
                "build it under the dtype policy float32 and load the weights"
            )
    try:
        write_onnx(model, path, once, fold, batch_norm, either)
        with _as_unwritable():
            onnx_session(path)
    except Unwritable as error:
        if once or fold:
            raise ValueError(
                f"expected layers that are written here with `once` or `fold`, received {error}; leave the two out"
            ) from error
        _write_by_keras(model, path, str(error))


@contextlib.contextmanager
def _as_unwritable() -> Iterator[None]:
    """Within it, a graph that the runtime refuses is one that could not be written: integers into a product, say."""
    try:
        yield
    except ValueError as error:
        raise Unwritable(str(error)) from error


def _layers(model: Any) -> list[Any]:
    """Return a model's layers, those of nets inside it as well, nested as they are."""
    return [[layer, *_layers(layer)] for layer in getattr(model, "layers", ())]


def _write_by_keras(model: keras.Model, path: Path, reason: str) -> None:
    """Trace the net through its backend.

    Args:
        model: The net.
        path: The file.
        reason: What has no lines here.
    """
    exporter = {"jax": "jax2onnx", "tensorflow": "tf2onnx", "torch": "onnx"}[keras.backend.backend()]
    require(exporter, keras.backend.backend())
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _merged_lora(model):
        # Exporters warn of their own deprecations, for which a caller can do nothing, and print.
        warnings.simplefilter("ignore")
        try:
            model.export(str(path), format="onnx", verbose=False)
            session = onnx_session(path)
        except ImportError:
            raise
        except Exception as error:  # exporters raise what their libraries raise
            said = " ".join(str(error).split())[:120]
            raise ValueError(_neither(model, reason, f"{type(error).__name__}: {said}")) from error
    names = sorted(value.name for value in session.get_inputs())
    if set(names) - {tensor.name for tensor in model.inputs}:  # a constant of the graph that it left open
        raise ValueError(_neither(model, reason, f"the inputs of its graph are {names}"))


@contextlib.contextmanager
def _merged_lora(model: keras.Model) -> Iterator[None]:
    """Within it, layers with LoRA hold its effect in their weights: PyTorch's exporter cannot trace the sum."""
    merged = list[tuple[Any, Any, Any]]()
    try:
        for layer in keras.tree.flatten(_layers(model)):
            if getattr(layer, "lora_enabled", False) and layer.quantization_mode is None:
                name = "embeddings" if isinstance(layer, keras.layers.Embedding) else "kernel"
                variable = getattr(layer, f"_{name}")  # the weight itself, of which the property adds LoRA
                # Copies: arrays of PyTorch share their memory with the weights.
                whole, own = (np.array(keras.ops.convert_to_numpy(v)) for v in (getattr(layer, name), variable))
                merged.append((layer, variable, own))
                variable.assign(whole)
                layer.lora_enabled = False
        yield
    finally:
        for layer, variable, before in merged:
            variable.assign(before)
            layer.lora_enabled = True


def _neither(model: keras.Model, reason: str, said: str) -> str:
    return (
        f"expected a net that can be written as ONNX, received {model.name!r} with {reason}, which Keras's exporter "
        f"cannot write either on the {keras.backend.backend()} backend ({said}); export .keras, or replace that layer"
    )
