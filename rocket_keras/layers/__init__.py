"""Blocks that a light net and its booster share."""

from rocket_keras.layers.categorical_embedding import CategoricalEmbedding
from rocket_keras.layers.dice import Dice
from rocket_keras.layers.factorization_machine import FactorizationMachine
from rocket_keras.layers.feature_cross import FeatureCross
from rocket_keras.layers.frozen import Frozen
from rocket_keras.layers.masked_mean import MaskedMean
from rocket_keras.layers.pre_activation_block import PreActivationBlock
from rocket_keras.layers.sparse_embedding import SparseEmbedding
from rocket_keras.layers.sparse_linear import SparseLinear

__all__ = [
    "CategoricalEmbedding",
    "Dice",
    "FactorizationMachine",
    "FeatureCross",
    "Frozen",
    "MaskedMean",
    "PreActivationBlock",
    "SparseEmbedding",
    "SparseLinear",
]
