"""What a row of a click log holds, as plain values: the features that a CTR builder turns into inputs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Categorical:
    """A feature of one id a row, looked up in an embedding table.

    Args:
        name: The input's name, and the key of the feature in a data set's `x`.
        size: Number of ids; ids are integers from 0 to `size - 1`.
        dim: Width of an id's embedding vector.

    Raises:
        ValueError: The name is empty or holds a slash, or `size` or `dim` is not a positive integer.
    """

    name: str
    size: int
    dim: int = 16

    def __post_init__(self) -> None:
        _check_name(self.name)
        for argument in ("size", "dim"):
            value = getattr(self, argument)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"expected `{argument}` of Categorical {self.name!r} to be a positive integer, "
                    f"received {value!r}; give the number of {'ids' if argument == 'size' else 'embedding columns'}"
                )


@dataclass(frozen=True)
class Numeric:
    """A feature of one float a row, fed to the nets as it is: standardise it in the loader.

    Args:
        name: The input's name, and the key of the feature in a data set's `x`.

    Raises:
        ValueError: The name is empty or holds a slash.
    """

    name: str

    def __post_init__(self) -> None:
        _check_name(self.name)


def _check_name(name: str) -> None:
    # Keras refuses a slash in a layer's name, but only deep inside the builder.
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"expected a feature's name without '/', received {name!r}; name it like a column of a table")
