"""Whether the gradients of replicas, each of its own rows, add up to those of the whole batch."""

from typing import Any

import keras


def check_summable(model: Any) -> None:
    """Raise ValueError for a loss or hint that is no mean over the rows of a batch, and for float16 with large tables.

    Args:
        model: A Rocket, Fleet or SparseNet, compiled.
    """
    if model.row_layers and isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        raise ValueError(
            "Rows of a SparseEmbedding cannot skip a batch together on several devices, as a scaled loss needs it. "
            "Use the dtype policy mixed_bfloat16 or float32."
        )
    losses = getattr(model, "head_losses", None) or {"the net": model.loss}
    for head, loss in losses.items():
        if getattr(loss, "reduction", "mean") not in ("sum_over_batch_size", "mean"):
            raise ValueError(
                "With more than one replica a label loss must have the reduction 'sum_over_batch_size'. Received: "
                f"{loss.reduction!r} for {head!r}."
            )
    hints = getattr(model, "hints", [])
    for hint in keras.tree.flatten(hints):
        losses = keras.tree.flatten(getattr(hint, "loss", None))
        if any(isinstance(loss, keras.losses.Loss) for loss in losses):
            raise ValueError(
                "With more than one replica a hint of keras.distillation must name its loss, as in loss='mse'. "
                f"Received: {type(hint).__name__} with a loss object, which Keras divides by the replicas."
            )
