"""Hints on inner features: named taps of the light net and of the booster. Maps are channels-last."""

from typing import Any

import keras
from keras import ops

from rocket_keras.hints.base import Hint, Shape


@keras.saving.register_keras_serializable(package="rocket_keras")
class FeatureHint(Hint, keras.layers.Layer):
    r"""Squared distance of the features, the light net's brought to the booster's width by a regressor.

    $$ L = \frac{1}{B} \sum_b \frac{1}{2} \lVert r(u_b) - v_b \rVert^2 $$

    with light features `u`, booster features `v`, both `(batch, n)` or `(batch, height, width, channels)`. The
    regressor `r` is one dense layer on the last axis, on maps a 1x1 convolution; the paper's may have larger windows.
    It is trained with the light net and does not serve. The hint is a layer of `Rocket` or of Keras's Distiller: one
    object belongs to one pair.

    Args:
        light_tap: Name of the light net's tap; in Keras's Distiller, of the student's layer.
        booster_tap: The same for the booster, the teacher.
        regressor: Whether there is one; without it both shapes must be equal.
        **kwargs: `name` and `trainable` of a Keras layer.

    References:
        Romero et al., FitNets, ICLR 2015, equation 3.
    """

    def __init__(self, light_tap: str, booster_tap: str, regressor: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.student_layer_name, self.teacher_layer_name = _tap_names(self, light_tap, booster_tap)
        self.has_regressor = bool(regressor)
        self.regressor: keras.layers.Dense | None = None
        self.connected_to: tuple[Shape, Shape] | None = None

    def connect(self, booster_shape: Shape, light_shape: Shape) -> None:
        """Check the two shapes and make the regressor's weights; once more with the same shapes changes nothing.

        Raises:
            ValueError: Other positions, other widths without a regressor, or a hint that is another pair's.
        """
        shapes = (tuple(booster_shape), tuple(light_shape))
        self._check_shapes(*shapes)
        if self.connected_to not in (None, shapes):
            raise ValueError(
                f"{self.name} expected the shapes {self.connected_to} of the pair that it is connected to, received "
                f"{shapes}: make a new {type(self).__name__} for each pair."
            )
        if self.connected_to is None and self.has_regressor:
            # float32 under any policy: a sum over all features of a map leaves the range of float16.
            self.regressor = keras.layers.Dense(shapes[0][-1], dtype="float32", name="regressor")
            self.regressor.build(shapes[1])
        self.connected_to = shapes
        self.built = True

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return half the squared distance of each example, `(batch,)`."""
        booster, light = self._comparable(booster_outputs, light_outputs)
        return _half_squares(light - booster)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "light_tap": self.student_layer_name,
            "booster_tap": self.teacher_layer_name,
            "regressor": self.has_regressor,
            "name": self.name,
            "trainable": self.trainable,
        }

    def get_build_config(self) -> dict[str, Any] | None:
        """Return the shapes that `connect` got, None before it."""
        if self.connected_to is None:
            return None
        return dict(zip(("booster_shape", "light_shape"), self.connected_to, strict=True))

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Connect again as `get_build_config` says, so that saved weights find their place."""
        self.connect(**config)

    def _comparable(self, booster: Any, light: Any) -> tuple[Any, Any]:
        """Return the booster's features and the light net's, regressed, of one shape and in float32."""
        self._check_shapes(tuple(booster.shape), tuple(light.shape))
        booster, light = ops.cast(booster, "float32"), ops.cast(light, "float32")
        if not self.has_regressor:
            return booster, light
        if self.regressor is None:
            raise ValueError(
                f"{self.name} expected connect(booster_shape, light_shape) before its first loss, received none: "
                "Rocket and keras.distillation.Distiller call it; elsewhere call it yourself."
            )
        return booster, self.regressor(light)

    def _check_shapes(self, booster: Shape, light: Shape) -> None:
        _check_positions(self, booster, light, ranks=(2, 4))
        widths = (booster[-1], light[-1])
        if None in widths or (not self.has_regressor and widths[0] != widths[1]):
            wanted = "known widths" if self.has_regressor else "one width, for it has no regressor"
            mend = "give the taps' last axis a size" if None in widths else "set regressor=True"
            raise ValueError(f"{self.name} expected {wanted}, received booster {booster} and light {light}: {mend}.")


@keras.saving.register_keras_serializable(package="rocket_keras")
class CosineHint(FeatureHint):
    """One minus the cosine of the two feature vectors; a map is one long vector. The scale of the features is free.

    It is the hidden-layer term of production CTR libraries, which use it where two hidden layers have one width. A
    vector of zeros has cosine 0 with any other.

    Args:
        light_tap, booster_tap, **kwargs: As in `FeatureHint`.
        regressor: Whether the light net's features pass a dense layer first.
    """

    def __init__(self, light_tap: str, booster_tap: str, regressor: bool = False, **kwargs: Any):
        super().__init__(light_tap, booster_tap, regressor, **kwargs)

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return 1 - cosine of each example, `(batch,)`, from 0 to 2."""
        booster, light = (_unit_norm(f) for f in self._comparable(booster_outputs, light_outputs))
        return 1.0 - ops.sum(booster * light, axis=_all_but_batch(light))


@keras.saving.register_keras_serializable(package="rocket_keras")
class AttentionHint(Hint):
    r"""Squared distance of the attention maps: where each net is active, whatever its number of channels.

    $$ L = \frac{1}{B} \sum_b \frac{1}{2} \lVert q(u_b) - q(v_b) \rVert^2 $$

    with q of `attention_map`. The weight is the paper's β of equation 2, for a sum over positions. The authors' code
    has β times a mean over the P positions, without the half: its β = 1000 is a weight of 2000 / P here, which is 1.95
    on 32x32 maps, 7.8 on 16x16 and 31 on 8x8. Their CIFAR runs use one map a group of the net.

    Args:
        light_tap: Name of the light net's tap, `(batch, height, width, channels)`; in Keras's Distiller, of a layer.
        booster_tap: The same for the booster; its number of channels may differ.

    References:
        Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017, equation 2.
    """

    def __init__(self, light_tap: str, booster_tap: str):
        self.student_layer_name, self.teacher_layer_name = _tap_names(self, light_tap, booster_tap)

    def connect(self, booster_shape: Shape, light_shape: Shape) -> None:
        """Raise ValueError if the taps are no maps, or have other positions."""
        _check_positions(self, tuple(booster_shape), tuple(light_shape), ranks=(4,))

    def per_example(self, booster_outputs: Any, light_outputs: Any) -> Any:
        """Return half the squared distance of the maps of each example, `(batch,)`."""
        self.connect(booster_outputs.shape, light_outputs.shape)
        return _half_squares(attention_map(light_outputs) - attention_map(booster_outputs))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"light_tap": self.student_layer_name, "booster_tap": self.teacher_layer_name}


def attention_map(features: Any) -> Any:
    """Return the mean over channels of the squared features, flattened over positions and L2-normalised.

    Args:
        features: `(batch, height, width, channels)`.

    Returns:
        float32 tensor `(batch, height * width)`; a map of zeros stays zero.

    References:
        Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017, section 3.1.
    """
    energy = ops.mean(ops.square(_scaled(ops.cast(features, "float32"))), axis=-1)
    return _unit_norm(ops.reshape(energy, (ops.shape(energy)[0], -1)))


def _half_squares(difference: Any) -> Any:
    return 0.5 * ops.sum(ops.square(difference), axis=_all_but_batch(difference))


def _scaled(values: Any) -> Any:
    """Divide each example by its largest magnitude, so that squares stay finite; for results that no scale changes.

    The gradient does not pass through the divisor: its share of the gradient is zero in such a result.
    """
    largest = ops.stop_gradient(ops.max(ops.abs(values), axis=_all_but_batch(values), keepdims=True))
    return values / ops.where(largest > 0, largest, 1.0)


def _unit_norm(values: Any) -> Any:
    scaled = _scaled(values)
    squares = ops.sum(ops.square(scaled), axis=_all_but_batch(values), keepdims=True)
    # The root of 0 has no finite gradient; an example of zeros is divided by 1.
    return scaled / ops.sqrt(ops.where(squares > 0, squares, 1.0))


def _all_but_batch(values: Any) -> tuple[int, ...]:
    return tuple(range(1, len(values.shape)))


def _tap_names(hint: Hint, light_tap: str, booster_tap: str) -> tuple[str, str]:
    for argument, name in (("light_tap", light_tap), ("booster_tap", booster_tap)):
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"{type(hint).__name__} expected the name of a tap, received {argument}={name!r}: "
                "name one of Pair(taps={...})."
            )
    return light_tap, booster_tap


def _check_positions(hint: Hint, booster: Shape, light: Shape, ranks: tuple[int, ...]) -> None:
    kinds = {2: "rows (batch, n)", 4: "maps (batch, height, width, channels)"}
    agree = all(b == f or None in (b, f) for b, f in zip(booster[1:-1], light[1:-1], strict=False))
    if len(booster) != len(light) or len(booster) not in ranks or not agree:
        wanted = " or ".join(kinds[rank] for rank in ranks)
        raise ValueError(
            f"{type(hint).__name__} expected two {wanted} with the same positions, received booster {tuple(booster)} "
            f"and light {tuple(light)}: tap the nets where these agree."
        )
