"""A fleet's optimizers: one for the booster and one for each light net, all made alike."""

from collections.abc import Collection, Mapping, Sequence

import keras

from rocket_keras.split_optimizer import SplitOptimizer


class FleetOptimizer(SplitOptimizer):
    """An optimizer for each net, so that each takes the steps that it would take alone and can leave the fleet.

    A callback that sets `learning_rate` sets that of all light nets, and of a booster without an optimizer of its own.
    """

    @classmethod
    def of(
        cls,
        optimizer: keras.optimizers.Optimizer,
        booster_optimizer: keras.optimizers.Optimizer | None,
        owned: Mapping[str, Sequence[keras.Variable]],
    ) -> "FleetOptimizer":
        """Return copies of `optimizer` for the light nets, and of `booster_optimizer` or `optimizer` for the booster.

        Raises:
            ValueError: An optimizer that couples the nets, scales losses, or cannot be copied.
        """
        _check(optimizer, "optimizer")
        if booster_optimizer is None and optimizer.global_clipnorm is not None:
            raise ValueError(
                "A norm over the gradients of all nets would make each net's course depend on the others: use clipnorm "
                f"or clipvalue instead of global_clipnorm. Received: global_clipnorm={optimizer.global_clipnorm}."
            )
        if booster_optimizer is not None:
            _check(booster_optimizer, "booster_optimizer")
        made = {part: (booster_optimizer or optimizer) if part == "booster" else optimizer for part in owned}
        led = [part for part in owned if part != "booster" or booster_optimizer is None]
        parts = {part: type(like).from_config(like.get_config()) for part, like in made.items()}
        ids = {part: map(id, variables) for part, variables in owned.items()}
        return cls(parts, ids, led, name="fleet_optimizer")

    def only(self, names: Collection[str]) -> "FleetOptimizer":
        """Return the optimizer of the booster and these light nets; each goes on with the state that it has."""
        kept = [part for part in self.parts if part == "booster" or part in names]
        return FleetOptimizer(
            {part: self.parts[part] for part in kept},
            {part: self.owned[part] for part in kept},
            [part for part in self.led if part in kept],
            name="fleet_optimizer",
        )


def _check(optimizer: keras.optimizers.Optimizer, argument: str) -> None:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or optimizer.loss_scale_factor is not None:
        raise ValueError(
            f"A fleet does not scale losses: one net's overflow would hold up all others. Give {argument} as "
            f"a plain optimizer. Received: {type(optimizer).__name__} with "
            f"loss_scale_factor={optimizer.loss_scale_factor}."
        )
    excluded = any(getattr(optimizer, f"_exclude_from_weight_decay{kind}", None) for kind in ("", "_pattern"))
    if optimizer.built or excluded:
        state = "variables that are excluded from weight decay" if excluded else "a state from other variables"
        raise ValueError(
            f"A fleet copies {argument} by its configuration, once a net. Received: one with {state}, which the copies "
            "would not have. Make a new one."
        )
