"""Which loss terms move which variables, where the light net's terms must not move the shared ones."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from rocket_keras.pair import Pair


class Route(NamedTuple):
    """Loss terms, and the variables that are differentiated by their sum."""

    terms: tuple[str, ...]
    variables: list[keras.Variable]


def routes(pair: Pair, gradient_block: bool, of_hints: Sequence[keras.Variable] = ()) -> list[Route]:
    """Return the routes of `light_to_shared=False`; their variables are a partition of the trainable ones.

    What has nothing to train (a frozen light net, a teacher as the booster) has no route.

    Shared variables see the booster's labels alone, so the booster's course does not depend on the light net; without
    the gradient block the hint moves the booster's own variables as well. Variables of the hints themselves
    (regressors) go with the light net's.
    """
    light = Route(("light", "hint"), [*pair.light_variables, *of_hints])
    if gradient_block:
        of_booster = [Route(("booster",), pair.shared_variables + pair.booster_variables)]
    else:
        of_booster = [Route(("booster",), pair.shared_variables), Route(("booster", "hint"), pair.booster_variables)]
    return [route for route in (*of_booster, light) if route.variables]
