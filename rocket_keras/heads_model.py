"""What Rocket and Fleet have in common: a model of several heads, each with its label loss and metrics."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras
from keras import ops

from rocket_keras.callbacks import StopOnNonFinite
from rocket_keras.checks import check_arrays, check_validation
from rocket_keras.columns_by_name import ColumnsByName
from rocket_keras.heads import per_head, resolve_metrics
from rocket_keras.logit_losses import label_loss, of_logits_rank
from rocket_keras.monitoring import directions_of, set_modes
from rocket_keras.routes import Route
from rocket_keras.row_optimizers import RowOptimizer
from rocket_keras.row_training import RowTraining
from rocket_keras.streamed import Streamed
from rocket_keras.train_step import TrainStep


class HeadsModel(ColumnsByName, Streamed, TrainStep, RowTraining):
    """A joint graph of several heads that leave logits; subclasses say what the loss terms are.

    Subclasses write `loss_terms`, `logged_losses`, `routes`, `routed`, `non_finite_terms`, `_booster` and
    `_joined_optimizer`.

    Attributes:
        joint: The graph: inputs to a dict of logits by head, and further outputs that serve training alone.
        roles: For each head, in their order, whether it is a `"light"` net's or the `"booster"`'s.
    """

    joint: keras.Model
    roles: Mapping[str, str]
    head_losses: dict[str, keras.losses.Loss]

    @property
    def logged_losses(self) -> list[str]:
        """Names of the loss terms in the logs."""
        raise TypeError(f"{type(self).__name__} must define logged_losses.")

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads: the outputs of `predict`."""
        return tuple(self.roles)

    def columns(self) -> Any:
        """Return the inputs of the joint graph."""
        return self.joint.input

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Return the logits by head and any further outputs of the joint graph, each `(batch, ...)`."""
        return self.joint(inputs, training=training)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        booster_optimizer: Any = None,
        row_optimizer: RowOptimizer | None = None,
        **kwargs: Any,
    ) -> None:
        """Configure training; every further argument is `keras.Model.compile`'s.

        The heads leave logits. Keras's own losses and metrics mean what they mean on probabilities: see
        `rocket_keras.logit_losses` and
        `rocket_keras.logit_metrics`. Functions, losses and metrics of your own get the logits.

        Args:
            optimizer: Moves all variables, or those of light nets alone when `booster_optimizer` is given.
            loss: One label loss for all heads, or `{"light": ..., "booster": ...}`: a name, a function, or a loss
                object, which must be made with `from_logits=True` where it has that argument.
            metrics, weighted_metrics: A list for all heads, or such a dict: names, functions or metric objects.
            booster_optimizer: Moves the whole booster: its own and the shared variables.
            row_optimizer: Moves the tables of `SparseEmbedding` layers, whoever owns them; row-wise Adagrad where none
                is given. Clipping, weight decay and averages of the other optimizers do not reach these tables.

        Raises:
            ValueError: No loss, a loss object that wants probabilities, a metric that has no meaning on logits, or
                `loss_weights`: the terms' weights are arguments of the constructor.
        """
        name = type(self).__name__
        if loss is None:
            raise ValueError(f"{name}.compile needs a loss that takes logits, for all heads. Received: loss=None.")
        if (weights := kwargs.pop("loss_weights", None)) is not None:
            raise ValueError(
                f"{name}.compile expected no loss_weights, received {weights!r}; give {name}(..., label_weight=..., "
                "hint_weight=...) the weights of its terms instead."
            )
        optimizers = [keras.optimizers.get(o) if o is not None else None for o in (optimizer, booster_optimizer)]
        # A namespace, not a dict: Keras would track the metrics in a dict and report them a second time.
        given = SimpleNamespace(
            optimizer=optimizers[0],
            loss=loss,
            metrics=metrics,
            weighted_metrics=weighted_metrics,
            booster_optimizer=optimizers[1],
            row_optimizer=row_optimizer,
            **kwargs,
        )
        self._compile(given, self._joined_optimizer(*optimizers))

    def predicted(self, outputs: Any) -> dict[str, Any]:
        """Return the heads; taps serve training alone."""
        return {head: outputs[head] for head in self.heads}

    def loss_terms(self, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True) -> dict[str, Any]:
        """Return the loss terms by name, each a scalar with its weight, ready to be summed.

        Args:
            y: Labels, one tensor for all heads or `{"light": ..., "booster": ...}`.
            y_pred: What `call` returned.
            sample_weight: `(batch,)` or None; reaches all terms.
            training: Whether this is a training batch: only these count for schedules.
        """
        raise TypeError(f"{type(self).__name__} must define loss_terms().")

    def whole_loss(self, terms: Mapping[str, Any], extra: Any) -> Any:
        """Return what is logged as `loss`: the sum of the terms and of the layers' own losses, a scalar."""
        return sum(terms.values()) + extra

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the sum of the terms and of the layers' own losses, a scalar; of `loss_divisor` replicas a part."""
        whole = self.whole_loss(self.loss_terms(y, y_pred, sample_weight, training), self.layer_losses())
        return whole if self.loss_divisor == 1 else whole / self.loss_divisor

    def label_losses(self, labels: Mapping[str, Any], y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Return the label loss of each head, a mean over the rows of this replica, a scalar each.

        Args:
            labels: Labels of each head.
            y_pred: What `call` returned.
            sample_weight: `(batch,)` or None.
        """
        losses = {h: self.head_losses[h](labels[h], y_pred[h], sample_weight=sample_weight) for h in self.roles}
        return losses if self.loss_divisor == 1 else {h: loss * self.loss_divisor for h, loss in losses.items()}

    def layer_losses(self) -> Any:
        """Return the sum of regularisation and `add_loss` terms of the layers, a scalar."""
        return _summed(self.losses)

    def losses_by_route(self, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, list[Any]]:
        """Return the whole loss of a training batch, and what each of `all_routes` differentiates; scalars."""
        terms = self.loss_terms(y, y_pred, sample_weight)
        extra = self.layer_losses()
        whole = self.whole_loss(terms, extra)
        return whole, self.route_losses(self.routes(), terms, extra) if self.routed else [whole]

    def route_losses(self, routes: Sequence[Route], terms: Mapping[str, Any], extra: Any) -> list[Any]:
        """Return what each route differentiates: the sum of its terms and of layers' own losses, a scalar each.

        A light net's layers may have losses of their activations, which would reach the shared variables: where the
        booster is moved, the losses of its layers alone count.

        Args:
            routes: What `routes` returned.
            terms: What `loss_terms` returned.
            extra: What `layer_losses` returned.
        """
        of_booster = _summed(self._booster().losses)
        return [
            sum(terms[name] for name in route.terms) + (of_booster if "booster" in route.terms else extra)
            for route in routes
        ]

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Update every metric on every head and return all of them."""
        logits = {head: y_pred[head] for head in self.roles}
        labels = per_head(lambda value: value, y, self.roles)
        labels = {head: of_logits_rank(labels[head], logits[head]) for head in self.roles}
        return super().compute_metrics(x, labels, logits, sample_weight)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Train as `keras.Model.fit`; arrays are checked first, and a NaN in a term that spoils all stops the run.

        Of data in batches the nets take their columns by name, as everywhere else; a dict of arrays must have no other.

        Raises:
            ValueError: Arrays, of training or validation, without rows, with NaN, with labels that the logits do not
                have, or with a column that no net takes.
            rocket_keras.callbacks.NonFiniteLoss: A loss term became NaN or infinite; the message names it.
        """
        check_arrays(x, y, self.joint)
        check_validation(kwargs.get("validation_data"), self.joint)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            given = callbacks if isinstance(callbacks, list | tuple) else [callbacks] if callbacks else []
            callbacks = [StopOnNonFinite(), *given]
        set_modes(callbacks, self._modes)
        return super().fit(x, y, batch_size, epochs, verbose, callbacks, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *arguments: Any, **options: Any) -> Any:
        """Evaluate as `keras.Model.evaluate`; arrays are checked as `fit` checks them, further columns are ignored."""
        if not options.get("_use_cached_eval_dataset"):  # within fit, which has checked them
            check_arrays(self.own(x), y, self.joint)
        return super().evaluate(x, y, *arguments, **options)

    def get_compile_config(self) -> dict[str, Any]:
        """Return what `compile` was given, so that a loaded model trains on."""
        return keras.saving.serialize_keras_object(vars(self._compiled_with)) if self.compiled else {}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says and make the optimizer's variables."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def _compile(self, given: SimpleNamespace, optimizer: keras.optimizers.Optimizer) -> None:
        """Compile as `given` says, with this optimizer instead of those in it."""
        self.head_losses = per_head(label_loss, given.loss, self.roles)
        logits = {head: self.joint.output[head] for head in self.roles}
        given_metrics = (given.metrics, given.weighted_metrics)
        metrics = [resolve_metrics(m, self.head_losses, logits, self.roles) for m in given_metrics]
        all_metrics = {head: [*metrics[0][head], *metrics[1][head]] for head in self.roles}
        self._modes = directions_of(self.logged_losses, all_metrics)
        ours = ("optimizer", "loss", "metrics", "weighted_metrics", "booster_optimizer", "row_optimizer")
        rest = {key: value for key, value in vars(given).items() if key not in ours}
        self._compiled_with = given
        # Lists of metrics even where there are none: Keras then draws as many orders of the rows before the first epoch
        # as for a model with a loss, so that at one seed the booster alone sees the rows in the same order.
        super().compile(optimizer=optimizer, metrics=metrics[0], weighted_metrics=metrics[1], **rest)
        self.compile_rows(given.row_optimizer)
        # What serves a model that is saved now is what was made now.
        given.row_optimizer = self.row_optimizer

    def _booster(self) -> keras.Model:
        # A method: Keras would save what a property returns, a second time.
        raise TypeError(f"{type(self).__name__} must define _booster().")

    def _joined_optimizer(self, optimizer: Any, booster_optimizer: Any) -> keras.optimizers.Optimizer:
        """Return the one optimizer that Keras sees."""
        raise TypeError(f"{type(self).__name__} must define _joined_optimizer().")


def _summed(losses: Sequence[Any]) -> Any:
    return sum((ops.cast(ops.sum(loss), "float32") for loss in losses), start=0.0)
