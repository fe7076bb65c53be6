"""Which hyperparameters a builder has, and a candidate to look at, where the builder refuses some points.

A builder refuses a point by raising `keras_tuner.errors.FailedTrialError`, as in Keras Tuner, whose own exploration
of a space ends with that error.
"""

import copy
from typing import Any

import keras
import keras_tuner
from keras_tuner.errors import FailedTrialError

from rocket_keras import Pair
from tuning.hypermodel import LightHyperModel
from tuning.result import NoFeasibleModel

TRIES = 20
"""Points that are tried before a builder counts as one that refuses all."""


def explore(oracle: Any, hypermodel: LightHyperModel) -> None:
    """Register all hyperparameters of a builder with an oracle, those under conditions included.

    Raises:
        NoFeasibleModel: The builder refuses every point that was tried.
    """
    active: list[Any] = []
    waiting: list[Any] = []
    hp = oracle.get_space()
    while True:
        tried, candidate, reason = attempts(hypermodel, hp)
        for point in tried:
            oracle.update_space(point)
            active += [scope for scope in copy.deepcopy(point.active_scopes) if scope not in active]
            waiting += [scope for scope in copy.deepcopy(point.inactive_scopes) if scope not in waiting]
        if candidate is None and not active + waiting:
            raise refused(tried, reason)
        # Each once: a builder may refuse the very points that would activate a scope.
        scope = next((scope for scope in waiting if scope not in active), None)
        if scope is None:
            return
        active.append(scope)
        hp = oracle.get_space()
        for condition in scope:
            hp.values[condition.name] = condition.values[0]
        hp.ensure_active_values()


def example(hypermodel: LightHyperModel, space: Any = None) -> Pair | keras.Model:
    """Return the candidate at the default point of a space, or at another where the builder refuses that.

    Args:
        hypermodel: Builds it.
        space: What is known of the space, a `keras_tuner.HyperParameters`.

    Raises:
        NoFeasibleModel: The builder refuses every point that was tried.
    """
    tried, candidate, reason = attempts(hypermodel, space or keras_tuner.HyperParameters())
    if candidate is None:
        raise refused(tried, reason)
    return candidate


def attempts(hypermodel: LightHyperModel, space: Any) -> tuple[list[Any], Pair | keras.Model | None, str]:
    """Build at the point of a space, and at random ones until the builder refuses none.

    Returns:
        The points that were tried, the candidate (None if all were refused), and the last reason of a refusal.
    """
    tried: list[Any] = []
    hp, reason = space.copy(), ""
    for number in range(TRIES):
        tried.append(hp)
        try:
            return tried, hypermodel.candidate(hp), reason
        except FailedTrialError as error:
            reason = reason_of(error)
        known, hp = hp, space.copy()
        hp.merge(known)
        hp.values = {}
        for i, parameter in enumerate(hp.space):
            if hp.is_active(parameter):
                hp.values[parameter.name] = parameter.random_sample(1000 * number + i)
    return tried, None, reason


def refused(tried: list[Any], reason: str) -> NoFeasibleModel:
    """Make the error of a builder that refuses everything."""
    points = len({str(sorted(point.values.items(), key=str)) for point in tried})
    return NoFeasibleModel(
        f"expected a builder that builds a net at some point of its space, received FailedTrialError at all {points} "
        f"points that were tried, the last time with {reason!r}; offer other values, or refuse fewer of them"
    )


def reason_of(error: Exception) -> str:
    """Return what an error says in one line."""
    return " ".join(str(error).split()) or type(error).__name__
