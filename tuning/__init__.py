"""Searching for the most accurate light net that meets a measured latency budget."""

import rocket_keras  # noqa: F401  # first: it chooses a backend before anything imports Keras
from tuning.budget import LatencyBudget

try:
    import keras_tuner as _keras_tuner  # noqa: F401  # named here, so that its absence is told in one line
except ModuleNotFoundError as _error:
    raise ImportError("The search needs keras-tuner. Install it with: pip install 'rocket-keras[tuning]'") from _error

from tuning.bayesian import BayesianOracle
from tuning.gate import Gate
from tuning.hypermodel import LightHyperModel
from tuning.measure import Measurement, Meter
from tuning.oracles import GridOracle, HyperbandOracle, RandomOracle
from tuning.result import NoFeasibleModel, SearchResult
from tuning.run import search
from tuning.training import Training
from tuning.tuner import LatencyTuner

__all__ = [
    "BayesianOracle",
    "Gate",
    "GridOracle",
    "HyperbandOracle",
    "LatencyBudget",
    "LatencyTuner",
    "LightHyperModel",
    "Measurement",
    "Meter",
    "NoFeasibleModel",
    "RandomOracle",
    "SearchResult",
    "Training",
    "search",
]
