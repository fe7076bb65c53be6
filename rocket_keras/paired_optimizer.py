"""Two optimizers behind the interface of one."""

from collections.abc import Sequence
from typing import Any

import keras


class PairedOptimizer(keras.optimizers.Optimizer):
    """One optimizer for the booster's variables, one for the rest.

    Keras carries a single optimizer through its trainers, savers and loss scaling; this one hands each gradient on to
    the optimizer that owns its variable. `learning_rate` and `iterations` are the light net's, so that a callback that
    sets a rate sets that one; the booster's is at `booster.learning_rate`.

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
        super().__init__(learning_rate=0.0, name="paired_optimizer")
        self.light, self.booster = light, booster
        self._booster_ids = frozenset(id(variable) for variable in booster_variables)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the state of both optimizers."""
        super().build(list(variables))
        self.light.build([v for v in variables if id(v) not in self._booster_ids])
        self.booster.build([v for v in variables if id(v) in self._booster_ids])

    @property
    def variables(self) -> list[keras.Variable]:
        """State of both optimizers."""
        return [*self._variables, *self.light.variables, *self.booster.variables]

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> Any:
        """Hand each gradient to the optimizer of its variable."""
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(variables)
        for optimizer, is_booster in ((self.light, False), (self.booster, True)):
            mine = [(g, v) for g, v in zip(grads, variables, strict=True) if (id(v) in self._booster_ids) == is_booster]
            if mine:
                optimizer.apply([g for g, _ in mine], [v for _, v in mine])
        return self.iterations

    @property
    def learning_rate(self) -> Any:
        """Learning rate of the light net's optimizer."""
        return self.light.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.light.learning_rate = value

    @property
    def iterations(self) -> Any:
        """Steps of the light net's optimizer."""
        return self.light.iterations

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Let both optimizers overwrite their variables with averages, where they keep any."""
        self.light.finalize_variable_values([v for v in var_list if id(v) not in self._booster_ids])
        self.booster.finalize_variable_values([v for v in var_list if id(v) in self._booster_ids])
