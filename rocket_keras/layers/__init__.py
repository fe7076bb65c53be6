"""Blocks that a light net and its booster share."""

from rocket_keras.layers.categorical_embedding import CategoricalEmbedding
from rocket_keras.layers.frozen import Frozen
from rocket_keras.layers.pre_activation_block import PreActivationBlock

__all__ = ["CategoricalEmbedding", "Frozen", "PreActivationBlock"]
