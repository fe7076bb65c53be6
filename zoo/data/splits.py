"""What every loader returns: train, validation and test rows, checked once and named by their content."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rocket_keras.encoding import Encoder
from zoo.features import PAD, Categorical, Feature, History, MultiCategorical
from zoo.image_scale import ImageScale


@dataclass(frozen=True, eq=False)
class Split:
    """Rows of a data set.

    Args:
        x: `(n, ...)`, or one array a feature: `(n,)`, of several ids a row `(n, length)`.
        y: `(n,)` labels: class indices, or 0 and 1 for clicks.
        groups: `(n,)` user ids, for GAUC; `None` where the data have no users.
    """

    x: np.ndarray | dict[str, np.ndarray]
    y: np.ndarray
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Name and array of every field, in a fixed order."""
        if isinstance(self.x, dict):
            yield from ((f"x[{name!r}]", self.x[name]) for name in sorted(self.x))
        else:
            yield "x", self.x
        yield "y", self.y
        if self.groups is not None:
            yield "groups", self.groups

    def rows(self, index: np.ndarray | slice) -> "Split":
        """The rows at `index`, which NumPy understands, in its order."""
        x = {name: column[index] for name, column in self.x.items()} if isinstance(self.x, dict) else self.x[index]
        return Split(x, self.y[index], None if self.groups is None else self.groups[index])

    def take(self, count: int | None) -> "Split":
        """The first `count` rows; all of them for `None`.

        Raises:
            ValueError: There are not that many rows, or `count` is below 1.
        """
        if count is None:
            return self
        check_train_rows(count, len(self))
        return self.rows(slice(count))


def check_train_rows(count: int, available: int) -> None:
    """Raise a ValueError unless `count` is from 1 to `available`."""
    if not 1 <= count <= available:
        raise ValueError(f"expected `train_rows` from 1 to {available}, received {count}; leave it out for all rows")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Train, validation and test rows of one data set; refuses rows on which a net cannot be trained.

    Args:
        name: Short name.
        train, validation, test: The rows.
        num_classes: Number of classes; 2 for clicks.
        source: One sentence: what it is, where it is from, its terms.
        features: The columns of a click log's `x`; empty for images.
        bayes: Scores on the test rows of the true click probability, best possible in expectation;
            simulated data only.
        unlabelled: More rows like the train rows, whose labels are not known: y is -1 throughout. Neither one of the
            three splits nor part of `content_hash`.
        encoder: Makes a request's raw values into `x`: a click log's columns of every feature that is not privileged,
            and of those privileged ones that a raw value holds; or images of pixels. No part of `content_hash`. A
            field's side is that of its feature.

    Raises:
        ValueError: A split has no rows, columns of unequal length, a feature that is not finite, an id
            outside its feature's table or after a place without one, a label outside the classes, or a label where
            there should be none: one line with split, field, first bad row. Or the encoder does not fit the features.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    source: str
    features: tuple[Feature, ...] = ()
    bayes: dict[str, float] | None = None
    unlabelled: Split | None = None
    encoder: Encoder | ImageScale | None = None

    def __post_init__(self) -> None:
        if isinstance(self.encoder, Encoder):
            _check_encoder(self.name, self.encoder, self.features)
            sides = {feature.name: feature.side for feature in self.features}
            object.__setattr__(self, "encoder", self.encoder.with_sides(sides))
        for split_name, split in self.splits():
            where = f"{self.name}, {split_name} split"
            _check_x(where, split, self.features)
            _check_labels(where, split.y, self.num_classes)
        if self.unlabelled is not None:
            where = f"{self.name}, unlabelled split"
            _check_x(where, self.unlabelled, self.features)
            _check_no_labels(where, self.unlabelled.y)

    def splits(self) -> tuple[tuple[str, Split], ...]:
        """Name and rows of the three splits."""
        return ("train", self.train), ("validation", self.validation), ("test", self.test)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) of every array's name, dtype, shape and bytes, little-endian, so equal on every platform."""
        digest = hashlib.sha256()
        for split_name, split in self.splits():
            for name, array in split.arrays():
                little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
                digest.update(f"{split_name}.{name} {little.dtype.name} {array.shape}\n".encode())
                digest.update(little.reshape(-1).view(np.uint8).data)
        return digest.hexdigest()


def _check_x(where: str, split: Split, features: tuple[Feature, ...]) -> None:
    _check_lengths(where, split)
    _check_finite(where, split)
    _check_ids(where, split, features)


