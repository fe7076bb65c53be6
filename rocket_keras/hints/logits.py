"""Hints on the logits."""

from typing import Any

import keras
from keras import ops

from rocket_keras.hints.base import Hint, Shape, require_labels


@keras.saving.register_keras_serializable(package="rocket_keras")
class SquaredLogitHint(Hint):
    r"""Squared distance of the logits: the hint loss of rocket launching.

    $$ L = \frac{1}{B} \sum_b \sum_c (l_{bc} - z_{bc})^2 $$

    with light logits `l` and booster logits `z`. The sum over classes is part of it: a mean would make the published
    weight of 0.03 ten times too weak for ten classes.

    References:
        Zhou et al., Rocket Launching, AAAI 2018, equation 2.
    """

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return the squared logit distance of each example, `(batch,)`."""
        return _sum_over_logits(ops.square(light_outputs - booster_outputs))


@keras.saving.register_keras_serializable(package="rocket_keras")
class SquaredProbabilityHint(Hint):
    """Squared distance of the probabilities: the variant that the paper compares with.

    Softmax over several logits. With one logit it is the squared difference of the click probabilities, which is half
    of what two-class softmax outputs would give.

    References:
        Zhou et al., Rocket Launching, AAAI 2018, section on hint losses.
    """

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return the squared probability distance of each example, `(batch,)`."""
        squash = ops.sigmoid if _one_logit(light_outputs) else ops.softmax
        return _sum_over_logits(ops.square(squash(light_outputs) - squash(booster_outputs)))


@keras.saving.register_keras_serializable(package="rocket_keras")
class SoftTargetHint(Hint):
    """Kullback-Leibler divergence from the booster's softened output to the light net's, times the temperature squared.

    With several logits both are softmax(logits / T); with one logit they are the Bernoulli distributions of
    sigmoid(logit / T). The factor T² keeps the size of the gradient when the temperature changes. Its gradient for the
    light net is that of the cross-entropy with soft targets.

    Args:
        temperature: T, above 0.

    References:
        Hinton, Vinyals, Dean, Distilling the Knowledge in a Neural Network, 2015, section 2.
    """

    def __init__(self, temperature: float = 4.0):
        self.temperature = _checked_temperature(temperature)

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return T² times the divergence of each example, `(batch,)`."""
        divergence = _bernoulli_divergence if _one_logit(light_outputs) else _softmax_divergence
        return self.temperature**2 * divergence(*(z / self.temperature for z in (booster_outputs, light_outputs)))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"temperature": self.temperature}


@keras.saving.register_keras_serializable(package="rocket_keras")
class DecoupledHint(Hint):
    r"""Decoupled knowledge distillation: the soft-target loss in two parts, each with its own weight.

    $$ L = T^2 (\alpha \, \mathrm{TCKD} + \beta \, \mathrm{NCKD}) $$

    TCKD is the divergence of the two Bernoulli distributions "the label's class or another", NCKD the divergence of the
    softmaxes over the other classes alone. Plain soft targets weigh NCKD by the booster's probability of the other
    classes, which is next to nothing where the booster is sure; here it is β everywhere. With two logits NCKD is 0.

    Args:
        temperature: T, above 0.
        alpha: Weight of TCKD, at least 0.
        beta: Weight of NCKD, at least 0. The surer the booster, the larger the best one: the authors take 8 by default
            and 6 for WRN-40-2. They let the whole loss grow linearly from 0 in the first epochs.

    References:
        Zhao et al., Decoupled Knowledge Distillation, CVPR 2022, section 3.
    """

    needs_labels = True

    def __init__(self, temperature: float = 4.0, alpha: float = 1.0, beta: float = 8.0):
        self.temperature = _checked_temperature(temperature)
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not value >= 0:
                raise ValueError(f"{name} must be at least 0. Received: {name}={value}.")
        self.alpha, self.beta = float(alpha), float(beta)

    def connect(self, booster_shape: Shape, light_shape: Shape) -> None:
        """Raise ValueError for fewer than two logits."""
        _require_classes(self, booster_shape, light_shape)

    def per_example(self, booster_outputs: Any, light_outputs: Any, labels: Any = None) -> Any:
        """Return the loss of each example, `(batch,)`; `labels` are integers, `(batch,)` or `(batch, 1)`."""
        _require_classes(self, booster_outputs.shape, light_outputs.shape)
        require_labels(self, labels)
        labels = _label_column(labels)
        parts = [_label_and_rest(z / self.temperature, labels) for z in (booster_outputs, light_outputs)]
        (booster_odds, booster_rest), (light_odds, light_rest) = parts
        target = _bernoulli_divergence(booster_odds, light_odds)
        rest = _softmax_divergence(booster_rest, light_rest)
        return self.temperature**2 * (self.alpha * target + self.beta * rest)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"temperature": self.temperature, "alpha": self.alpha, "beta": self.beta}


@keras.saving.register_keras_serializable(package="rocket_keras")
class StandardisedHint(Hint):
    """Soft targets of standardised logits: the light net learns the booster's order and spacing, not its scale.

    The logits of one example are z-scored over the classes, `(z - mean) / (std + 1e-7)` with the population's standard
    deviation, then compared as `SoftTargetHint` does. The authors' code divides the squares by classes - 1 instead.

    Logits that are constant, up to rounding, have no direction: their z-score is 0, and its gradient is that of the
    centred logits, where the formula's would be ten million times as large and end training at a zero-initialised head.

    Args:
        temperature: T, above 0.

    References:
        Sun et al., Logit Standardization in Knowledge Distillation, CVPR 2024, algorithm 1.
    """

    def __init__(self, temperature: float = 2.0):
        self.temperature = _checked_temperature(temperature)

    def connect(self, booster_shape: Shape, light_shape: Shape) -> None:
        """Raise ValueError for fewer than two logits."""
        _require_classes(self, booster_shape, light_shape)

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return T² times the divergence of each example, `(batch,)`."""
        _require_classes(self, booster_outputs.shape, light_outputs.shape)
        booster, light = (_standardised(z) / self.temperature for z in (booster_outputs, light_outputs))
        return self.temperature**2 * _softmax_divergence(booster, light)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"temperature": self.temperature}


