"""Nets that are built to be loaded: their first values are replaced at once, so nothing is drawn for them.

JAX would compile the drawing of every shape anew, which takes longer than all the rest of loading a light net.
"""

from typing import Any

import keras
import numpy as np

INITIALIZER = "_initializer"


@keras.saving.register_keras_serializable(package="zoo")
class Blank(keras.initializers.Initializer):
    """Zeros from NumPy, for which no backend compiles anything."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        """Return zeros."""
        return np.zeros(shape, keras.backend.standardize_dtype(dtype))


def without_initializers(config: Any) -> Any:
    """Return a copy of a model's config in which every layer's initializers are `Blank`."""
    if isinstance(config, dict):
        blank = keras.saving.serialize_keras_object(Blank())
        return {
            key: blank if key.endswith(INITIALIZER) and value is not None else without_initializers(value)
            for key, value in config.items()
        }
    return [without_initializers(value) for value in config] if isinstance(config, list | tuple) else config


def restore_initializers(model: keras.Model, config: dict[str, Any]) -> None:
    """Give the layers of a model, and of models in it, the initializers that its config names.

    Args:
        model: Built from `without_initializers(config)`.
        config: What `keras.saving.serialize_keras_object` made of such a model.
    """
    layers = {layer.name: layer for layer in model.layers}
    # A model of a class of its own makes its layers itself.
    for entry in config["config"].get("layers", ()):
        settings = entry["config"]
        layer = layers.get(settings.get("name"))
        if isinstance(layer, keras.Model):
            restore_initializers(layer, entry)
        elif layer is not None:
            for key, value in settings.items():
                if key.endswith(INITIALIZER) and value is not None:
                    setattr(layer, key, keras.initializers.get(value))
