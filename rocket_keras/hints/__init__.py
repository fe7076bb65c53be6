"""Hint losses: how far the light net is from the booster, in its logits or inside.

Each is a `keras.distillation.DistillationLoss`, so it works in Keras's Distiller too, and Keras's own losses work in
`Rocket`. A hint sums over the logits or features of one example and takes the mean over the batch: the weights that the
papers publish are meant for that sum.
"""

from rocket_keras.hints.base import Hint
from rocket_keras.hints.features import AttentionHint, CosineHint, FeatureHint, attention_map
from rocket_keras.hints.logits import (
    DecoupledHint,
    SoftTargetHint,
    SquaredLogitHint,
    SquaredProbabilityHint,
    StandardisedHint,
)
from rocket_keras.hints.peers import MutualHint

__all__ = [
    "AttentionHint",
    "CosineHint",
    "DecoupledHint",
    "FeatureHint",
    "Hint",
    "MutualHint",
    "SoftTargetHint",
    "SquaredLogitHint",
    "SquaredProbabilityHint",
    "StandardisedHint",
    "attention_map",
]