def _checked_temperature(temperature: float) -> float:
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0. Received: temperature={temperature}.")
    return float(temperature)


def _require_classes(hint: Hint, *shapes: Any) -> None:
    for shape in shapes:
        if len(shape) != 2 or (shape[-1] is not None and shape[-1] < 2):
            raise ValueError(
                f"{type(hint).__name__} expected logits (batch, classes) with at least 2 classes, received the shape "
                f"{tuple(shape)}: use SoftTargetHint or SquaredLogitHint for one logit."
            )


def _label_column(labels: Any) -> Any:
    """Return integer labels as `(batch, 1)`."""
    if len(labels.shape) > 2 or (len(labels.shape) == 2 and labels.shape[1] != 1):
        raise ValueError(
            f"expected integer labels (batch,) or (batch, 1), received the shape {tuple(labels.shape)}: "
            "turn one-hot labels into integers with argmax(axis=-1)."
        )
    return ops.cast(ops.reshape(labels, (-1, 1)), "int32")


def _label_and_rest(logits: Any, labels: Any) -> tuple[Any, Any]:
    """Return the log-odds of the label's class against all others, `(batch, 1)`, and the others' logits."""
    others = ops.expand_dims(ops.arange(logits.shape[-1] - 1, dtype="int32"), 0)
    # The label's column is left out, not masked with a large negative number: huge logits would meet it.
    rest = ops.take_along_axis(logits, others + ops.cast(others >= labels, "int32"), axis=1)
    label = ops.take_along_axis(logits, labels, axis=1)
    return label - ops.logsumexp(rest, axis=-1, keepdims=True), rest


def _standardised(logits: Any) -> Any:
    logits = ops.convert_to_tensor(logits)
    centred = logits - ops.mean(logits, axis=-1, keepdims=True)
    # The deviation is taken in units of the largest one, so that squares of huge logits stay finite. The unit cancels.
    unit = ops.stop_gradient(ops.max(ops.abs(centred), axis=-1, keepdims=True))
    flat = unit <= 1e-6 * ops.max(ops.abs(logits), axis=-1, keepdims=True)
    scaled = ops.where(flat, 1.0, centred / ops.where(flat, 1.0, unit))
    deviation = unit * ops.sqrt(ops.mean(ops.square(scaled), axis=-1, keepdims=True))
    return centred / ops.where(flat, 1.0, deviation + 1e-7)


def _one_logit(logits: Any) -> bool:
    return logits.shape[-1] == 1


def _sum_over_logits(values: Any) -> Any:
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def _softmax_divergence(booster: Any, light: Any) -> Any:
    return _divergence(ops.log_softmax(booster, axis=-1), ops.log_softmax(light, axis=-1))


def _bernoulli_divergence(booster: Any, light: Any) -> Any:
    both = (ops.concatenate([ops.log_sigmoid(-z), ops.log_sigmoid(z)], axis=-1) for z in (booster, light))
    return _divergence(*both)


def _divergence(log_booster: Any, log_light: Any) -> Any:
    return _sum_over_logits(ops.exp(log_booster) * (log_booster - log_light))
