"""The zoo's images: Wide ResNet pairs, and mobile nets under a Wide ResNet."""

from dataclasses import replace
from typing import Any

from rocket_keras.launch import Recipe
from zoo import parts
from zoo.data import digits
from zoo.entry import Entry, Weights
from zoo.preset import File
from zoo.wide_resnet import group_taps

_PAPER = "Zhou et al., Rocket Launching, AAAI 2018"
_CIFAR10: dict[str, Any] = {"load": parts.load_cifar10, "licence": "CIFAR-10: free to use, cite Krizhevsky 2009"}
_CIFAR100: dict[str, Any] = {"load": parts.load_cifar100, "licence": "CIFAR-100: free to use, cite Krizhevsky 2009"}
_SVHN: dict[str, Any] = {"load": parts.load_svhn, "licence": "SVHN: non-commercial use, cite Netzer et al. 2011"}

_CIFAR_RECIPE = Recipe(
    epochs=200, batch_size=128, optimizer=parts.sgd_paper((0.3, 0.6, 0.8)), augment=parts.CIFAR_AUGMENT
)
_CRD_RECIPE = Recipe(
    epochs=240,
    batch_size=64,
    optimizer=parts.sgd_paper((150 / 240, 180 / 240, 210 / 240), rate=0.05, drop=0.1),
    augment=parts.CIFAR_AUGMENT,
)


def _wide_resnet(
    light: int, booster: int, width: int = 1, sharing: str = "interval", dropout: float = 0.0, **rest: Any
) -> Entry:
    """Make the row of a WRN-`light`-`width` under a WRN-`booster`-`width`; `rest` are fields of the row."""
    return Entry(
        build=parts.wide_resnet(light, booster, width, sharing, dropout),
        space=parts.wide_resnet_space(booster, width, dropout),
        notes={"sharing": sharing, **({"booster dropout": dropout} if dropout else {})},
        variants=parts.WRN_VARIANTS,
        taps=group_taps,
        maps=True,
        **{"paper": _PAPER, **rest},
    )


def _depths(*depths: int) -> dict[str, dict[str, int]]:
    return {str(depth): {"light_depth": depth} for depth in depths}


IMAGE_ENTRIES: tuple[Entry, ...] = (
    _wide_resnet(
        10,
        28,
        name="wrn10_1.rocket_wrn28_1_digits",
        short="digits",
        load=digits.load,
        recipe=Recipe(epochs=60, batch_size=32, optimizer=parts.sgd_cosine, train_rows=400),
        licence="UCI Optical Recognition of Handwritten Digits: CC BY 4.0",
        sweep=_depths(10, 16, 22),
        limits="Grey 8 x 8 images of single digits, written by 43 people; for trials, not for reading documents.",
        weights=Weights(
            light=File("a033a403607905adb44a505905eeab438f25c8a1296d5efd79829ee0f582d92d", 392192),
            booster=File("60af3942ab2357c2741f374d181c8bb8d7260e65c3c4b2f3a2987cfdfde1d66a", 1725480),
            metadata=File("72faad19e29215b688994dd06363d4b41af8092ecec2137090194f9c32c54bab", 7457),
        ),
    ),
    _wide_resnet(
        16,
        40,
        name="wrn16_1.rocket_wrn40_1_cifar10",
        recipe=_CIFAR_RECIPE,
        sweep=_depths(10, 16, 22, 28),
        **_CIFAR10,
    ),
    _wide_resnet(
        16,
        40,
        sharing="bottom",
        name="wrn16_1.rocket_bottom_wrn40_1_cifar10",
        recipe=replace(_CIFAR_RECIPE, optimizer=parts.sgd_paper((0.35, 0.65, 0.95))),
        **_CIFAR10,
    ),
    _wide_resnet(16, 40, 2, name="wrn16_2.rocket_wrn40_2_cifar10", recipe=_CIFAR_RECIPE, **_CIFAR10),
    _wide_resnet(16, 40, name="wrn16_1.rocket_wrn40_1_cifar100", recipe=_CIFAR_RECIPE, **_CIFAR100),
    _wide_resnet(
        16,
        40,
        2,
        name="wrn16_2.rocket_wrn40_2_cifar100",
        recipe=_CRD_RECIPE,
        paper=f"{_PAPER}; recipe of Tian et al., Contrastive Representation Distillation, ICLR 2020",
        **_CIFAR100,
    ),
    # The paper tells where the rate falls (20, 40, 60), not how long the training is.
    _wide_resnet(
        16,
        40,
        dropout=0.2,
        name="wrn16_1.rocket_wrn40_1_svhn",
        recipe=Recipe(epochs=80, batch_size=128, optimizer=parts.adam_falling(1e-3, (0.25, 0.5, 0.75), 0.2)),
        **_SVHN,
    ),
    Entry(
        name="shufflenet_v2.rocket_wrn40_2_cifar10",
        build=parts.mobile("shufflenet_v2", 40, 2),
        recipe=_CIFAR_RECIPE,
        paper=f"{_PAPER}; Ma et al., ShuffleNet V2, ECCV 2018",
        notes={"sharing": "none"},
        variants={"mobilenet_v2": {"light": "mobilenet_v2"}},
        **_CIFAR10,
    ),
)
