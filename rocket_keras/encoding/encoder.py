"""From the raw values of a request, by column name, to the columns that a model reads.

encoder = zoo.data.bank.load().encoder
light.predict(encoder.encode({"age": [41, 30], "job": ["admin.", "student"], ...}))
Encoder.from_json(encoder.to_json()) == encoder
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np

from rocket_keras.encoding.fields import SIDES, Field, HashedIdField, HistoryField, IdField
from rocket_keras.encoding.raw_values import RawColumn, as_column

FORMAT = "rocket-keras encoder 1"
KINDS = {kind.__name__: kind for kind in get_args(Field)}


@dataclass(frozen=True)
class Encoder:
    """How each column of a model's `x` is made of raw values.

    Args:
        fields: One a column of `x`.

    Raises:
        ValueError: No fields, two of one name, or a history of a field that is no `IdField` or `HashedIdField`.
    """

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"expected fields of different names, received {names}; give each column one field")
        for field in self.fields:
            if field.side not in SIDES:
                raise ValueError(
                    f"expected `side` of field {field.name!r} to be one of {SIDES}, received {field.side!r}; name what "
                    "the column belongs to"
                )
            if isinstance(field, HistoryField) and field.of not in self._id_fields:
                raise ValueError(
                    f"expected `of` of HistoryField {field.name!r} to name an IdField or HashedIdField, "
                    f"received {field.of!r}; a history has the ids of another column"
                )

    @cached_property
    def _id_fields(self) -> dict[str, IdField | HashedIdField]:
        return {field.name: field for field in self.fields if isinstance(field, IdField | HashedIdField)}

    def columns(self, privileged: bool = False) -> tuple[str, ...]:
        """Names of the raw columns that `encode` reads, each once."""
        return tuple(dict.fromkeys(field.column for field in self._chosen(privileged)))

    def encode(self, raw: Mapping[str, RawColumn], privileged: bool = False) -> dict[str, np.ndarray]:
        """`x` of the rows: int32 ids and float32 numbers by the features' names.

        Args:
            raw: Per raw column an array or list of one value per row: a text or a number; of a multi-valued column or a
                history, a list of values or one text with separators. All of one length; other columns are ignored. A
                frame of pandas or polars or a table of Arrow will do, whatever its index; so will masked arrays, whose
                masked values are missing ones.
            privileged: Whether to make the privileged columns too, which the light net does not read.

        Raises:
            ValueError: A column is missing, of another length than the others, or holds what cannot be read. One line:
                column, row (from 0).
        """
        chosen = self._chosen(privileged)
        columns = self._read(raw, self.columns(privileged))
        x = {}
        for field in chosen:
            values = columns[field.column]
            if isinstance(field, HistoryField):
                x[field.name] = field.encode(values, self._id_fields[field.of])
            else:
                x[field.name] = field.encode(values)
        return x

    def with_sides(self, sides: Mapping[str, str]) -> "Encoder":
        """The same encoder with each field's side, user, item or context, from its name."""
        return Encoder(tuple(dataclasses.replace(field, side=sides[field.name]) for field in self.fields))

    def to_json(self) -> str:
        """The encoder as JSON text, which `from_json` reads."""
        fields = [{"kind": type(field).__name__, **dataclasses.asdict(field)} for field in self.fields]
        return json.dumps({"format": FORMAT, "fields": fields})

    @staticmethod
    def from_json(text: str) -> "Encoder":
        """The encoder that `to_json` wrote.

        Raises:
            ValueError: `text` is something else. One line.
        """
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']!r}")
            return Encoder(tuple(_field(values) for values in content["fields"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"expected the JSON of an encoder, format {FORMAT!r}, received {str(text)[:80]!r} "
                f"({type(error).__name__}: {error}); write it with Encoder.to_json"
            ) from error

    def _chosen(self, privileged: bool) -> list[Field]:
        return [field for field in self.fields if privileged or not field.privileged]

    @staticmethod
    def _read(raw: Mapping[str, RawColumn], columns: tuple[str, ...]) -> dict[str, RawColumn]:
        names = getattr(raw, "column_names", raw)  # an Arrow table is asked for its names
        read = {}
        for column in columns:
            if column not in names:
                raise ValueError(
                    f"expected the raw columns {list(columns)}, received none named {column!r}; add it, one value a row"
                )
            read[column] = as_column(column, raw[column])
        lengths = {column: len(values) for column, values in read.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"expected raw columns of one length, received {lengths}; give every row a value in each")
        return read


def _field(values: Mapping[str, Any]) -> Field:
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return KINDS[arguments.pop("kind")](**arguments)
