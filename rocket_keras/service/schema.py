"""The typed model of a request, made from the columns that a net reads."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from rocket_keras.encoding.fields import HashedIdField, HistoryField, IdField, IdsField, KnownIdField, NumberField
from rocket_keras.encoding.raw_values import LARGEST
from rocket_keras.serving.request import CANDIDATE, EITHER, USER, RawColumn
from rocket_keras.serving.scorer import Scorer

FORBID = ConfigDict(extra="forbid", allow_inf_nan=False)
KINDS: dict[type, frozenset[str]] = {
    IdField: frozenset({"text", "whole"}),
    HashedIdField: frozenset({"text", "whole"}),
    KnownIdField: frozenset({"whole"}),
    NumberField: frozenset({"number", "whole"}),
    IdsField: frozenset({"text", "list"}),
    HistoryField: frozenset({"text", "list"}),
}
"""What a raw value may be, by what is made of it."""


class Scores(BaseModel):
    """The answer to a request that was scored."""

    model: str = Field(description="Name of the net.")
    scores: list[Annotated[float, Field(ge=0, le=1)]] = Field(description="Click probabilities, in the given order.")


class Refusal(BaseModel):
    """The answer to a request that was not scored."""

    error: str = Field(description="What is wrong, for programs.")
    detail: str = Field(description="What was expected, what came, and how to mend it: one line.")


class Alive(BaseModel):
    """The answer of a service that is up."""

    model: str = Field(description="Name of the net that serves.")
    sha256: str = Field(description="Of its file, hex.")


def request_model(scorer: Scorer) -> type[BaseModel]:
    """Return the model of a request: `user`, and `candidates` with the columns that each of them has.

    Raises:
        ValueError: No JSON value can be read by all fields of one column.
    """
    user = _part("User", [c for c in scorer.columns.values() if c.place in (USER, EITHER)])
    candidate = _part("Candidate", [c for c in scorer.columns.values() if c.place in (CANDIDATE, EITHER)])
    candidates = Annotated[list[candidate], Field(min_length=1, max_length=scorer.max_candidates)]  # type: ignore[valid-type]
    return create_model("ScoreRequest", __config__=FORBID, user=(user, ...), candidates=(candidates, ...))


def column_schemas(scorer: Scorer) -> dict[str, Any]:
    """Return the place and the JSON schema of each column: what two nets for the same requests have in common."""
    found = {}
    for name, column in scorer.columns.items():
        found[name] = column.place, TypeAdapter(_type(column)).json_schema()
    return found


def request_schema(scorer: Scorer) -> dict[str, Any]:
    """Return the JSON schema of a request, its parts under `$defs`."""
    return request_model(scorer).model_json_schema(ref_template="#/components/schemas/{model}")


def _part(name: str, columns: list[RawColumn]) -> type[BaseModel]:
    """Return the model of the user, or of a candidate; fields have aliases, since a column may have any name."""
    fields: dict[str, Any] = {}
    for place, column in enumerate(columns):
        told: dict[str, Any] = {"alias": column.name, "title": column.name}
        if column.place == EITHER:  # a factory, because a default would stand in the schema
            told |= {"description": "In user or in each candidate.", "default_factory": lambda: None}
        fields[f"column_{place}"] = (_type(column), Field(**told))
    return create_model(name, __config__=FORBID, **fields)


def _type(column: RawColumn) -> Any:
    """Return what all fields of a column can read."""
    kinds = frozenset.intersection(*(KINDS[type(field)] for field in column.fields))
    size = min((field.size for field in column.fields if isinstance(field, KnownIdField)), default=None)
    numbers = any(isinstance(field, NumberField) for field in column.fields)
    whole = Annotated[int, Field(**_bounds(size, numbers))]
    number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
    types = {"text": str, "list": list[str | int], "number": number, "whole": whole}
    if "number" in kinds:
        kinds -= {"whole"}  # which is a number
    chosen = [types[kind] for kind in types if kind in kinds]
    if not chosen:
        raise ValueError(
            f"expected fields of {column.name!r} that read one kind of JSON value, received "
            f"{[type(field).__name__ for field in column.fields]}; "
            "give each a column of its own"
        )
    return chosen[0] if len(chosen) == 1 else chosen[0] | chosen[1]


def _bounds(size: int | None, numbers: bool) -> dict[str, float]:
    if size is not None:
        return {"ge": 0, "le": size - 1}
    return {"ge": -LARGEST, "le": LARGEST} if numbers else {}
