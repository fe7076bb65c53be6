"""Wide ResNet pairs: a shallow light net that shares convolutions with a deep booster."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
from keras import layers

from rocket_keras.layers import PreActivationBlock
from rocket_keras.layers.pre_activation_block import batch_norm
from rocket_keras.pair import Pair
from zoo.pretrained import pretrained

Sharing = Literal["bottom", "interval", "none"]
Groups = list[list[PreActivationBlock]]

_CHANNELS = (16, 32, 64)


def wide_resnet_pair(
    light_depth: int = 16,
    booster_depth: int = 40,
    width: int = 1,
    num_classes: int = 10,
    input_shape: Sequence[int] = (32, 32, 3),
    sharing: Sharing = "interval",
    booster_dropout: float = 0.0,
    weights: str | Path | None = None,
) -> Pair:
    """Build a WRN-`light_depth`-`width` light net under a WRN-`booster_depth`-`width` booster.

    Convolution weights are shared, BatchNorms and heads never. The stem is shared and computed once.

    Args:
        light_depth, booster_depth: 6 n + 4, with n blocks in each of the three groups.
        width: Channels of the groups are 16, 32 and 64 times this.
        num_classes: Logits of both heads.
        input_shape: `(height, width, channels)` of an image.
        sharing: `"interval"`: the light net's blocks are the lowest of each of the booster's groups. `"bottom"`: the
            light net is the booster's first two groups whole with a head of its own; `light_depth` is not used.
            `"none"`: two nets with nothing in common but the images.
        booster_dropout: Share of the inputs of the second convolution that are dropped in training, in the blocks that
            the booster has alone (the paper's 0.2 on SVHN).
        weights: What `zoo.load` takes, of a pair of the same depths and width; heads of another number of classes stay
            fresh. None: all is fresh.

    Returns:
        The pair. WRN-16-1 under WRN-40-1: 175,066 and 563,930 parameters.

    Raises:
        ValueError: A depth that is not 6 n + 4, a light net deeper than its booster, an unknown sharing, or a dropout
            that is not from 0 to below 1.

    References:
        Zhou et al., Rocket Launching, AAAI 2018, figure 4; Zagoruyko, Komodakis, Wide Residual Networks, BMVC 2016.
    """
    if sharing not in ("bottom", "interval", "none"):
        raise ValueError(f'sharing must be "bottom", "interval" or "none". Received: {sharing!r}.')
    light_blocks, booster_blocks = _blocks("light_depth", light_depth), _blocks("booster_depth", booster_depth)
    if sharing == "interval" and light_blocks > booster_blocks:
        raise ValueError(
            f"The light net must not be deeper than its booster. Received: {light_depth} > {booster_depth}."
        )
    if not 0 <= booster_dropout < 1:
        raise ValueError(
            f"expected `booster_dropout` from 0 to below 1, received {booster_dropout!r}; give 0 for no dropout"
        )
    images = keras.Input(tuple(input_shape), name="images")
    shared = {
        "interval": (light_blocks,) * 3,
        "bottom": (booster_blocks, booster_blocks, 0),
        "none": (0, 0, 0),
    }[sharing]
    groups = _groups(booster_blocks, width, "booster", booster_dropout, shared)
    if sharing == "none":
        light_groups, light_stem = _groups(light_blocks, width, "light"), _stem("light")(images)
        booster_stem = _stem("booster")(images)
    else:
        kept = [group[:count] for group, count in zip(groups, shared, strict=True) if count]
        light_groups = [[block.twin(block.name.replace("booster", "light")) for block in group] for group in kept]
        light_stem = booster_stem = _stem("shared")(images)
    light = keras.Model(images, _logits(light_stem, light_groups, num_classes, "light"), name="light")
    booster = keras.Model(images, _logits(booster_stem, groups, num_classes, "booster"), name="booster")
    return pretrained(Pair(light=light, booster=booster), weights)


def wide_resnet(images: keras.KerasTensor, depth: int, width: int, num_classes: int, name: str) -> keras.Model:
    """Build one WRN-`depth`-`width` that shares nothing, for a pair with a net of another family.

    Args:
        images: The input that both nets of the pair read, `(batch, height, width, channels)`.
        depth: 6 n + 4, with n blocks in each of the three groups.
        width: Channels of the groups are 16, 32 and 64 times this.
        num_classes: Logits.
        name: `"light"` or `"booster"`, the net's name, which begins every layer's.

    Returns:
        The net, untrained: images to logits `(batch, num_classes)`. WRN-40-1: 563,930 parameters.

    Raises:
        ValueError: A depth that is not 6 n + 4.

    References:
        Zagoruyko, Komodakis, Wide Residual Networks, BMVC 2016.
    """
    groups = _groups(_blocks(f"{name}_depth", depth), width, name)
    return keras.Model(images, _logits(_stem(name)(images), groups, num_classes, name), name=name)


def group_taps(pair: Pair) -> tuple[tuple[str, str], ...]:
    """Name the layers of a Wide ResNet pair whose outputs are its groups' outputs, for hints on features.

    Returns:
        For each group that both nets have with maps of one size, `(light layer, booster layer)`: three for a light net
        of three groups, two under `sharing="bottom"`. Channels are those of either net.
    """
    light, booster = _group_outputs(pair.light, "light"), _group_outputs(pair.booster, "booster")
    both = [(light[g], booster[g]) for g in sorted(set(light) & set(booster))]
    return tuple((a.name, b.name) for a, b in both if a.output.shape[1:-1] == b.output.shape[1:-1])


def _group_outputs(model: keras.Model, name: str) -> dict[int, layers.Add]:
    """Return each group's last addition, by the group's number."""
    found = [(re.fullmatch(rf"{name}_group(\d+)_block(\d+)_add", layer.name), layer) for layer in model.layers]
    blocks = sorted((int(match[1]), int(match[2]), layer.name) for match, layer in found if match)
    return {group: model.get_layer(layer) for group, _, layer in blocks}


def _blocks(name: str, depth: int) -> int:
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"{name} must be 6 n + 4 with n at least 1 (10, 16, 22, 28, ...). Received: {name}={depth}.")
    return (depth - 4) // 6


def _stem(name: str) -> layers.Conv2D:
    initializer = "he_normal"
    return layers.Conv2D(
        _CHANNELS[0], 3, padding="same", use_bias=False, kernel_initializer=initializer, name=f"{name}_stem"
    )


def _groups(
    blocks: int, width: int, name: str, dropout: float = 0.0, whole: tuple[int, int, int] = (0, 0, 0)
) -> Groups:
    """Make the blocks of three groups; the first block of a group projects where the number of channels changes.

    The first `whole` blocks of each group drop nothing, the others drop `dropout` of their second convolution's inputs.
    """
    groups, channels = [], _CHANNELS[0]
    for g, base in enumerate(_CHANNELS):
        filters, group = base * width, []
        for b in range(blocks):
            stride, project = (2 if g and not b else 1), (not b and channels != filters)
            drop = dropout if b >= whole[g] else 0.0
            group.append(PreActivationBlock(filters, stride, project, drop, f"{name}_group{g}_block{b}"))
        groups.append(group)
        channels = filters
    return groups


def _logits(x: keras.KerasTensor, groups: Groups, num_classes: int, name: str) -> keras.KerasTensor:
    for group in groups:
        for block in group:
            x = block(x)
    x = layers.Activation("relu", name=f"{name}_relu")(batch_norm(f"{name}_norm")(x))
    x = layers.GlobalAveragePooling2D(name=f"{name}_pool")(x)
    # Logits stay float32 under a mixed-precision policy: the hint squares their difference.
    return layers.Dense(num_classes, dtype="float32", name=f"{name}_logits")(x)
