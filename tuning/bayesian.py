"""Bayesian search that knows the budget: expected improvement, times the probability of meeting the budget."""

import warnings
from typing import Any

import numpy as np
from keras_tuner import oracles
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from tuning.oracles import WithinBudget
from tuning.space import Values

POOL = 2000
"""Untried points that are weighed for a proposal."""


class BayesianOracle(WithinBudget, oracles.BayesianOptimizationOracle):
    r"""Keras Tuner's Gaussian process on the metric, and our model of the latency.

    $$ a(v) = \mathbb{E}[\max(0, m(v) - m^*)] \cdot P(\mathrm{share}(v) \le 1) $$

    Keras Tuner's own oracle maximises a confidence bound and learns nothing from a point that failed, so that it
    proposes points beyond the budget again and again.

    References:
        Gardner et al., Bayesian Optimization with Inequality Constraints, ICML 2014, equation 7 (constrained expected
        improvement).
    """

    def __init__(self, *arguments: Any, num_initial_points: int | None = None, **options: Any):
        super().__init__(*arguments, num_initial_points=num_initial_points, **options)

    def _make_gpr(self) -> Any:
        # One length scale is found from few starts; Keras Tuner's twenty take a second a proposal.
        gpr = super()._make_gpr()
        gpr.n_restarts_optimizer = 3
        return gpr

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Propose a point within the budget."""
        # Trials under way count: a fleet asks for several points at once.
        if len(self.trials) < self._initial() or not any(t.status == "COMPLETED" for t in self.trials.values()):
            return self._random_populate_space()
        while not self.gave_up:
            values = self._best_of_pool()
            if values is None:
                self._exhausted()
                break
            if self.admit(values):
                return {"status": "RUNNING", "values": values}
        return {"status": "STOPPED", "values": None}

    def _initial(self) -> int:
        """Random points at first: two a dimension, at most half of all."""
        if self.num_initial_points is not None:
            return self.num_initial_points
        wanted = max(4, 2 * len(self._nonfixed_space()))
        return min(wanted, max(1, self.max_trials // 2)) if self.max_trials else wanted

    def _best_of_pool(self) -> Values | None:
        points = self.pool(POOL, np.random.default_rng([self._seed_state, len(self.trials), len(self.gate.looks)]))
        if not points:
            return None
        x, y = self._vectorize_trials()
        with warnings.catch_warnings():
            # A length scale at its bound is a valid one.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.gpr.fit(np.nan_to_num(x), np.nan_to_num(y))
        mean, deviation = self.gpr.predict(np.array([self._vector(point) for point in points]), return_std=True)
        # Scores are negated where more is better: Keras Tuner always minimises.
        gain = y.min() - mean
        deviation = np.maximum(deviation, 1e-12)
        improvement = gain * norm.cdf(gain / deviation) + deviation * norm.pdf(gain / deviation)
        return points[int(np.argmax(np.maximum(improvement, 1e-300) * self.gate.feasible(points)))]

    def _vector(self, point: Values) -> list[float]:
        return [hp.value_to_prob(point.get(hp.name, hp.default)) for hp in self._nonfixed_space()]
