"""What a point of the space will cost, learned from those that were measured."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.preprocessing import PolynomialFeatures

from tuning.space import Encoding

LEAST_POINTS = 4
"""Measured points below which nothing is predicted."""
LEAST_SPREAD = 0.05
"""Standard deviation of the logarithm of a prediction's error that is assumed at least: that of two measurements."""


class LatencyModel:
    r"""Predict the share of the budget, less the headroom, that a light net will need, from its hyperparameters.

    $$ \hat s(v) = \beta_0 + \sum_i \beta_i v_i + \sum_{i \le j} \beta_{ij} v_i v_j, \quad \beta \ge 0 $$

    A dense layer costs the product of two widths, and no coefficient is negative, so the prediction rises with every
    width and depth, also beyond what was measured. Relative errors are what is made small.

    Args:
        space: `keras_tuner.HyperParameters.space`.

    Attributes:
        errors: Relative errors of predictions of each measured point from all others: `points`, `median`, `p90`; None
            before `fit` has seen four points.
    """

    def __init__(self, space: Sequence[Any]):
        self.encoding = Encoding(space)
        self.products = PolynomialFeatures(2)
        self.errors: dict[str, float] | None = None
        self._spread = math.inf
        self._line = LinearRegression(positive=True, fit_intercept=False)

    @property
    def ready(self) -> bool:
        """Whether enough was measured."""
        return self.errors is not None

    def fit(self, points: Sequence[Mapping[str, Any]], shares: Sequence[float]) -> None:
        """Learn from measured points.

        Args:
            points: Values by hyperparameter.
            shares: For each, the largest of measured / what the headroom leaves of the limit: at most 1 where it is
                met.
        """
        if len(points) < LEAST_POINTS or not self.encoding.columns:
            return
        # Divided by the measured share, the wanted prediction is 1 everywhere, and errors are relative.
        rows = self._features(points) / np.asarray(shares)[:, None]
        ones = np.ones(len(points))
        ratios = cross_val_predict(self._line, rows, ones, cv=LeaveOneOut())
        self._line.fit(rows, ones)
        off = np.abs(ratios - 1)
        self.errors = {
            "points": len(points),
            "median": float(np.median(off)),
            "p90": float(np.quantile(off, 0.9)),
        }
        logs = np.log(np.clip(ratios, 0.01, 100.0))
        self._spread = max(LEAST_SPREAD, float(np.sqrt(np.mean(logs**2))))

    def predict(self, points: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the predicted shares of the budget, less the headroom, `(points,)`."""
        return self._features(points) @ self._line.coef_

    def feasible(self, points: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the probabilities that the points meet the budget, less the headroom, `(points,)`; 1 before anything
        is learned.
        """
        if not self.ready:
            return np.ones(len(points))
        shares = np.maximum(self.predict(points), 1e-9)
        return norm.cdf(-np.log(shares) / self._spread)

    def _features(self, points: Sequence[Mapping[str, Any]]) -> np.ndarray:
        return self.products.fit_transform(self.encoding.vectors(points))
