"""Whether the builder of a search makes what it made when the search was begun."""

from typing import Any

import keras
import keras_tuner
import numpy as np
from keras_tuner.errors import FailedTrialError

from rocket_keras import Pair, Rocket
from rocket_keras.architecture import describe_net, digest
from rocket_keras.launch.run_folder import REMEDY
from tuning.exploring import attempts
from tuning.hypermodel import LightHyperModel
from tuning.plain import plain
from tuning.space import Values, smallest_and_largest
from tuning.starts import kept_weights

CHECKED = 20
"""Rejected points of a search that are built again when it is gone on with, beside all its trials."""
REFUSED = "refused"


def describe_candidate(candidate: Pair | keras.Model) -> dict[str, Any]:
    """Return what a builder made as JSON values: the net or the joint net, and how it was compiled."""
    if isinstance(candidate, Pair):
        return describe_net(candidate.joint)
    found = describe_net(getattr(candidate, "joint", candidate))
    if isinstance(candidate, Rocket):
        config = candidate.get_config()
        found["rocket"] = plain({key: value for key, value in config.items() if key != "pair"})
    found["compiled"] = {name: plain(getattr(candidate, name, None)) for name in ("optimizer", "loss")}
    return found


def digest_of(hypermodel: LightHyperModel, values: Values, space: Any) -> str:
    """Return a hash of what the builder makes at a point."""
    hp = space.copy()
    hp.values = dict(values)
    try:
        return digest(describe_candidate(hypermodel.candidate(hp)))
    except FailedTrialError:
        return REFUSED


def nets_of(hypermodel: LightHyperModel, space: Any, seed: int) -> dict[str, Any]:
    """Return what the builder makes at the default point and at the ends of the space, and the weights that it loads.

    Args:
        hypermodel: The builder.
        space: The whole space, a `keras_tuner.HyperParameters`.
        seed: Of the search.
    """
    points = {"the default candidate": keras_tuner.HyperParameters()}
    for name, values in zip(("the smallest", "the largest"), smallest_and_largest(space.space), strict=False):
        hp = space.copy()
        hp.values = dict(values)
        points[f"{name} candidate"] = hp
    found: dict[str, Any] = {}
    for name, hp in points.items():
        tried, candidate, _ = attempts(hypermodel, hp)
        found[name] = None if candidate is None else describe_candidate(candidate)
        if candidate is not None and "the weights that the builder loads" not in found:
            build = lambda point=tried[-1]: hypermodel.candidate(point.copy())  # noqa: E731
            found["the weights that the builder loads"] = kept_weights(build, seed)
    return found


def check_unchanged(oracle: Any, folder: Any) -> None:
    """Raise where the builder makes other nets at the points of a search than it made before.

    Args:
        oracle: With the trials and the looks of the search.
        folder: Of the search, for the message.

    Raises:
        ValueError: At a trial's point, or at one of some rejected points, the builder makes another net.
    """
    gate, space = oracle.gate, oracle.get_space()
    trained = [oracle.trials[name].hyperparameters.values for name in sorted(oracle.trials)]
    looks = list(gate.looks.values())
    index = np.unique(np.linspace(0, len(looks) - 1, CHECKED).astype(int))
    for values in [*trained, *(looks[i].values for i in index if looks)]:
        look = gate.known(values)
        if look is not None and look.nets is not None and look.nets != digest_of(gate.hypermodel, look.values, space):
            point = ", ".join(f"{name}={value}" for name, value in look.values.items())
            raise ValueError(
                f"{folder} holds a search whose builder made another candidate at {point} than it makes now: other "
                f"layers, settings or connections, or another optimizer or loss. {REMEDY}"
            )
