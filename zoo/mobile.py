"""Image pairs of two families: a ShuffleNet-v2 or MobileNetV2 light net under a Wide ResNet that shares nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import keras
from keras import layers

from rocket_keras.layers.pre_activation_block import batch_norm
from rocket_keras.pair import Pair
from zoo.pretrained import pretrained
from zoo.wide_resnet import wide_resnet

Light = Literal["shufflenet_v2", "mobilenet_v2"]

_MOMENTUM = 0.9
# Channels of stages 2, 3 and 4 and of the last convolution, by width: Ma et al., table 5.
_SHUFFLE_CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
_SHUFFLE_UNITS = (4, 8, 4)
_SHUFFLE_STEM = 24


def mobile_pair(
    light: Light = "shufflenet_v2",
    booster_depth: int = 40,
    booster_width: int = 1,
    num_classes: int = 10,
    input_shape: Sequence[int] = (32, 32, 3),
    alpha: float | None = None,
    weights: str | Path | None = None,
) -> Pair:
    """Build a ShuffleNet-v2 or MobileNetV2 light net under a WRN-`booster_depth`-`booster_width` booster.

    The two nets have nothing in common but the images: any two nets make a pair. Both light nets were made for images
    of 224 x 224; here, as usual for images of 32 x 32, their two early strides are left out (the stem's, and the
    max-pool of ShuffleNet-v2 or the stride of MobileNetV2's second block), so that the last map is an eighth of the
    image's size. No net scales its input: both take images normalised by mean and standard deviation, not Keras's
    -1 to 1 of `mobilenet_v2.preprocess_input`.

    | light net | `alpha` | parameters | multiply-adds, 32 x 32 x 3 |
    |---|---|---|---|
    | shufflenet_v2 | 0.5 | 352,042 | 10.9 M |
    | shufflenet_v2 | 1.0 | 1,263,854 | 45.0 M |
    | mobilenet_v2 | 0.35 | 408,938 | 15.6 M |
    | mobilenet_v2 | 1.0 | 2,236,682 | 88.0 M |

    The booster WRN-40-1 has 563,930 and 83.3 M: MobileNetV2 of `alpha` 1.0 wants a wider one.

    Args:
        light: `"shufflenet_v2"` or `"mobilenet_v2"` (`keras.applications`, without weights).
        booster_depth: 6 n + 4, with n blocks in each of the booster's three groups.
        booster_width: Channels of the booster's groups are 16, 32 and 64 times this.
        num_classes: Logits of both heads.
        input_shape: `(height, width, channels)` of an image, at least 8 x 8.
        alpha: Width of the light net. ShuffleNet-v2: 0.5, 1.0, 1.5 or 2.0; MobileNetV2: any number above 0. By default
            the narrowest that was published, 0.5 and 0.35.
        weights: What `zoo.load` takes, of a pair of the same arguments; heads of another number of classes stay fresh.
            None: all is fresh.

    Returns:
        The pair.

    Raises:
        ValueError: An unknown light net, an `alpha` it does not have, images that are too small, or a depth that is not
            6 n + 4.

    References:
        Ma et al., ShuffleNet V2, ECCV 2018, figure 3 and table 5; Sandler et al., MobileNetV2, CVPR 2018.
    """
    if light not in _FAMILIES:
        raise ValueError(
            f"expected `light` to be one of {sorted(_FAMILIES)}, received {light!r}; choose one of them, or make a "
            "pair of a net of your own with rocket_keras.Pair"
        )
    family = _FAMILIES[light]
    images = keras.Input(_checked_shape(input_shape), name="images")
    x = family.build(images, family.alpha if alpha is None else alpha)
    x = layers.GlobalAveragePooling2D(name="light_pool")(x)
    # Logits stay float32 under a mixed-precision policy: the hint squares their difference.
    logits = layers.Dense(num_classes, dtype="float32", name="light_logits")(x)
    booster = wide_resnet(images, booster_depth, booster_width, num_classes, "booster")
    return pretrained(Pair(light=keras.Model(images, logits, name="light"), booster=booster), weights)


def channel_shuffle(x: keras.KerasTensor, groups: int, name: str) -> keras.KerasTensor:
    """Interleave the channels of `groups` groups: channel j of group i becomes channel j * groups + i.

    Plain Keras layers, so that a detached light net loads in a process that has Keras alone.

    Args:
        x: `(batch, height, width, channels)`, channels divisible by `groups`.
        groups: Number of groups, which lie one after the other.
        name: Prefix of the layers' names.

    Returns:
        Tensor of the same shape.

    References:
        Ma et al., ShuffleNet V2, ECCV 2018, figure 3.
    """
    height, width, channels = x.shape[1:]
    x = layers.Reshape((height, width, groups, channels // groups), name=f"{name}_groups")(x)
    x = layers.Permute((1, 2, 4, 3), name=f"{name}_permute")(x)
    return layers.Reshape((height, width, channels), name=f"{name}_shuffled")(x)


def _shufflenet_v2(images: keras.KerasTensor, alpha: float) -> keras.KerasTensor:
    if alpha not in _SHUFFLE_CHANNELS:
        raise ValueError(
            f"expected `alpha` of ShuffleNet-v2 to be one of {sorted(_SHUFFLE_CHANNELS)}, received {alpha!r}; "
            "choose one of them"
        )
    *stages, last = _SHUFFLE_CHANNELS[alpha]
    x = _convolution(images, _SHUFFLE_STEM, 3, "light_stem")
    for stage, (channels, units) in enumerate(zip(stages, _SHUFFLE_UNITS, strict=True), 2):
        for unit in range(units):
            x = _shuffle_unit(x, channels, 1 if unit else 2, f"light_stage{stage}_unit{unit}")
    return _convolution(x, last, 1, "light_last")


def _shuffle_unit(x: keras.KerasTensor, channels: int, stride: int, name: str) -> keras.KerasTensor:
    """Apply one unit: half of the channels pass (by a stride of 2: all, through their own branch), the rest is made."""
    half = channels // 2
    if stride == 1:
        passed, x = _split(x, name)
    else:
        passed = _convolution(_depthwise(x, stride, f"{name}_passed_depthwise"), half, 1, f"{name}_passed")
    x = _convolution(x, half, 1, f"{name}_conv1")
    x = _convolution(_depthwise(x, stride, f"{name}_depthwise"), half, 1, f"{name}_conv2")
    return channel_shuffle(layers.Concatenate(name=f"{name}_concat")([passed, x]), 2, name)


def _split(x: keras.KerasTensor, name: str) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the lower and the upper half of the channels."""
    height, width, channels = x.shape[1:]
    # The halves lie along an axis of their own, where Keras has a layer to cut one off.
    halves = layers.Reshape((height * width, 2, channels // 2), name=f"{name}_halves")(x)
    parts = []
    for part, cut in (("lower", (0, 1)), ("upper", (1, 0))):
        cropped = layers.Cropping2D(((0, 0), cut), name=f"{name}_{part}_crop")(halves)
        parts.append(layers.Reshape((height, width, channels // 2), name=f"{name}_{part}")(cropped))
    return parts[0], parts[1]


def _convolution(x: keras.KerasTensor, filters: int, size: int, name: str) -> keras.KerasTensor:
    """Convolution, BatchNorm and ReLU."""
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)
    return layers.Activation("relu", name=f"{name}_relu")(batch_norm(f"{name}_norm")(x))


def _depthwise(x: keras.KerasTensor, stride: int, name: str) -> keras.KerasTensor:
    """Depthwise 3x3 convolution and BatchNorm."""
    convolution = layers.DepthwiseConv2D(
        3, strides=stride, padding="same", use_bias=False, depthwise_initializer="he_normal", name=name
    )
    return batch_norm(f"{name}_norm")(convolution(x))


def _mobilenet_v2(images: keras.KerasTensor, alpha: float) -> keras.KerasTensor:
    if not alpha > 0:
        raise ValueError(f"expected `alpha` of MobileNetV2 to be above 0, received {alpha!r}; 0.35 is the narrowest")
    height, width, channels = images.shape[1:]
    # Keras pads by the size of each map. Behind its two early strides a net for images four times as large has maps of
    # the sizes that this one has without them.
    template = keras.applications.MobileNetV2(
        input_shape=(4 * height, 4 * width, channels), alpha=alpha, include_top=False, weights=None
    )
    return keras.models.clone_model(template, input_tensors=images, clone_function=_for_small_images).outputs[0]


def _for_small_images(layer: keras.Layer) -> keras.Layer:
    """Return Keras's layer under a name of the light net, without the two early strides."""
    config = {**layer.get_config(), "name": f"light_{layer.name}"}
    if layer.name in ("Conv1", "block_1_depthwise"):
        config["strides"] = (1, 1)
    if layer.name == "block_1_pad":
        config["padding"] = ((1, 1), (1, 1))
    if isinstance(layer, layers.BatchNormalization):
        # Keras's 0.999 would leave the statistics of a short training near their start; the booster has this one, too.
        config["momentum"] = _MOMENTUM
    return type(layer).from_config(config)


class _Family(NamedTuple):
    """A builder `(images, alpha) -> last map` and its `alpha` where none is given."""

    build: Callable[[keras.KerasTensor, float], keras.KerasTensor]
    alpha: float


_FAMILIES = {"shufflenet_v2": _Family(_shufflenet_v2, 0.5), "mobilenet_v2": _Family(_mobilenet_v2, 0.35)}


def _checked_shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(size, int) for size in shape) or min(shape[:2]) < 8:
        raise ValueError(
            f"expected `input_shape` to be (height, width, channels) of at least 8 x 8, received {input_shape!r}; "
            "enlarge the images or take zoo.wide_resnet_pair"
        )
    return shape
