"""Searching for the most accurate light net that meets a measured latency budget."""

import rocket_keras  # noqa: F401  # first: it chooses a backend before anything imports Keras
from rocket_keras.extras import require
from tuning.budget import LatencyBudget

# Imported at the top of the files below; here their absence is one line.
for _module in ("keras_tuner", "scipy", "sklearn"):
    require(_module, extra="tuning")

from tuning.bayesian import BayesianOracle  # noqa: E402
from tuning.gate import Gate  # noqa: E402
from tuning.hypermodel import LightHyperModel  # noqa: E402
from tuning.measure import Measurement, Meter  # noqa: E402
from tuning.oracles import GridOracle, HyperbandOracle, RandomOracle  # noqa: E402
from tuning.result import NoFeasibleModel, SearchResult  # noqa: E402
from tuning.run import search  # noqa: E402
from tuning.training import Training  # noqa: E402
from tuning.tuner import LatencyTuner  # noqa: E402

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
