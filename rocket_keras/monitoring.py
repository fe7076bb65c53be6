"""The direction in which each logged value improves, for callbacks that monitor it."""

from collections.abc import Iterable, Mapping
from typing import Any

MODES = {"up": "max", "down": "min"}


def directions_of(losses: Iterable[str], metrics: Mapping[str, Iterable[Any]]) -> dict[str, str]:
    """Return `"min"` or `"max"` by logged name.

    Args:
        losses: Logged names of loss terms.
        metrics: For each head the metrics that are logged for it. Those that do not say where they go are left out.
    """
    modes = {"loss": "min", **dict.fromkeys(losses, "min")}
    for head, of_head in metrics.items():
        for metric in of_head:
            name, mode = getattr(metric, "name", metric), MODES.get(getattr(metric, "_direction", ""))
            if isinstance(metric, str):  # an accuracy, which Keras chooses by the labels' shape
                mode = "max"
            if mode:
                modes[f"{head}_{name}"] = mode
    return modes


def set_modes(callbacks: Any, modes: Mapping[str, str]) -> None:
    """Set the mode of callbacks in auto mode that watch one of these: EarlyStopping, ModelCheckpoint and the like.

    Keras looks for the name among the model's compiled metrics, which do not have the heads in their names, and raises
    after the first epoch.

    Args:
        callbacks: A list of callbacks, or a `keras.callbacks.CallbackList`.
        modes: `"min"` or `"max"` by logged name, without `val_`.
    """
    for callback in getattr(callbacks, "callbacks", callbacks):
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and getattr(callback, "mode", None) == "auto":
            name = monitor.removeprefix("val_")
            callback.mode = modes.get(name, "max" if name.endswith("_gauc") else "auto")
