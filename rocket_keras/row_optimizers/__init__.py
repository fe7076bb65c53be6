"""How the rows of a `SparseEmbedding` move: in the batches that look them up, and in no other."""

from rocket_keras.row_optimizers.adagrad import Adagrad
from rocket_keras.row_optimizers.base import RowOptimizer
from rocket_keras.row_optimizers.lazy_adam import LazyAdam
from rocket_keras.row_optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "LazyAdam", "RowOptimizer"]
