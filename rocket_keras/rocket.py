"""Rocket: the algorithm as a Keras model - three loss terms, two heads, one gradient block."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rocket_keras.heads import ROLES, per_head
from rocket_keras.heads_model import HeadsModel
from rocket_keras.hinting import checked_hints, hint_loss
from rocket_keras.pair import Pair
from rocket_keras.paired_optimizer import PairedOptimizer
from rocket_keras.routes import Route, routes
from rocket_keras.schedules import Schedule, as_schedule


@keras.saving.register_keras_serializable(package="rocket_keras")
class Rocket(HeadsModel):
    r"""Train a light net beside its booster; the booster's logits hint the light net on every batch.

    $$ L = L_{light}(y, l) + L_{booster}(y, z) + \lambda \cdot \mathrm{hint}(l, z) $$

    It differs from `keras.distillation.Distiller`: both nets learn at once, may share layers, and `sample_weight`
    reaches all three terms. Regularisation losses of the layers are added as in any Keras model.

    Args:
        pair: The two nets.
        hint: A `rocket_keras.hints` loss or any `keras.distillation.DistillationLoss`, or a list of them. One that
            names layers (`FeatureHint`, Keras's `FeatureDistillation`) reads the pair's taps of these names.
        hint_weight: λ, a number of at least 0 or a `rocket_keras.schedules.Schedule` over training batches; a list of
            them for a list of hints.
        gradient_block: Stop the hint's gradient at the booster's logits. Shared variables still get it through
            the light net.
        light_to_shared: Let the light net's terms (labels and hint) move the shared variables, as the paper does. With
            `False` shared variables learn from the booster's labels alone, and the booster's course does not depend on
            the light net.
        label_weight: Weight of the light net's label loss, a number or a schedule: 1 - λ in some methods, 0 where the
            light net learns from hints alone.

    Logs: `loss` (the sum above), `light_loss`, `booster_loss`, `hint_loss` (each before its weight; further hints are
    `hint_2_loss`, `hint_3_loss`, ...), and every metric once a head: `light_accuracy`, `booster_accuracy`.

    Example:

    ```python
    rocket = Rocket(pair, hint_weight=0.03)
    rocket.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    rocket.fit(x, y, epochs=10)
    pair.light.predict(x)
    ```

    References:
        Zhou et al., Rocket Launching, AAAI 2018, equations 1 to 3. `light_to_shared=False` is the variant of production
        CTR libraries.
    """

    roles = ROLES

    def __init__(
        self,
        pair: Pair,
        hint: keras.distillation.DistillationLoss | Sequence[keras.distillation.DistillationLoss] | None = None,
        hint_weight: float | Schedule | Sequence[float | Schedule] = 0.03,
        gradient_block: bool = True,
        light_to_shared: bool = True,
        label_weight: float | Schedule = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.pair = pair
        self.hints, self.hint_weights = checked_hints(pair, hint, hint_weight, gradient_block)
        self.label_weight = as_schedule(label_weight)
        self.terms = ("light", "booster", *(f"hint_{i}" if i > 1 else "hint" for i in range(1, len(self.hints) + 1)))
        self.gradient_block, self.light_to_shared = bool(gradient_block), bool(light_to_shared)
        self.joint = pair.joint
        self.head_losses: dict[str, keras.losses.Loss] = {}
        self.trackers = [keras.metrics.Mean(name=f"{term}_loss") for term in self.terms]
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        self.bad_terms = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="bad_terms"
        )
        self.built = True

    def loss_terms(self, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True) -> dict[str, Any]:
        """Return the three terms, each a scalar with its weight, ready to be summed: `light`, `booster`, `hint`."""
        labels = per_head(lambda value: value, y, self.roles)
        losses = list(self.label_losses(labels, y_pred, sample_weight).values())
        losses += [hint_loss(hint, y_pred, labels["light"], sample_weight, self.gradient_block) for hint in self.hints]
        rows = ops.shape(y_pred["light"])[0]
        for tracker, value in zip(self.trackers, losses, strict=True):
            tracker.update_state(ops.stop_gradient(value), sample_weight=rows)
        light, booster, *of_hints = losses
        weighted = [weight(self.step) * loss for weight, loss in zip(self.hint_weights, of_hints, strict=True)]
        terms = {"light": self.label_weight(self.step) * light, "booster": booster, "hint": sum(weighted)}
        if training:
            self.step.assign_add(1)
            self._note_non_finite(losses)
        return terms

    @property
    def logged_losses(self) -> list[str]:
        """Names of the loss terms in the logs."""
        return [tracker.name for tracker in self.trackers]

    @property
    def routed(self) -> bool:
        """Whether gradients are routed by variable, rather than taken of the whole loss at once."""
        return not self.light_to_shared

    def routes(self) -> list[Route]:
        """Say which terms each trainable variable is differentiated by, where gradients are routed."""
        of_hints = [v for hint in self.hints for v in getattr(hint, "trainable_variables", ())]
        return routes(self.pair, self.gradient_block, [*self.pair.tap_variables, *of_hints])

    def non_finite_terms(self) -> tuple[str, ...]:
        """Name the loss terms that were NaN or infinite in the first bad training batch; empty when all is well."""
        bits = int(ops.convert_to_numpy(self.bad_terms.value))
        return tuple(f"{term}_loss" for i, term in enumerate(self.terms) if bits >> i & 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; the pair as one joint graph."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "pair": self.pair.get_config(),
            "hint": [serialize(hint) for hint in self.hints],
            "hint_weight": [serialize(weight) for weight in self.hint_weights],
            "gradient_block": self.gradient_block,
            "light_to_shared": self.light_to_shared,
            "label_weight": serialize(self.label_weight),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Rocket":
        """Rebuild the rocket from `get_config`."""
        config = dict(config)
        pair = Pair.from_config(config.pop("pair"))
        for key in ("hint", "hint_weight"):
            config[key] = [keras.saving.deserialize_keras_object(item) for item in config[key]]
        config["label_weight"] = keras.saving.deserialize_keras_object(config["label_weight"])
        return cls(pair, **config)

    def _booster(self) -> keras.Model:
        return self.pair.booster

    def _joined_optimizer(self, optimizer: Any, booster_optimizer: Any) -> keras.optimizers.Optimizer:
        if booster_optimizer is None:
            return optimizer
        return PairedOptimizer(optimizer, booster_optimizer, self.pair.shared_variables + self.pair.booster_variables)

    def _note_non_finite(self, values: Sequence[Any]) -> None:
        bits = sum(ops.cast(ops.logical_not(ops.isfinite(v)), "int32") * (1 << i) for i, v in enumerate(values))
        self.bad_terms.assign(ops.where(self.bad_terms.value == 0, bits, self.bad_terms.value))
