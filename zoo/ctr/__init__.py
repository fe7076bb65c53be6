"""Click-through-rate pairs: two nets of different size over shared embeddings."""

from zoo.ctr.columns import Columns
from zoo.ctr.dense import Tower
from zoo.ctr.pair import ctr_pair, hidden_taps
from zoo.ctr.towers import TOWERS, mlp_ensemble, two_tower

__all__ = ["TOWERS", "Columns", "Tower", "ctr_pair", "hidden_taps", "mlp_ensemble", "two_tower"]
