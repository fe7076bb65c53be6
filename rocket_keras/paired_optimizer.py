"""A Rocket's two optimizers behind the interface of one."""

from collections.abc import Sequence

import keras

from rocket_keras.split_optimizer import SplitOptimizer


class PairedOptimizer(SplitOptimizer):
    """One optimizer for the booster's variables, one for the rest.

    `learning_rate` and `iterations` are the light net's, so that a callback that sets a rate sets that one; the
    booster's is at `booster.learning_rate`.

    Args:
        light: Optimizer of the light net's own variables.
        booster: Optimizer of `booster_variables`.
        booster_variables: The booster's own and the shared variables.
    """

    def __init__(
        self,
        light: keras.optimizers.Optimizer,
        booster: keras.optimizers.Optimizer,
        booster_variables: Sequence[keras.Variable],
    ):
        if light is booster:
            raise ValueError(
                "optimizer and booster_optimizer must be two objects, with a state each. Received one twice."
            )
        super().__init__(
            {"light": light, "booster": booster}, {"booster": map(id, booster_variables)}, name="paired_optimizer"
        )
        self.light, self.booster = light, booster
