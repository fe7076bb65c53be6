"""What every hint of ours can do: the loss of each example, taps, labels, a look at the shapes before training."""

from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


class Hint(keras.distillation.DistillationLoss):
    """Base class of hints that know the loss of each example, so that `sample_weight` can reach it.

    Subclasses write `per_example`; `compute_loss` is its mean.

    Attributes:
        teacher_layer_name: Tap of the booster that the hint reads, None for its logits. In Keras's Distiller it is the
            name of a layer, hence the name.
        student_layer_name: The same for the light net.
        needs_labels: Whether `per_example` takes the labels as a third argument.
    """

    teacher_layer_name: str | None = None
    student_layer_name: str | None = None
    needs_labels = False

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return the loss of each example.

        Args:
            booster_outputs: Booster logits, `(batch, classes)`; `(batch, 1)` for a click. With taps, its features.
            light_outputs: The same of the light net.

        A hint with `needs_labels` takes integer labels `(batch,)` or `(batch, 1)` as a third argument.

        Returns:
            Tensor `(batch,)`.
        """
        raise TypeError(f"{type(self).__name__} must define per_example(booster_outputs, light_outputs).")

    def connect(self, booster_shape: Shape, light_shape: Shape) -> None:
        """Look at the shapes before training; hints with weights make them here.

        Args:
            booster_shape: Shape of the booster's tensor that `per_example` will get, `(None, ...)`.
            light_shape: The same of the light net.

        Raises:
            ValueError: The hint cannot compare the two.
        """

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, labels: Any = None, **kwargs: Any) -> Any:
        """Return the mean of `per_example` over the batch; Keras's Distiller calls this, without labels.

        Raises:
            ValueError: The hint needs labels and there are none.
        """
        compared: tuple[Any, ...] = (teacher_outputs, student_outputs)
        if self.needs_labels:
            require_labels(self, labels)
            compared += (labels,)
        return ops.mean(self.per_example(*compared))

    def validate_model_compatibility(self, teacher: keras.Model, student: keras.Model) -> None:
        """Connect the hint to the layers that its names name; Keras's Distiller calls this when it is made."""
        booster, light = _shape(teacher, self.teacher_layer_name), _shape(student, self.student_layer_name)
        if booster is not None and light is not None:
            self.connect(booster, light)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Hint":
        """Rebuild the hint from `get_config`."""
        return cls(**config)


def require_labels(hint: Hint, labels: Any) -> None:
    """Raise ValueError if the hint got no labels."""
    if labels is None:
        raise ValueError(
            f"{type(hint).__name__} expected integer labels, received None: train it in Rocket, "
            "or call compute_loss(booster, light, labels=labels); keras.distillation.Distiller passes no labels."
        )


def _shape(model: keras.Model, layer_name: str | None) -> Shape | None:
    """Return the shape that a hint will see, None where a model of one's own does not know it before its first call."""
    outputs = getattr(model, "outputs", None)
    if layer_name is None:
        return tuple(outputs[0].shape) if outputs and len(outputs) == 1 else None
    if outputs is None:
        raise ValueError(
            f"expected a functional or Sequential model for the layer {layer_name!r}, received {type(model).__name__} "
            "without symbolic outputs: build it with keras.Model(inputs, outputs), or give it an input shape."
        )
    return tuple(model.get_layer(layer_name).output.shape)
