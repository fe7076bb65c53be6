"""The pieces that the rows of the zoo's table are made of: loaders, builders, variants, optimizers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from rocket_keras.launch.recipe import Augmentation
from rocket_keras.pair import Pair
from zoo.ctr import ctr_pair
from zoo.data import Dataset, cifar, svhn
from zoo.mobile import mobile_pair
from zoo.spaces import PairBuilder, ctr_pair_builder, wide_resnet_pair_builder
from zoo.wide_resnet import wide_resnet_pair


def load_cifar10(data_dir: Path | None, *, seed: int, train_rows: int | None) -> Dataset:
    """CIFAR-10, normalised."""
    return cifar.normalised(cifar.load_cifar10(data_dir, seed=seed, train_rows=train_rows))


def load_cifar100(data_dir: Path | None, *, seed: int, train_rows: int | None) -> Dataset:
    """CIFAR-100, normalised."""
    return cifar.normalised(cifar.load_cifar100(data_dir, seed=seed, train_rows=train_rows))


def load_svhn(data_dir: Path | None, *, seed: int, train_rows: int | None) -> Dataset:
    """SVHN, pixels from 0 to 1."""
    return cifar.normalised(svhn.load(data_dir, seed=seed, train_rows=train_rows), svhn.SCALE)


def wide_resnet(
    light: int, booster: int, width: int, sharing: Any, booster_dropout: float = 0.0
) -> Callable[..., Pair]:
    """Return a builder of a Wide ResNet pair for images of the data's shape."""

    def build(data: Dataset, light_depth: int = light, sharing: Any = sharing) -> Pair:
        shape = data.train.x.shape[1:]  # type: ignore[union-attr]  # images are one array
        return wide_resnet_pair(light_depth, booster, width, data.num_classes, shape, sharing, booster_dropout)

    return build


def mobile(light: Any, depth: int, width: int) -> Callable[..., Pair]:
    """Return a builder of a mobile light net under a Wide ResNet, for images of the data's shape."""

    def build(data: Dataset, light: Any = light) -> Pair:
        shape = data.train.x.shape[1:]  # type: ignore[union-attr]  # images are one array
        return mobile_pair(light, depth, width, data.num_classes, shape)

    return build


def ctr(light_units: tuple[int, ...], booster_units: tuple[int, ...], **fixed: Any) -> Callable[..., Pair]:
    """Return a builder of a click-through-rate pair; `privileged=True` lets its booster read the privileged columns."""
    units = {"light_units": light_units, "booster_units": booster_units}

    def build(data: Dataset, privileged: bool = False, **options: Any) -> Pair:
        features = [feature for feature in data.features if privileged or not feature.privileged]
        return ctr_pair(features, **{**fixed, **units, **options})

    return build


def ctr_space(booster_units: tuple[int, ...], **fixed: Any) -> Callable[[Dataset], PairBuilder]:
    """Return what makes the builder of a search over light nets, without the data's privileged columns.

    The light nets are of at most three layers, each narrower than the booster's widest.
    """

    def space(data: Dataset) -> PairBuilder:
        features = [feature for feature in data.features if not feature.privileged]
        units = [width for width in (8, 16, 32, 64, 128, 256, 512) if width < max(booster_units)]
        return ctr_pair_builder(features, units=units, booster_units=booster_units, **fixed)

    return space


def wide_resnet_space(booster: int, width: int, booster_dropout: float = 0.0) -> Callable[[Dataset], PairBuilder]:
    """Return what makes the builder of a search over the depth and the sharing of a Wide ResNet's light net."""

    def space(data: Dataset) -> PairBuilder:
        shape = data.train.x.shape[1:]  # type: ignore[union-attr]  # images are one array
        fixed: dict[str, Any] = {"width": width, "num_classes": data.num_classes, "booster_dropout": booster_dropout}
        depths = [depth for depth in (10, 16, 22, 28) if depth < booster]
        return wide_resnet_pair_builder(depths, booster_depth=booster, input_shape=shape, **fixed)

    return space


WRN_VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "interval": {"sharing": "interval"},
    "bottom": {"sharing": "bottom"},
    "unshared": {"sharing": "none"},
}


def ctr_variants(light: tuple[int, ...], privileged: bool = False) -> Mapping[str, Mapping[str, Any]]:
    """Return the variants of a click-through-rate pair whose light net has these units."""
    variants: dict[str, Mapping[str, Any]] = {
        "unshared": {"sharing": "none"},
        "ensemble": {"booster": "mlp_ensemble"},
        "private": {"private_dim": 4},
    }
    if privileged:
        variants["privileged"] = {"privileged": True}
        variants["privileged same size"] = {"privileged": True, "booster_units": light}
    return variants


def adam(rate: float) -> Callable[[int], keras.optimizers.Optimizer]:
    """Return Adam with a constant rate."""
    return lambda steps: keras.optimizers.Adam(rate)


# Keras decays weights beside the gradient, the authors' code through the momentum: 5e-4 there is 5e-4 / (1 - 0.9) here.
_MOMENTUM, _DECAY = 0.9, 5e-3


def sgd_cosine(steps: int) -> keras.optimizers.Optimizer:
    """SGD with Nesterov momentum, its rate falling from 0.1 to 0 along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    return keras.optimizers.SGD(rate, momentum=_MOMENTUM, nesterov=True, weight_decay=_DECAY)


def sgd_paper(
    shares: tuple[float, ...], rate: float = 0.1, drop: float = 0.2
) -> Callable[[int], keras.optimizers.Optimizer]:
    """SGD of the authors' code: the rate, times `drop` at each share of the training."""

    def sgd_paper(steps: int) -> keras.optimizers.Optimizer:
        return keras.optimizers.SGD(_falling(steps, rate, shares, drop), momentum=_MOMENTUM, weight_decay=_DECAY)

    return sgd_paper


def adam_falling(rate: float, shares: tuple[float, ...], drop: float) -> Callable[[int], keras.optimizers.Optimizer]:
    """Return Adam whose rate is multiplied by `drop` at each share of the training."""
    return lambda steps: keras.optimizers.Adam(_falling(steps, rate, shares, drop))


def _falling(
    steps: int, rate: float, shares: tuple[float, ...], drop: float
) -> keras.optimizers.schedules.LearningRateSchedule:
    rates = [rate * drop**i for i in range(len(shares) + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay([int(steps * share) for share in shares], rates)


CIFAR_AUGMENT = Augmentation("cifar_augment", cifar.CROPS, cifar.crop_and_flip)
"""Flip, pad by reflection and crop."""