def _check_lengths(where: str, split: Split) -> None:
    if not len(split):
        raise ValueError(f"{where}: expected at least one row, received none; use more data")
    for name, array in split.arrays():
        if len(array) != len(split):
            raise ValueError(
                f"{where}: expected {len(split)} rows in {name}, as in y, received {len(array)}; cut all from one table"
            )


def _check_finite(where: str, split: Split) -> None:
    for name, array in split.arrays():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(axis=1)))
            raise ValueError(
                f"{where}: expected finite numbers in {name}, received NaN or infinity in row {row}; "
                "fill or drop such rows"
            )


def _check_labels(where: str, labels: np.ndarray, num_classes: int) -> None:
    outside = (labels < 0) | (labels >= num_classes) | (labels != np.floor(labels))
    if outside.any():
        row = int(np.argmax(outside))
        raise ValueError(
            f"{where}: expected whole labels from 0 to {num_classes - 1} in y, received {labels[row]} in row {row}; "
            "number the classes from 0"
        )


def _check_no_labels(where: str, labels: np.ndarray) -> None:
    if (labels != -1).any():
        row = int(np.argmax(labels != -1))
        raise ValueError(
            f"{where}: expected -1, for no label, in y, received {labels[row]} in row {row}; "
            "move labelled rows to the train split"
        )


def _check_ids(where: str, split: Split, features: tuple[Feature, ...]) -> None:
    if features and (not isinstance(split.x, dict) or set(split.x) != {feature.name for feature in features}):
        received = sorted(split.x) if isinstance(split.x, dict) else "one array"
        names = sorted(feature.name for feature in features)
        raise ValueError(f"{where}: expected the columns {names} in x, received {received}; match x and features")
    sizes = {feature.name: feature.size for feature in features if isinstance(feature, Categorical | MultiCategorical)}
    for feature in features:
        if isinstance(feature, History):
            if feature.of not in sizes:
                raise ValueError(
                    f"{where}: expected `of` of History {feature.name!r} to name one of {sorted(sizes)}, "
                    f"received {feature.of!r}; a history has the ids of another feature"
                )
            sizes[feature.name] = sizes[feature.of]
        if feature.name in sizes:
            _check_id_column(where, split.x[feature.name], feature, sizes[feature.name])


def _check_id_column(where: str, ids: np.ndarray, feature: Feature, size: int) -> None:
    wide = isinstance(feature, MultiCategorical | History)
    if isinstance(feature, MultiCategorical | History) and (
        ids.shape[1:] != (feature.length,) or ids.dtype != np.int32
    ):
        raise ValueError(
            f"{where}: expected int32 of shape {(len(ids), feature.length)} in x[{feature.name!r}], "
            f"received {ids.dtype} of shape {ids.shape}; give every row `length` places"
        )
    outside = (ids < (PAD if wide else 0)) | (ids >= size)
    if outside.any():
        row, received = _first(outside, ids)
        raise ValueError(
            f"{where}: expected ids from 0 to {size - 1}{f', or {PAD} for none,' if wide else ''} in "
            f"x[{feature.name!r}], received {received} in row {row}; raise the feature's size"
        )
    if wide and (late := (ids[:, :-1] == PAD) & (ids[:, 1:] != PAD)).any():
        row, _ = _first(late, ids[:, :-1])
        raise ValueError(
            f"{where}: expected {PAD} only at the right end in x[{feature.name!r}], received {ids[row].tolist()} in "
            f"row {row}; move the ids to the left"
        )


def _first(bad: np.ndarray, values: np.ndarray) -> tuple[int, object]:
    """Row and value of the first that is bad."""
    place = np.unravel_index(np.argmax(bad), bad.shape)
    return int(place[0]), values[place]


def _check_encoder(name: str, encoder: Encoder, features: tuple[Feature, ...]) -> None:
    known = {feature.name: feature for feature in features}
    made = {field.name for field in encoder.fields}
    missing = [feature.name for feature in features if not feature.privileged and feature.name not in made]
    if missing or made - set(known):
        raise ValueError(
            f"{name}: expected an encoder of the features {sorted(known)}, received one that lacks {missing} and has "
            f"{sorted(made - set(known))} besides; give it a field for each feature that is not privileged"
        )
    for field in encoder.fields:
        for role in ("size", "length", "of", "privileged"):
            wanted, received = getattr(known[field.name], role, None), getattr(field, role, None)
            if wanted != received:
                raise ValueError(
                    f"{name}: expected `{role}` {wanted} of the encoder's field {field.name!r}, as the feature has, "
                    f"received {received}; learn both from the same rows"
                )
