"""What a row of the zoo's table is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rocket_keras.launch import Plan, Recipe
from rocket_keras.launch.recipe import Tap
from rocket_keras.pair import Pair
from zoo.data import Dataset
from zoo.preset import BOOSTER, LIGHT, METADATA, File, Preset
from zoo.spaces import PairBuilder


@dataclass(frozen=True)
class Weights:
    """Pretrained weights of an entry: a preset folder.

    Attributes:
        light, booster: SHA-256 and size of either net's weights.
        metadata: Those of `metadata.json`, which in turn names the folder's other files.
        url: Where the folder is; None: in the package.
    """

    light: File
    booster: File
    metadata: File
    url: str | None = None

    @property
    def files(self) -> dict[str, File]:
        """The three files by name."""
        return {LIGHT: self.light, BOOSTER: self.booster, METADATA: self.metadata}


@dataclass(frozen=True)
class Entry:
    """A light/booster pair, its data and its recipe.

    Attributes:
        name: `ARCH.RECIPE_BOOSTER_DATA`.
        short: A name to type, where the entry is the one to begin with on its data.
        load: `(data_dir, *, seed, train_rows) -> Dataset`.
        build: From the data set, and options of the builder, to the pair, untrained.
        recipe: How it is trained.
        licence: Terms of the data.
        paper: Where the recipe comes from.
        notes: Facts about the pair for its report.
        variants: Builder options of the pairs that methods ask for beside the entry's own.
        taps, maps: The layers that hints on features compare, and whether they are maps.
        sweep: Builder options of the light nets of a depth sweep, by label.
        space: From the data set to the builder of a search; None for an entry that has none.
        method: Name of the row of `rocket_keras.methods.METHODS` by which the pretrained weights are made.
        weights: The pretrained weights; None for an entry that is a recipe only.
        limits: What a user of the weights should know, for the card.
    """

    name: str
    load: Callable[..., Dataset]
    build: Callable[..., Pair]
    recipe: Recipe
    licence: str
    paper: str
    short: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    taps: Callable[[Pair], tuple[Tap, ...]] | None = None
    maps: bool = False
    sweep: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    space: Callable[[Dataset], PairBuilder] | None = None
    method: str = "rocket"
    weights: Weights | None = None
    limits: str = ""

    def preset(self) -> Preset:
        """Return where the pretrained weights lie.

        Raises:
            ValueError: The entry is a recipe only.
        """
        if self.weights is None:
            raise ValueError(
                f"expected an entry with pretrained weights, received {self.name!r}, which is a recipe only; train it "
                f"with: rocket-keras launch {self.short or self.name}"
            )
        packaged = Path(__file__).parent / "weights" / self.name
        return Preset(self.weights.url or str(packaged), self.weights.files)

    def builder(self, data: Dataset) -> PairBuilder:
        """Return the builder of a search over light nets under this entry's booster.

        Raises:
            ValueError: The entry has none.
        """
        if self.space is None:
            raise ValueError(
                f"expected an entry with light nets to search over, received {self.name!r}; give tuning.search a "
                "builder of your own"
            )
        return self.space(data)

    def plan(self, data_dir: Path | None = None, seed: int = 0, recipe: Recipe | None = None) -> Plan:
        """Load the data and return what `launch` and `compare` need; `recipe` replaces the entry's own."""
        recipe = recipe or self.recipe
        data = self.load(data_dir, seed=seed, train_rows=recipe.train_rows)
        return Plan(
            name=self.name,
            data=data,
            build=partial(self.build, data),
            recipe=recipe,
            notes=self.notes,
            variants={"own": {}, **self.variants},
            taps=self.taps,
            maps=self.maps,
            sweep=self.sweep,
        )
