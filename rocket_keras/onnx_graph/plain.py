"""Whether a layer computes what its class is known to compute: in float32, with its weights as they are."""

from typing import Any

import keras

from rocket_keras.onnx_graph.graph import Unwritable


def check_plain(layer: Any) -> None:
    """Make sure that a layer is in a state that its writer assumes.

    LoRA is no other state: `kernel` and `embeddings` hold its effect.

    Raises:
        Unwritable: The layer is quantised by Keras, or computes in another float type than float32.
    """
    if getattr(layer, "quantization_mode", None) is not None:
        raise Unwritable(
            f"the layer {layer.name!r} ({type(layer).__name__}), which Keras quantised to {layer.quantization_mode}"
        )
    if other_float(layer):
        raise Unwritable(f"the layer {layer.name!r} ({type(layer).__name__}), which computes in {layer.compute_dtype}")


def other_float(layer: Any) -> bool:
    """Return whether a layer computes in floats, but not in float32."""
    dtype = getattr(layer, "compute_dtype", None) or "float32"
    return dtype != "float32" and keras.backend.is_float_dtype(dtype)
