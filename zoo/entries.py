"""THE table: one row per entry of the zoo."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from rocket_keras.launch import Plan, Recipe
from rocket_keras.pair import Pair
from zoo.ctr import ctr_pair
from zoo.data import Dataset
from zoo.wide_resnet import wide_resnet_pair


@dataclass(frozen=True)
class Entry:
    """A light/booster pair, its data and its recipe.

    Attributes:
        name: `ARCH.RECIPE_BOOSTER_DATA`.
        short: A name to type, where the entry is the one to begin with on its data.
        load: `(data_dir, seed, train_rows) -> Dataset`.
        build: From the data set to the pair, untrained.
        recipe: How it is trained.
        licence: Terms of the data.
        paper: Where the recipe comes from.
        notes: Facts about the pair for its report.
    """

    name: str
    load: Callable[[Path | None, int, int | None], Dataset]
    build: Callable[[Dataset], Pair]
    recipe: Recipe
    licence: str
    paper: str
    short: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def plan(self, data_dir: Path | None = None, seed: int = 0, recipe: Recipe | None = None) -> Plan:
        """Load the data and return what `rocket_keras.launch.launch` needs; `recipe` replaces the entry's own."""
        recipe = recipe or self.recipe
        data = self.load(data_dir, seed, recipe.train_rows)
        return Plan(self.name, data, lambda: self.build(data), recipe, self.notes)


def list_entries() -> list[str]:
    """Return the names of all entries."""
    return [entry.name for entry in ENTRIES]


def get_entry(name: str) -> Entry:
    """Return the entry of that name or short name.

    Raises:
        KeyError: There is none; the message names the nearest.
    """
    known = {key: entry for entry in ENTRIES for key in (entry.short, entry.name) if key}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(known)}."
    raise KeyError(f"The zoo has no entry {name!r}. {hint}")


def _digits(data_dir: Path | None, seed: int, train_rows: int | None) -> Dataset:
    from zoo.data import digits

    return digits.load(data_dir, seed=seed, train_rows=train_rows)


def _ml1m(data_dir: Path | None, seed: int, train_rows: int | None) -> Dataset:
    from zoo.data import movielens

    return movielens.load(data_dir, seed=seed, train_rows=train_rows)


def _adsim(data_dir: Path | None, seed: int, train_rows: int | None) -> Dataset:
    from zoo.data import adsim

    return adsim.load(data_dir, seed=seed, train_rows=train_rows)


def _cifar10(data_dir: Path | None, seed: int, train_rows: int | None) -> Dataset:
    from zoo.data import cifar

    return cifar.normalised(cifar.load_cifar10(data_dir, seed=seed, train_rows=train_rows))


def _wide_resnet(light: int, booster: int, width: int, sharing: Any) -> Callable[[Dataset], Pair]:
    def build(data: Dataset) -> Pair:
        shape = data.train.x.shape[1:]  # type: ignore[union-attr]  # images are one array
        return wide_resnet_pair(light, booster, width, data.num_classes, shape, sharing)

    return build


def _mlp(light: tuple[int, ...], booster: tuple[int, ...]) -> Callable[[Dataset], Pair]:
    return lambda data: ctr_pair(data.features, light_units=light, booster_units=booster)


def _adam(rate: float) -> Callable[[int], keras.optimizers.Optimizer]:
    return lambda steps: keras.optimizers.Adam(rate)


# Keras decays weights beside the gradient, the authors' code through the momentum: 5e-4 there is 5e-4 / (1 - 0.9) here.
_MOMENTUM, _DECAY = 0.9, 5e-3


def _sgd_cosine(steps: int) -> keras.optimizers.Optimizer:
    """SGD with Nesterov momentum, its rate falling from 0.1 to 0 along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    return keras.optimizers.SGD(rate, momentum=_MOMENTUM, nesterov=True, weight_decay=_DECAY)


def _sgd_paper(shares: tuple[float, ...]) -> Callable[[int], keras.optimizers.Optimizer]:
    """SGD of the authors' code: rate 0.1, times 0.2 at each share of the training."""

    def sgd_paper(steps: int) -> keras.optimizers.Optimizer:
        rates = [0.1 * 0.2**i for i in range(len(shares) + 1)]
        rate = keras.optimizers.schedules.PiecewiseConstantDecay([int(steps * share) for share in shares], rates)
        return keras.optimizers.SGD(rate, momentum=_MOMENTUM, weight_decay=_DECAY)

    return sgd_paper


def _cifar_augment(images: Any, seed: int) -> Any:
    from zoo.data import cifar

    return cifar.augment(images, seed)


_PAPER = "Zhou et al., Rocket Launching, AAAI 2018"
_MOVIELENS = "MovieLens: research use, no redistribution, no commercial use"
_CIFAR = "CIFAR-10: free to use, cite Krizhevsky 2009"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="wrn10_1.rocket_wrn28_1_digits",
        short="digits",
        load=_digits,
        build=_wide_resnet(10, 28, 1, "interval"),
        recipe=Recipe(epochs=60, batch_size=32, optimizer=_sgd_cosine, train_rows=400),
        licence="UCI Optical Recognition of Handwritten Digits: CC BY 4.0",
        paper=_PAPER,
        notes={"sharing": "interval"},
    ),
    Entry(
        name="mlp.rocket_mlp_ml1m",
        short="ml1m",
        load=_ml1m,
        build=_mlp((32, 16), (512, 256, 128)),
        recipe=Recipe(
            epochs=6, batch_size=2048, optimizer=_adam(1e-3), hint_weight=1.0, light_to_shared=False, serving_batch=200
        ),
        licence=_MOVIELENS,
        paper=_PAPER,
        notes={"light": "32-16", "booster": "512-256-128", "sharing": "embeddings"},
    ),
    Entry(
        name="mlp.rocket_mlp_adsim",
        short="adsim",
        load=_adsim,
        build=_mlp((16, 8), (256, 128, 64)),
        recipe=Recipe(
            epochs=3, batch_size=1024, optimizer=_adam(2e-3), hint_weight=1.0, light_to_shared=False, serving_batch=200
        ),
        licence="made by this project: Apache-2.0",
        paper=_PAPER,
        notes={"light": "16-8", "booster": "256-128-64", "sharing": "embeddings"},
    ),
    Entry(
        name="wrn16_1.rocket_wrn40_1_cifar10",
        load=_cifar10,
        build=_wide_resnet(16, 40, 1, "interval"),
        recipe=Recipe(epochs=200, batch_size=128, optimizer=_sgd_paper((0.3, 0.6, 0.8)), augment=_cifar_augment),
        licence=_CIFAR,
        paper=_PAPER,
        notes={"sharing": "interval"},
    ),
    Entry(
        name="wrn16_1.rocket_bottom_wrn40_1_cifar10",
        load=_cifar10,
        build=_wide_resnet(16, 40, 1, "bottom"),
        recipe=Recipe(epochs=200, batch_size=128, optimizer=_sgd_paper((0.35, 0.65, 0.95)), augment=_cifar_augment),
        licence=_CIFAR,
        paper=_PAPER,
        notes={"sharing": "bottom"},
    ),
)
