"""Fleet: one booster and many light nets, trained in one launch."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras
from keras import ops

from rocket_keras.fleet_optimizer import FleetOptimizer
from rocket_keras.grafting import grafted
from rocket_keras.heads import per_head
from rocket_keras.heads_model import HeadsModel
from rocket_keras.hinting import fleet_hints, hint_loss
from rocket_keras.pair import Pair
from rocket_keras.routes import Route
from rocket_keras.schedules import Schedule, as_schedule
from rocket_keras.term_means import TermMeans


@keras.saving.register_keras_serializable(package="rocket_keras")
class Fleet(HeadsModel):
    r"""Train many light nets beside one booster; each ends as if it had been launched alone.

    $$ L = L_{booster}(y, z) + \sum_k (L_{light}(y, l_k) + \lambda \cdot \mathrm{hint}(l_k, z)) $$

    It differs from a `Rocket` for each candidate in cost: the booster and what the light nets share with it run once a
    step for all. That is the same training because gradients are routed as `Rocket(..., light_to_shared=False)` does:
    the booster and the shared variables learn from the booster's labels alone, and each light net's own variables from
    its own terms. Each net has a copy of the optimizer. A light net whose loss becomes NaN spoils no other.

    Args:
        pairs: The candidates by name, or a sequence of them, named "0", "1", ...; what one pair builder returns,
            called once a candidate. The first pair's booster becomes the fleet's. The others must be of the same
            architecture, and are left behind: their light nets are copied onto the first one, with the values of their
            own variables. Pairs that share one booster object keep their layers.
        hint: A hint on logits or a list of them, for every light net; or a dict with those of each candidate. None for
            the paper's.
        hint_weight: λ, a number of at least 0, a `rocket_keras.schedules.Schedule` over training batches, or a list of
            them for a list of hints; or a dict with those of each candidate.
        label_weight: Weight of the light nets' label losses, a number or a schedule; or a dict of them.

    Attributes:
        pairs: The candidates on the fleet's booster, by name. `pairs[name].light` serves alone and exports as of any
            pair; `Rocket(pairs[name], light_to_shared=False)` launches the same pair alone.

    Logs: `loss` (the sum above, without nets whose loss is not finite), `booster_loss`, for each candidate
    `NAME_light_loss` and `NAME_hint_loss` (before their weights; further hints are `NAME_hint_2_loss`, ...), and every
    metric once a net: `booster_accuracy`, `NAME_accuracy`. `predict` returns `{"booster": logits, NAME: logits, ...}`.

    Raises:
        ValueError: Boosters that differ, a name that cannot be one, or a hint that reads taps or moves the booster.

    Example:

    ```python
    fleet = Fleet({str(units): build_pair(units) for units in (16, 32, 64)}, hint_weight=0.03)
    fleet.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    fleet.fit(x, y, epochs=2)
    fleet = fleet.keep(["32", "64"])
    fleet.fit(x, y, epochs=2)
    fleet.pairs["32"].light.predict(x)
    ```
    """

    def __init__(
        self,
        pairs: Mapping[str, Pair] | Sequence[Pair],
        hint: keras.distillation.DistillationLoss | Sequence[Any] | Mapping[str, Any] | None = None,
        hint_weight: float | Schedule | Sequence[float | Schedule] | Mapping[str, Any] = 0.03,
        label_weight: float | Schedule | Mapping[str, float | Schedule] = 1.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        named = _named(pairs)
        self.roles = {"booster": "booster", **dict.fromkeys(named, "light")}
        self.pairs, self.joint = grafted(named)
        weights = _each(named, hint_weight, lambda value: keras.tree.map_structure(as_schedule, value))
        self.hints, self.hint_weights = fleet_hints(self.pairs, _each(named, hint), weights)
        # Keras saves what lies in a list, not what lies in lists in a dict.
        self.hint_layers = [h for hints in self.hints.values() for h in hints if isinstance(h, keras.layers.Layer)]
        self.label_weights = _each(named, label_weight, as_schedule)
        self.means = TermMeans(["booster_loss", *(log for name in named for log in self._logs(name))])
        self.step = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="step")
        self.bad_terms = self.add_weight(
            shape=(len(self.roles),), dtype="int32", initializer="zeros", trainable=False, name="bad_terms"
        )
        self.built = True

    def loss_terms(self, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True) -> dict[str, Any]:
        """Return one term a net, a scalar with its weights: `booster`, and each candidate's labels and hints."""
        labels = per_head(lambda value: value, y, self.roles)
        losses = self.label_losses(labels, y_pred, sample_weight)
        terms, values = {"booster": losses["booster"]}, [losses["booster"]]
        schedules = {name: (self.label_weights[name], *self.hint_weights[name]) for name in self.pairs}
        # Light nets with one schedule ask it once.
        at = {schedule: schedule(self.step) for schedule in {s for mine in schedules.values() for s in mine}}
        for name in self.pairs:
            outputs = {"light": y_pred[name], "booster": y_pred["booster"]}
            parts = [losses[name]]
            parts += [hint_loss(hint, outputs, labels[name], sample_weight, True) for hint in self.hints[name]]
            terms[name] = sum(at[schedule] * part for schedule, part in zip(schedules[name], parts, strict=True))
            values += parts
        self.means.update_state(ops.stop_gradient(ops.stack(values)), ops.shape(y_pred["booster"])[0])
        if training:
            self.step.assign_add(1)
            bad = ops.logical_not(ops.isfinite(ops.stop_gradient(ops.stack(list(terms.values())))))
            self.bad_terms.assign(ops.maximum(self.bad_terms.value, ops.cast(bad, "int32")))
        return terms

    def whole_loss(self, terms: Mapping[str, Any], extra: Any) -> Any:
        """Return the sum of the terms and of the layers' own losses; of light nets only what is finite."""
        others = ops.stack([ops.cast(extra, "float32"), *(terms[name] for name in self.pairs)])
        return terms["booster"] + ops.sum(ops.where(ops.isfinite(others), others, 0.0))

    @property
    def logged_losses(self) -> list[str]:
        """Names of the loss terms in the logs."""
        return list(self.means.names)

    @property
    def routed(self) -> bool:
        """Gradients are routed by variable, always."""
        return True

    def routes(self) -> list[Route]:
        """Say which terms move which variables; a net of which nothing trains has no route."""
        owned = self._owned_variables()
        light = [variable for name in self.pairs for variable in owned[name]]
        both = [Route(("booster",), owned["booster"]), Route(tuple(self.pairs), light)]
        return [route for route in both if route.variables]

    def keep(self, names: Collection[str]) -> "Fleet":
        """Return a fleet of these light nets alone, which goes on where this one is; the others take no more time.

        Both fleets have the same variables and optimizers: train the new one, and this one no more.

        Args:
            names: Candidates to keep, at least one.

        Raises:
            ValueError: No name, or one that is not in the fleet.
        """
        unknown = sorted(set(names) - set(self.pairs))
        if unknown or not names or isinstance(names, str):
            raise ValueError(f"keep takes a list of names among {list(self.pairs)}. Received: {names!r}.")
        kept = [name for name in self.pairs if name in names]
        fleet = Fleet(
            {name: self.pairs[name] for name in kept},
            {name: self.hints[name] for name in kept},
            {name: self.hint_weights[name] for name in kept},
            {name: self.label_weights[name] for name in kept},
            name=self.name,
        )
        if self.compiled:
            fleet._compile(self._compiled_with, self.optimizer.only(kept))
        fleet.step.assign(self.step)
        return fleet

    def non_finite(self) -> tuple[str, ...]:
        """Name the light nets with a loss that was NaN or infinite in a batch of the last `fit`."""
        return tuple(name for name, bad in zip(self.roles, self._bad(), strict=True) if bad and name in self.pairs)

    def non_finite_terms(self) -> tuple[str, ...]:
        """Return `("booster_loss",)` if that was NaN or infinite: the one term that stops all."""
        return ("booster_loss",) if self._bad()[0] else ()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; each pair as one joint graph."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "pairs": {name: pair.get_config() for name, pair in self.pairs.items()},
            "hint": {name: [serialize(hint) for hint in hints] for name, hints in self.hints.items()},
            "hint_weight": {name: [serialize(w) for w in weights] for name, weights in self.hint_weights.items()},
            "label_weight": {name: serialize(weight) for name, weight in self.label_weights.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Fleet":
        """Rebuild the fleet from `get_config`."""
        config = dict(config)
        pairs = {name: Pair.from_config(pair) for name, pair in config.pop("pairs").items()}
        for key in ("hint", "hint_weight", "label_weight"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(pairs, **config)

    def _compile(self, given: SimpleNamespace, optimizer: keras.optimizers.Optimizer) -> None:
        super()._compile(given, optimizer)
        if self.optimizer is not optimizer:
            raise ValueError(
                "A fleet does not scale losses, as float16 needs it: one net's overflow would hold up all others. Use "
                "the dtype policy mixed_bfloat16 or float32, or compile(..., auto_scale_loss=False)."
            )
        # Now, not in the first step: load_weights fills only a state that is there.
        self.optimizer.build(self.trainable_variables)

    def _booster(self) -> keras.Model:
        return next(iter(self.pairs.values())).booster

    def _joined_optimizer(self, optimizer: Any, booster_optimizer: Any) -> FleetOptimizer:
        return FleetOptimizer.of(optimizer, booster_optimizer, self._owned_variables())

    def _owned_variables(self) -> dict[str, list[keras.Variable]]:
        """Return the trainable variables that each net moves, light nets first, `"booster"` last."""
        booster = self._booster().trainable_variables
        shared = {id(variable) for variable in booster}
        owned = {}
        for name, pair in self.pairs.items():
            owned[name] = [v for v in pair.light.trainable_variables if id(v) not in shared]
            owned[name] += [v for hint in self.hints[name] for v in getattr(hint, "trainable_variables", ())]
        return {**owned, "booster": booster}

    def _bad(self) -> list[bool]:
        return ops.convert_to_numpy(self.bad_terms.value).astype(bool).tolist()

    def _logs(self, name: str) -> list[str]:
        hints = ("hint" if place == 1 else f"hint_{place}" for place in range(1, len(self.hints[name]) + 1))
        return [f"{name}_{term}_loss" for term in ("light", *hints)]


def _named(pairs: Mapping[str, Pair] | Sequence[Pair]) -> dict[str, Pair]:
    named = dict(pairs) if isinstance(pairs, Mapping) else {str(place): pair for place, pair in enumerate(pairs)}
    if not named:
        raise ValueError("pairs must hold at least one Pair. Received none.")
    for name, pair in named.items():
        if not isinstance(pair, Pair):
            raise ValueError(f"pairs must hold objects of Pair. Received: {type(pair).__name__} for {name!r}.")
        if not isinstance(name, str) or not name or "/" in name or name == "booster":
            raise ValueError(
                f"The name of a light net must be a text without '/', and not 'booster'. Received: {name!r}."
            )
    return named


def _each(names: Collection[str], value: Any, make: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    """Return what is made of one value for all candidates, or of each one's in a dict, as a dict by name."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(names, make(value))
    if set(value) != set(names):
        raise ValueError(f"A dict a light net must have the keys {list(names)}. Received: {list(value)}.")
    return {name: make(value[name]) for name in names}
