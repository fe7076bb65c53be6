"""What a row of a click log holds, as plain values: the features that a CTR builder turns into inputs."""

from collections.abc import Mapping
from dataclasses import dataclass

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import PAD, SIDES, Field, HistoryField, IdsField, NumberField

__all__ = ["PAD", "SIDES", "Categorical", "Feature", "History", "MultiCategorical", "Numeric", "features_of"]


@dataclass(frozen=True)
class Categorical:
    """A feature of one id a row, looked up in an embedding table.

    Args:
        name: The input's name, and the key of the feature in a data set's `x`.
        size: Number of ids; ids are integers from 0 to `size - 1`.
        dim: Width of an id's embedding vector.
        side: What the feature belongs to: "user", "item", or "context" (the impression, or both). A two-tower
            net reads the user's and the item's features in a tower each.
        privileged: Known in training only (a call's duration): the booster net may read it, the light net never.

    Raises:
        ValueError: The name is empty or holds a slash, `size` or `dim` is not a positive integer, `side` is not one
            of the three or `privileged` is not a bool.
    """

    name: str
    size: int
    dim: int = 16
    side: str = "context"
    privileged: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_role(self.name, self.side, self.privileged)
        _check_counts(self, size="ids", dim="embedding columns")


@dataclass(frozen=True)
class Numeric:
    """A feature of one float a row, fed to the nets as it is: standardise it in the loader.

    Args:
        name: The input's name, and the key of the feature in a data set's `x`.
        side: What the feature belongs to: "user", "item", or "context" (the impression, or both). A two-tower
            net reads the user's and the item's features in a tower each.
        privileged: Known in training only (a call's duration): the booster net may read it, the light net never.

    Raises:
        ValueError: The name is empty or holds a slash, `side` is not one of the three or `privileged` is not a bool.
    """

    name: str
    side: str = "context"
    privileged: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_role(self.name, self.side, self.privileged)


@dataclass(frozen=True)
class MultiCategorical:
    """A feature of several ids a row (a film's genres), looked up in one embedding table; nets read their mean.

    Args:
        name: The input's name, and the key of the feature in a data set's `x`.
        size: Number of ids; ids are integers from 0 to `size - 1`.
        length: Places a row, so that the column is `(rows, length)`. `zoo.features.PAD` (-1) fills those not used; a
            row without any id has a mean of zeros.
        dim: Width of an id's embedding vector.
        side, privileged: As in `Categorical`.

    Raises:
        ValueError: As in `Categorical`, or `length` is not a positive integer.
    """

    name: str
    size: int
    length: int
    dim: int = 16
    side: str = "context"
    privileged: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_role(self.name, self.side, self.privileged)
        _check_counts(self, size="ids", length="places a row", dim="embedding columns")


@dataclass(frozen=True)
class History:
    """What a user met before, as ids of another feature, in that feature's embedding table.

    A net with target attention (DIN) weighs the events by their likeness to the row's own id of that feature; others
    read the mean.

    Args:
        name: The input's name, and the key of the feature in a data set's `x`.
        of: Name of the `Categorical` feature whose ids and table it has: the item's id.
        length: Places a row, so that the column is `(rows, length)`, oldest first. `zoo.features.PAD` (-1) fills the
            places after the last event; a row without any event has a mean of zeros.
        side, privileged: As in `Categorical`.

    Raises:
        ValueError: As in `Categorical`, `of` is no name, or `length` is not a positive integer.

    References:
        Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018.
    """

    name: str
    of: str
    length: int
    side: str = "user"
    privileged: bool = False

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_name(self.of)
        _check_role(self.name, self.side, self.privileged)
        _check_counts(self, length="places a row")


Feature = Categorical | Numeric | MultiCategorical | History


def _check_counts(feature: Categorical | MultiCategorical | History, **meaning: str) -> None:
    for argument, counted in meaning.items():
        value = getattr(feature, argument)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(
                f"expected `{argument}` of {type(feature).__name__} {feature.name!r} to be a positive integer, "
                f"received {value!r}; give the number of {counted}"
            )


def _check_name(name: str) -> None:
    # Keras refuses a slash in a layer's name, but only deep inside the builder.
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"expected a feature's name without '/', received {name!r}; name it like a column of a table")


def _check_role(name: str, side: str, privileged: bool) -> None:
    if side not in SIDES:
        raise ValueError(
            f"expected `side` of feature {name!r} to be 'user', 'item' or 'context', received {side!r}; "
            "name what the feature belongs to"
        )
    if not isinstance(privileged, bool):
        raise ValueError(
            f"expected `privileged` of feature {name!r} to be True or False, received {privileged!r}; "
            "give True for what is known in training only"
        )


def features_of(encoder: Encoder, dim: int = 16, sizes: Mapping[str, int] | None = None) -> tuple[Feature, ...]:
    """The features of the columns that an encoder makes, in its order.

    Args:
        encoder: Its fields say what each column is, and whose.
        dim: Width of all embeddings.
        sizes: Number of ids by field, where a table shall have other rows than the vocabulary needs.

    Raises:
        ValueError: A size below that of the vocabulary, or what the features themselves refuse.
    """
    return tuple(_feature(field, dim, sizes or {}) for field in encoder.fields)


def _feature(field: Field, dim: int, sizes: Mapping[str, int]) -> Feature:
    name, side, privileged = field.name, field.side, field.privileged
    if isinstance(field, NumberField):
        return Numeric(name, side, privileged)
    if isinstance(field, HistoryField):
        return History(name, field.of, field.length, side, privileged)
    size = sizes.get(name, field.size)
    if size < field.size:
        raise ValueError(
            f"expected a size of at least {field.size} for field {name!r}, received {size}; its vocabulary has so many "
            "ids"
        )
    if isinstance(field, IdsField):
        return MultiCategorical(name, size, field.length, dim, side, privileged)
    return Categorical(name, size, dim, side, privileged)
