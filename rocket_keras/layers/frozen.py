"""Trained nets that give targets and learn nothing more."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rocket_keras.graph import inputs_of
from rocket_keras.logits import refuse_squashed


@keras.saving.register_keras_serializable(package="rocket_keras")
class Frozen(keras.layers.Layer):
    """Runs trained nets in inference mode, whatever mode the graph around them is in, and never trains them.

    It makes a booster of nets that were trained before: `keras.Model(inputs, Frozen([net])(inputs))`. A teacher in
    training mode would drop units and move its BatchNorm statistics.

    Args:
        nets: Models with the same inputs and the same outputs, which are logits. Their `trainable` becomes False.

    Call arguments:
        inputs: What each net takes; of a dict each net takes its own columns by name.

    Returns:
        The mean of the nets' outputs, tensor by tensor, in the structure of their output.

    Raises:
        ValueError: No net, or one that ends in a softmax or sigmoid: give `rocket_keras.logits_of(net)`.
    """

    def __init__(self, nets: Sequence[keras.Model], **kwargs: Any):
        if kwargs.pop("trainable", False):
            raise ValueError("Frozen expected no trainable=True, received it; use the nets themselves to train them.")
        super().__init__(trainable=False, **kwargs)
        if not nets:
            raise ValueError("nets must hold at least one model. Received none.")
        self.nets = list(nets)
        for net in self.nets:
            refuse_squashed(net, f"The net {net.name!r} of a Frozen layer")
            net.trainable = False
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """None: what a compiled net tracks is its own, and not the model's around it."""
        return []

    def call(self, inputs: Any) -> Any:
        """Run the nets and take the mean."""
        outputs = [net(inputs_of(net, inputs), training=False) for net in self.nets]
        return keras.tree.map_structure(lambda *found: ops.mean(ops.stack(found), axis=0), *outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "nets": [keras.saving.serialize_keras_object(net) for net in self.nets],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Frozen":
        """Rebuild the layer from `get_config`."""
        nets = [keras.saving.deserialize_keras_object(net) for net in config["nets"]]
        return cls(**{**config, "nets": nets})
