"""One wrapper around whatever makes the candidates: a pair builder, or a Keras Tuner user's own HyperModel."""

from collections.abc import Callable
from typing import Any

import keras
import keras_tuner

from rocket_keras import Pair, Rocket
from rocket_keras.columns_by_name import by_name

Builder = Callable[[Any], Pair | keras.Model]
"""From `keras_tuner.HyperParameters` to a pair, or to a compiled Rocket or model."""


class LightHyperModel(keras_tuner.HyperModel):
    """A HyperModel that also knows which net will serve.

    Args:
        builder: A function from `hp` to a `rocket_keras.Pair`, to a compiled `Rocket`, or to any compiled
            `keras.Model`, which then serves itself; or a `keras_tuner.HyperModel` whose `build` returns one of these,
            and whose `fit` trains it.
        compiled: What makes a pair into a compiled Rocket; needed where the builder returns pairs.
    """

    def __init__(self, builder: Builder | keras_tuner.HyperModel, compiled: Callable[[Pair], Rocket] | None = None):
        # Keras Tuner wraps `build` in its __init__, so what that needs comes first.
        self.inner = builder if isinstance(builder, keras_tuner.HyperModel) else None
        self.make: Builder = builder.build if isinstance(builder, keras_tuner.HyperModel) else builder
        self.compiled = compiled
        super().__init__(name=getattr(self.inner, "name", None))

    def candidate(self, hp: Any) -> Pair | keras.Model:
        """Return what the builder makes of `hp`, untrained.

        Raises:
            TypeError: That is neither a pair nor a model.
        """
        made = self.make(hp)
        if not isinstance(made, Pair | keras.Model):
            raise TypeError(
                f"expected the builder to return a rocket_keras.Pair or a keras.Model, received "
                f"{type(made).__name__}; return what is to be trained"
            )
        return made if isinstance(made, Pair) else by_name(made)

    def build(self, hp: Any) -> keras.Model:
        """Return a compiled model, as Keras Tuner wants it; a pair becomes a Rocket."""
        made = self.candidate(hp)
        if isinstance(made, Pair):
            return self.compiled(made) if self.compiled else Rocket(made)
        return made

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        """Train as the user's HyperModel does, else by `model.fit`."""
        if self.inner is not None:
            return self.inner.fit(hp, model, *args, **kwargs)
        return super().fit(hp, model, *args, **kwargs)


def served(candidate: Pair | keras.Model) -> keras.Model:
    """Return the net that will serve: the light net of a pair or Rocket, any other model itself."""
    pair = candidate if isinstance(candidate, Pair) else getattr(candidate, "pair", None)
    return pair.light if isinstance(pair, Pair) else candidate
