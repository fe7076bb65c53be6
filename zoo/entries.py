"""THE table: one row per entry of the zoo."""

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rocket_keras.launch import Plan, Recipe
from zoo import parts
from zoo.ctr import hidden_taps
from zoo.entry import Entry, Weights
from zoo.preset import File
from zoo.wide_resnet import group_taps

_PAPER = "Zhou et al., Rocket Launching, AAAI 2018"
_MOVIELENS = "MovieLens: research use, no redistribution, no commercial use"
_UCI = "UCI Machine Learning Repository: CC BY 4.0"
_CIFAR = "CIFAR-10: free to use, cite Krizhevsky 2009"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="wrn10_1.rocket_wrn28_1_digits",
        short="digits",
        load=parts.load_digits,
        build=parts.wide_resnet(10, 28, 1, "interval"),
        recipe=Recipe(epochs=60, batch_size=32, optimizer=parts.sgd_cosine, train_rows=400),
        licence="UCI Optical Recognition of Handwritten Digits: CC BY 4.0",
        paper=_PAPER,
        notes={"sharing": "interval"},
        variants=parts.WRN_VARIANTS,
        taps=group_taps,
        maps=True,
        sweep={str(depth): {"light_depth": depth} for depth in (10, 16, 22)},
        limits="Grey 8 x 8 images of single digits, written by 43 people; for trials, not for reading documents.",
    ),
    Entry(
        name="mlp.rocket_mlp_ml1m",
        short="ml1m",
        load=parts.load_ml1m,
        build=parts.ctr((32, 16), (512, 256, 128)),
        recipe=Recipe(
            epochs=6,
            batch_size=2048,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_MOVIELENS,
        paper=_PAPER,
        notes={"light": "32-16", "booster": "512-256-128", "sharing": "embeddings"},
        variants={**parts.ctr_variants((32, 16), privileged=True), "private user": {"share_except": ("user_id",)}},
        taps=hidden_taps,
        sweep={"1": {"light_units": (32,)}, "2": {"light_units": (32, 16)}, "3": {"light_units": (64, 32, 16)}},
        limits="The rows are ratings: the nets rank films that a user has chosen to rate, not all films. New users and "
        "films share the vector of unseen ids.",
    ),
    Entry(
        name="two_tower.rocket_mlp_ml1m",
        short="ml1m-coarse",
        load=parts.load_ml1m,
        build=parts.ctr((64, 32), (512, 256, 128), light="two_tower"),
        recipe=Recipe(
            epochs=6,
            batch_size=2048,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_MOVIELENS,
        paper="Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020, coarse-grained ranking",
        notes={"light": "two towers 64-32, cosine x 5", "booster": "512-256-128", "sharing": "embeddings"},
        variants={**parts.ctr_variants((64, 32), privileged=True), "private user": {"share_except": ("user_id",)}},
    ),
    Entry(
        name="mlp.rocket_mlp_adsim",
        short="adsim",
        load=parts.load_adsim,
        build=parts.ctr((16, 8), (256, 128, 64)),
        recipe=Recipe(
            epochs=3,
            batch_size=1024,
            optimizer=parts.adam(2e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence="made by this project: Apache-2.0",
        paper=_PAPER,
        notes={"light": "16-8", "booster": "256-128-64", "sharing": "embeddings"},
        variants={**parts.ctr_variants((16, 8)), "private user": {"share_except": ("user_id",)}},
        taps=hidden_taps,
        sweep={"1": {"light_units": (16,)}, "2": {"light_units": (16, 8)}, "3": {"light_units": (32, 16, 8)}},
        limits="The log is simulated: the nets show how rocket launching works and know nothing of real ads.",
    ),
    Entry(
        name="mlp.pfd_mlp_bank",
        method="pfd",
        short="bank",
        load=parts.load_bank,
        build=parts.ctr((16, 8), (256, 128, 64)),
        recipe=Recipe(
            epochs=10,
            batch_size=256,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_UCI,
        paper="Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020",
        notes={"light": "16-8", "booster": "256-128-64", "sharing": "embeddings", "privileged": "call duration"},
        variants=parts.ctr_variants((16, 8), privileged=True),
        taps=hidden_taps,
        sweep={"1": {"light_units": (16,)}, "2": {"light_units": (16, 8)}, "3": {"light_units": (32, 16, 8)}},
        limits="Calls of one Portuguese bank, 2008 to 2010. Without the call's duration a subscription is hard to "
        "foretell. Not for decisions on people: age, job and marital status are among the inputs.",
        weights=Weights(
            light=File("247ced093652b9523fae3e5d51359cfeaca62cba9bb0b237b967071881008f30", 70688),
            booster=File("546de8437a2301824c203eeb6f5b053ac52526366218f2327e7cbed8254a1137", 76248),
            metadata=File("46cdd425db8694b7713a215134b95776cbd1f34c9b42e0b78a47ff8e7fc95ad8", 7037),
        ),
    ),
    Entry(
        name="mlp.pfd_mlp_shoppers",
        method="pfd",
        short="shoppers",
        load=parts.load_shoppers,
        build=parts.ctr((16, 8), (256, 128, 64)),
        recipe=Recipe(
            epochs=15,
            batch_size=128,
            optimizer=parts.adam(1e-3),
            hint_weight=1.0,
            light_to_shared=False,
            serving_batch=200,
        ),
        licence=_UCI,
        paper="Xu et al., Privileged Features Distillation at Taobao Recommendations, KDD 2020",
        notes={"light": "16-8", "booster": "256-128-64", "sharing": "embeddings", "privileged": "dwell, page values"},
        variants=parts.ctr_variants((16, 8), privileged=True),
        taps=hidden_taps,
        sweep={"1": {"light_units": (16,)}, "2": {"light_units": (16, 8)}, "3": {"light_units": (32, 16, 8)}},
        limits="Sessions of one web shop within one year; 12,330 rows, so that the spread over seeds is wide.",
        weights=Weights(
            light=File("d00c8413abb29cd6b84dc77f9c4ed963fd5a4912df8151295c16b50abd6930f4", 64176),
            booster=File("fd4eae1d60ce73cb7e8057201fd173cb5d5c0a214a9172f037cfdd427db15056", 83408),
            metadata=File("e1558e11dc851b5bee8b5e7d5114fa93798dfcc0c3684ab695a6d14d8a40eb74", 7455),
        ),
    ),
    Entry(
        name="wrn16_1.rocket_wrn40_1_cifar10",
        load=parts.load_cifar10,
        build=parts.wide_resnet(16, 40, 1, "interval"),
        recipe=Recipe(
            epochs=200, batch_size=128, optimizer=parts.sgd_paper((0.3, 0.6, 0.8)), augment=parts.cifar_augment
        ),
        licence=_CIFAR,
        paper=_PAPER,
        notes={"sharing": "interval"},
        variants=parts.WRN_VARIANTS,
        taps=group_taps,
        maps=True,
        sweep={str(depth): {"light_depth": depth} for depth in (10, 16, 22, 28)},
    ),
    Entry(
        name="wrn16_1.rocket_bottom_wrn40_1_cifar10",
        load=parts.load_cifar10,
        build=parts.wide_resnet(16, 40, 1, "bottom"),
        recipe=Recipe(
            epochs=200, batch_size=128, optimizer=parts.sgd_paper((0.35, 0.65, 0.95)), augment=parts.cifar_augment
        ),
        licence=_CIFAR,
        paper=_PAPER,
        notes={"sharing": "bottom"},
        variants=parts.WRN_VARIANTS,
        taps=group_taps,
        maps=True,
    ),
)


def list_entries(pretrained: bool | None = None) -> list[str]:
    """Return the names of the entries: all, those with weights (`True`), or those that are recipes only (`False`)."""
    return [entry.name for entry in ENTRIES if pretrained is None or pretrained == (entry.weights is not None)]


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


@dataclass(frozen=True)
class MakePlan:
    """From a seed to an entry's plan; a plain value, so that other processes can make the same plan.

    Attributes:
        entry: Name or short name.
        data_dir: Folder of the downloads.
        changes: Fields of the recipe that are replaced, as pairs.
    """

    entry: str
    data_dir: Path | None = None
    changes: tuple[tuple[str, Any], ...] = ()

    def __call__(self, seed: int) -> Plan:
        """Load the seed's data and return the plan."""
        row = get_entry(self.entry)
        return row.plan(self.data_dir, seed, replace(row.recipe, **dict(self.changes)))
