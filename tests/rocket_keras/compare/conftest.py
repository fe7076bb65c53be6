"""Two plans that train in moments: classes of tiny images, and clicks with a privileged column."""

import dataclasses
import io
from functools import partial

import keras
import numpy as np
import pytest
from rich.console import Console

import zoo
from rocket_keras import Pair
from rocket_keras.launch import Plan, Recipe
from rocket_keras.launch.recipe import Augmentation
from zoo import parts
from zoo.ctr import hidden_taps
from zoo.data import Dataset, Split

FEATURES = (
    zoo.Categorical("user_id", 8, dim=4),
    zoo.Categorical("item_id", 6, dim=4),
    zoo.Numeric("age"),
    zoo.Numeric("dwell", privileged=True),
)
TAPS = (("light_map0", "booster_map0"), ("light_map1", "booster_map1"))


def image_data():
    """Three classes, each a brighter third of a 6x6 image; some rows without labels."""
    rng = np.random.default_rng(0)

    def part(rows):
        y = (np.arange(rows) % 3).astype("int32")
        x = rng.normal(size=(rows, 6, 6, 1))
        for row, label in enumerate(y):
            x[row, 2 * label : 2 * label + 2] += 1.0
        return Split(x.astype("float32"), y)

    train, more = part(48), part(32)
    return Dataset(
        "made-up images",
        train,
        part(24),
        part(24),
        num_classes=3,
        source="made up",
        unlabelled=Split(more.x, np.full_like(more.y, -1)),
    )


def image_pair(sharing="interval"):
    """Two 1x1 convolutions a net, with BatchNorm; the booster is wider: its maps have more channels."""

    def convolution(filters, name):
        # As a dense layer on the channels: compiled convolutions would take most of the tests' time.
        return keras.layers.Dense(filters, "tanh", name=name)

    images = keras.Input((6, 6, 1), name="image")
    patches = keras.layers.Reshape((3, 3, 4))(images)
    stem = convolution(4, "stem")(patches)
    second = convolution(4, "second")(stem)
    nets = {}
    for head, filters in (("light", 4), ("booster", 6)):
        low = {"interval": stem, "bottom": second}.get(sharing)
        x = convolution(4, f"{head}_stem")(patches) if low is None else low
        x = convolution(filters, f"{head}_map0")(x)
        x = keras.layers.BatchNormalization(name=f"{head}_norm")(x)
        x = convolution(filters, f"{head}_map1")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        nets[head] = keras.Model(images, keras.layers.Dense(3, name=f"{head}_logits")(x), name=head)
    return Pair(**nets)


def click_data():
    """Clicks that depend on the age and on user and item together; the dwell time knows them half-way."""
    rng = np.random.default_rng(1)

    def part(rows):
        x = {f.name: rng.integers(0, f.size, rows).astype("int32") for f in FEATURES[:2]}
        x["age"] = rng.normal(size=rows).astype("float32")
        chance = 1 / (1 + np.exp(-x["age"] - (x["user_id"] % 3 - 1) * (x["item_id"] % 2 - 0.5) * 4))
        y = (rng.random(rows) < chance).astype("float32")
        x["dwell"] = (y + rng.normal(size=rows)).astype("float32")
        return Split(x, y, x["user_id"])

    return Dataset("made-up clicks", part(64), part(60), part(60), num_classes=2, source="made up", features=FEATURES)


def sgd(steps):
    return keras.optimizers.SGD(0.05, momentum=0.9)


def unchanged(images, choice):
    return images


UNCHANGED = Augmentation("unchanged", 2, unchanged)
"""Changes nothing: teachers run in the graph, on the images that they would see anyhow."""


@dataclasses.dataclass(frozen=True)
class ToyPlan:
    """From a seed to a toy plan; equal ones share their data.

    Attributes:
        kind: `"images"` or `"click"`.
        augmented: Whether the images pass an augmentation that changes nothing.
        epochs: Epochs of the recipe.
        light_to_shared: The recipe's switch.
    """

    kind: str = "images"
    augmented: bool = False
    epochs: int = 1
    light_to_shared: bool = True

    def __call__(self, seed):
        """Return the plan; its data are the same at every seed."""
        recipe = Recipe(
            epochs=self.epochs,
            batch_size=16,
            optimizer=sgd if self.kind == "images" else parts.adam(0.01),
            hint_weight=0.3,
            light_to_shared=self.light_to_shared,
            serving_batch=8,
            augment=UNCHANGED if self.augmented else None,
        )
        if self.kind == "images":
            variants = {"own": {}, **parts.WRN_VARIANTS}
            return Plan(
                "toy.images", image_data(), image_pair, recipe, variants=variants, taps=lambda pair: TAPS, maps=True
            )
        data = click_data()
        variants = {
            "own": {},
            **parts.ctr_variants((4,), privileged=True),
            "private user": {"share_except": ["user_id"]},
        }
        build = partial(parts.ctr((4,), (8,)), data)
        return Plan("toy.clicks", data, build, recipe, variants=variants, taps=hidden_taps)


@pytest.fixture(scope="session")
def make_toy_plan():
    """`ToyPlan`: from the kind of data and some switches to a function from a seed to a plan."""
    return ToyPlan


@pytest.fixture(scope="session")
def quiet():
    """A console that nobody sees."""
    return Console(file=io.StringIO())
