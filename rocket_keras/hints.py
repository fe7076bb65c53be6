"""Hint losses: how far the light net's logits are from the booster's.

Each is a `keras.distillation.DistillationLoss`, so it works in Keras's Distiller too, and Keras's own losses work in
`Rocket`. A hint sums over the logits of one example and takes the mean over the batch: the weights that the papers
publish are meant for that sum.
"""

from typing import Any

import keras
from keras import ops


class Hint(keras.distillation.DistillationLoss):
    """Base class of hints that know the loss of each example, so that `sample_weight` can reach it.

    Subclasses write `per_example`; `compute_loss` is its mean.
    """

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return the loss of each example.

        Args:
            booster_outputs: Booster logits, `(batch, classes)`; `(batch, 1)` for a click.
            light_outputs: Light logits of the same shape.

        Returns:
            Tensor `(batch,)`.
        """
        raise TypeError(f"{type(self).__name__} must define per_example(booster_outputs, light_outputs).")

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """Return the mean of `per_example` over the batch; Keras's Distiller calls this."""
        return ops.mean(self.per_example(teacher_outputs, student_outputs))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Hint":
        """Rebuild the hint from `get_config`."""
        return cls(**config)


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
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0. Received: temperature={temperature}.")
        self.temperature = float(temperature)

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return T² times the divergence of each example, `(batch,)`."""
        log_booster, log_light = (_log_probabilities(z / self.temperature) for z in (booster_outputs, light_outputs))
        divergence = ops.exp(log_booster) * (log_booster - log_light)
        return self.temperature**2 * _sum_over_logits(divergence)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"temperature": self.temperature}


def _one_logit(logits: Any) -> bool:
    return logits.shape[-1] == 1


def _sum_over_logits(values: Any) -> Any:
    return ops.sum(values, axis=tuple(range(1, len(values.shape))))


def _log_probabilities(logits: Any) -> Any:
    if _one_logit(logits):
        return ops.concatenate([ops.log_sigmoid(-logits), ops.log_sigmoid(logits)], axis=-1)
    return ops.log_softmax(logits, axis=-1)
