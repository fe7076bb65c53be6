"""The hint of two peers, which both learn from it."""

from typing import Any

import keras
from keras import ops

from rocket_keras.hints.base import Hint, Shape
from rocket_keras.hints.features import FeatureHint


@keras.saving.register_keras_serializable(package="rocket_keras")
class MutualHint(Hint):
    """Deep mutual learning: each net takes the other's output as given and moves toward it.

    The loss is hint(stop(booster), light) + hint(stop(light), booster), where `stop` lets no gradient through. It does
    its own blocking, so `Rocket` must have `gradient_block=False`: else the booster would learn nothing from the hint.
    The paper's hint is `SoftTargetHint(1.0)`.

    Args:
        hint: The hint in both directions: one without labels and without a regressor, for a regressor goes one way.

    References:
        Zhang et al., Deep Mutual Learning, CVPR 2018, equations 5 to 7.
    """

    def __init__(self, hint: Hint):
        if not isinstance(hint, Hint):
            raise ValueError(f"MutualHint expected a hint of rocket_keras.hints, received {hint!r}: pass an object.")
        if hint.needs_labels or (isinstance(hint, FeatureHint) and hint.has_regressor):
            raise ValueError(
                f"MutualHint expected a hint without labels and regressor, received {type(hint).__name__}: "
                "use SoftTargetHint(1.0), or a feature hint with regressor=False."
            )
        self.hint = hint
        self.teacher_layer_name, self.student_layer_name = hint.teacher_layer_name, hint.student_layer_name

    def connect(self, booster_shape: Shape, light_shape: Shape) -> None:
        """Connect the hint; raise ValueError where it would."""
        self.hint.connect(booster_shape, light_shape)

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return the sum of the losses of both directions for each example, `(batch,)`."""
        booster, light = ops.convert_to_tensor(booster_outputs), ops.convert_to_tensor(light_outputs)
        toward_booster = self.hint.per_example(ops.stop_gradient(booster), light)
        return toward_booster + self.hint.per_example(ops.stop_gradient(light), booster)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"hint": keras.saving.serialize_keras_object(self.hint)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MutualHint":
        """Rebuild the hint from `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["hint"]))
