"""Several optimizers behind the interface of one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras


class SplitOptimizer(keras.optimizers.Optimizer):
    """Hands each gradient on to the optimizer that owns its variable.

    Keras carries a single optimizer through its trainers, savers and loss scaling. `learning_rate` and `iterations` are
    the first part's; a callback that sets a rate sets that of the parts in `led`.

    Args:
        parts: The optimizers by name, a state each.
        owned: For each part but the first the ids of its variables; the first owns all others.
        led: Names of the parts whose learning rate is set together; the first part alone where it is left out.
        name: Name of the whole.
    """

    def __init__(
        self,
        parts: Mapping[str, keras.optimizers.Optimizer],
        owned: Mapping[str, Iterable[int]],
        led: Sequence[str] = (),
        name: str = "split_optimizer",
    ):
        super().__init__(learning_rate=0.0, name=name)
        self.parts = dict(parts)
        self.led = tuple(led) or tuple(parts)[:1]
        # Ids, not variables: Keras would take them for the optimizer's own state.
        self.owned = {part: frozenset(ids) for part, ids in owned.items()}

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the state of each part that has none yet."""
        super().build(list(variables))
        for part, places in self._places(variables).items():
            if not self.parts[part].built:
                self.parts[part].build([variables[place] for place in places])

    @property
    def variables(self) -> list[keras.Variable]:
        """State of all parts."""
        return [*self._variables, *(variable for part in self.parts.values() for variable in part.variables)]

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> Any:
        """Hand each gradient to the optimizer of its variable."""
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(variables)
        for part, places in self._places(variables).items():
            if places:
                self.parts[part].apply([grads[place] for place in places], [variables[place] for place in places])
        return self.iterations

    @property
    def learning_rate(self) -> Any:
        """Learning rate of the first part."""
        return self._first.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        for part in self.led:
            self.parts[part].learning_rate = value

    @property
    def iterations(self) -> Any:
        """Steps of the first part."""
        return self._first.iterations

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Let each part overwrite its variables with averages, where it keeps any."""
        for part, places in self._places(var_list).items():
            self.parts[part].finalize_variable_values([var_list[place] for place in places])

    @property
    def _first(self) -> keras.optimizers.Optimizer:
        return next(iter(self.parts.values()))

    def _places(self, variables: Sequence[keras.Variable]) -> dict[str, list[int]]:
        """Positions of each part's variables."""
        owner = {key: part for part, ids in self.owned.items() for key in ids}
        first = next(iter(self.parts))
        places: dict[str, list[int]] = {part: [] for part in self.parts}
        for place, variable in enumerate(variables):
            places[owner.get(id(variable), first)].append(place)
        return places
