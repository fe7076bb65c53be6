"""Click-through-rate pairs: two towers of different size over shared embeddings."""

from collections.abc import Callable, Sequence

import keras
from keras import layers

from rocket_keras.layers import CategoricalEmbedding
from rocket_keras.pair import Pair
from zoo.features import Categorical, Numeric

Feature = Categorical | Numeric
Tower = Callable[[keras.KerasTensor, Sequence[int], int, str], keras.KerasTensor]


def mlp(x: keras.KerasTensor, units: Sequence[int], logits: int, name: str) -> keras.KerasTensor:
    """Dense layers with ReLU and a dense layer of logits: `(batch, n)` to `(batch, logits)`."""
    for i, width in enumerate(units):
        x = layers.Dense(width, activation="relu", name=f"{name}_dense{i}")(x)
    return layers.Dense(logits, dtype="float32", name=f"{name}_logits")(x)


TOWERS: dict[str, Tower] = {"mlp": mlp}


def ctr_pair(
    features: Sequence[Feature],
    light: str | Tower = "mlp",
    booster: str | Tower = "mlp",
    light_units: Sequence[int] = (200, 80),
    booster_units: Sequence[int] = (720, 360, 240, 180, 90),
    bottom_units: Sequence[int] = (),
    logits: int = 1,
) -> Pair:
    """Build a light and a booster tower over shared embeddings and dense features.

    The embeddings are looked up once for both nets; the towers are private, but for `bottom_units`.

    Args:
        features: `zoo.Categorical` and `zoo.Numeric` columns. Each is an input of its name, `(batch,)`.
        light, booster: A name in `zoo.ctr.TOWERS`, or a function `(x, units, logits, name) -> logits`.
        light_units, booster_units: Widths of the towers' hidden layers.
        bottom_units: Widths of dense layers that both nets share above the embeddings.
        logits: 1 for a click; 2 for the paper's two-class head.

    Returns:
        The pair, untrained. A 576-wide input with light units (200, 80) and 2 logits makes 131,360 multiply-adds.

    Raises:
        ValueError: No feature, a name twice, or an unknown tower.

    References:
        Zhou et al., Rocket Launching, AAAI 2018, section on display advertising.
    """
    names = [feature.name for feature in features]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"features must be at least one, each with a name of its own. Received: {names}.")
    light_tower, booster_tower = _tower("light", light), _tower("booster", booster)
    inputs = {f.name: keras.Input((), dtype=_dtype(f), name=f.name) for f in features}
    x = _embed(features, inputs)
    for i, width in enumerate(bottom_units):
        x = layers.Dense(width, activation="relu", name=f"shared_dense{i}")(x)
    light_model = keras.Model(inputs, light_tower(x, light_units, logits, "light"), name="light")
    booster_model = keras.Model(inputs, booster_tower(x, booster_units, logits, "booster"), name="booster")
    return Pair(light=light_model, booster=booster_model)


def _dtype(feature: Feature) -> str:
    return "int32" if isinstance(feature, Categorical) else "float32"


def _embed(features: Sequence[Feature], inputs: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
    """Look the categorical fields up, one table a width, and append the numbers: `(batch, n)`."""
    parts = []
    categorical = [feature for feature in features if isinstance(feature, Categorical)]
    for dim in sorted({feature.dim for feature in categorical}):
        fields = [feature for feature in categorical if feature.dim == dim]
        table = CategoricalEmbedding([f.size for f in fields], dim, name=f"shared_embedding_{dim}")
        parts.append(table([inputs[f.name] for f in fields]))
    numbers = [inputs[feature.name] for feature in features if isinstance(feature, Numeric)]
    parts += [layers.Reshape((1,), name=f"{number.name}_column")(number) for number in numbers]
    return layers.Concatenate(name="shared_features")(parts) if len(parts) > 1 else parts[0]


def _tower(argument: str, tower: str | Tower) -> Tower:
    if callable(tower):
        return tower
    if tower not in TOWERS:
        raise ValueError(f"{argument} must be one of {sorted(TOWERS)} or a function. Received: {tower!r}.")
    return TOWERS[tower]
