"""What learns every day: one training, or two after each other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from rocket_keras.architecture import describe_net
from rocket_keras.daily.settings import Daily
from rocket_keras.hints import SoftTargetHint
from rocket_keras.launch.batches import predict_logits
from rocket_keras.layers import Frozen
from rocket_keras.net_state import copy_state
from rocket_keras.pair import Pair
from rocket_keras.rocket import Rocket
from rocket_keras.sparse_net import SparseNet

PREDICT_BATCH = 4096
MakePair = Callable[[], Pair]


@dataclass(frozen=True)
class Part:
    """One training of a day.

    Attributes:
        name: Of its files.
        model: What is trained, compiled.
        heads: From the model's outputs to nets: `{"light": "light", ...}`; a net without a head is the whole output.
        begin: Called before it is trained, each day.
    """

    name: str
    model: keras.Model
    heads: Mapping[str, str | None]
    begin: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Learner:
    """The parts of a day in their order, and the net that serves.

    Attributes:
        light: The light net.
        parts: What is trained, one after the other.
    """

    light: keras.Model
    parts: tuple[Part, ...]

    def describe(self) -> dict[str, Any]:
        """Return the architecture of what each part trains, as JSON values by the part's name."""
        models = {part.name: part.model for part in self.parts}
        # The graph of a Rocket is its `joint`, that of a SparseNet its `net`.
        return {
            name: describe_net(getattr(model, "joint", getattr(model, "net", None))) for name, model in models.items()
        }

    def predict(self, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the logits `(rows,)` of every net.

        Args:
            x: Inputs, `(rows, ...)` each; columns that no net takes are ignored.
        """
        found: dict[str, np.ndarray] = {}
        for part in self.parts:
            outputs = predict_logits(part.model, x, PREDICT_BATCH)
            for net, head in part.heads.items():
                found[net] = (outputs if head is None else outputs[head])[:, 0]
        return found


def learner(plan: Daily, make: MakePair) -> Learner:
    """Build and compile what learns.

    Args:
        plan: Says the method.
        make: Builds a pair whose tables are `SparseEmbedding` layers.
    """
    return {"rocket": _rocket, "base": _base, "distilled": _distilled}[plan.method](plan, make)


def _rocket(plan: Daily, make: MakePair) -> Learner:
    pair = make()
    rocket = Rocket(pair, hint_weight=plan.hint_weight, light_to_shared=plan.light_to_shared)
    part = Part("rocket", _compiled(plan, rocket), {"light": "light", "booster": "booster"})
    return Learner(pair.light, (part,))


def _base(plan: Daily, make: MakePair) -> Learner:
    light = make().light
    return Learner(light, (Part("base", _compiled(plan, SparseNet(light)), {"light": None}),))


def _distilled(plan: Daily, make: MakePair) -> Learner:
    """Booster alone, and a light net with tables of its own below a frozen copy of it."""
    teacher, copied, light = make().booster, make().booster, make().light
    inputs = {tensor.name: tensor for tensor in copied.inputs}
    frozen = keras.Model(inputs, Frozen([copied], name="teacher")(inputs), name="frozen_booster")
    pair = Pair(light=light, booster=frozen)
    student = Rocket(pair, SoftTargetHint(temperature=plan.temperature), plan.hint_weight)

    def begin() -> None:
        copy_state(teacher, copied)

    parts = (
        Part("booster", _compiled(plan, SparseNet(teacher)), {"booster": None}),
        Part("light", _compiled(plan, student), {"light": "light"}, begin),
    )
    return Learner(light, parts)


def _compiled(plan: Daily, model: Any) -> keras.Model:
    model.compile(
        optimizer=plan.optimizer(),
        row_optimizer=plan.row_optimizer(),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.optimizer.build(model.trainable_variables)
    return model
