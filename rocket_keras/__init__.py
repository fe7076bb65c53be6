"""Rocket launching in Keras 3: train a light net beside its booster, then serve the light net alone.

Zhou et al., "Rocket Launching: A Universal and Efficient Framework for Training Well-performing Light Net", AAAI 2018.
"""

import sys

from rocket_keras._backend import choose_backend

if "keras" not in sys.modules:  # else its backend is chosen already
    choose_backend()

from rocket_keras import callbacks, hints, layers, metrics, row_optimizers, schedules
from rocket_keras.counting import multiply_adds
from rocket_keras.export import export_light
from rocket_keras.fleet import Fleet
from rocket_keras.latency import Latency, measure_latency
from rocket_keras.logits import logits_of
from rocket_keras.pair import Pair
from rocket_keras.rocket import Rocket
from rocket_keras.row_turnover import free_rows, grow_rows
from rocket_keras.serving.fastest import Requests
from rocket_keras.serving.scorer import RequestError, Scorer
from rocket_keras.sparse_net import SparseNet

__version__ = "0.1.0"

__all__ = [
    "Fleet",
    "Latency",
    "Pair",
    "RequestError",
    "Requests",
    "Rocket",
    "Scorer",
    "SparseNet",
    "callbacks",
    "export_light",
    "free_rows",
    "grow_rows",
    "hints",
    "layers",
    "logits_of",
    "measure_latency",
    "metrics",
    "multiply_adds",
    "row_optimizers",
    "schedules",
]
