"""The typed model of a request says the same as the service does."""

import json

import pytest

from rocket_keras import Scorer
from rocket_keras.encoding.fields import HistoryField, IdField, KnownIdField, NumberField
from rocket_keras.serving.request import RawColumn

pytest.importorskip("fastapi")
pytest.importorskip("httpx")
pytest.importorskip("onnxruntime")

from pydantic import ValidationError

from rocket_keras.service.schema import column_schemas, request_model, request_schema

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
TEXT_OR_WHOLE = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
LISTED = {"anyOf": [{"type": "string"}, {"items": TEXT_OR_WHOLE, "type": "array"}]}
NUMBER = {"minimum": -1e18, "maximum": 1e18, "type": "number"}


def bare(properties):
    return {
        name: {key: value for key, value in told.items() if key not in ("title", "description")}
        for name, told in properties.items()
    }


def test_every_column_has_its_type_and_its_place(impression):
    scorer = Scorer(impression)
    schema = request_schema(scorer)
    user, candidate = schema["$defs"]["User"], schema["$defs"]["Candidate"]
    age = {"type": "integer", "minimum": 0, "maximum": 2}
    assert bare(user["properties"]) == {
        "UserID": TEXT_OR_WHOLE, "Seen": LISTED, "Hour": NUMBER, "Age": age, "Price": NUMBER,
    }  # fmt: skip
    assert bare(candidate["properties"]) == {"ItemID": TEXT_OR_WHOLE, "Genres": LISTED, "Age": age, "Price": NUMBER}
    assert set(user["required"]) == {"UserID", "Seen", "Hour"}
    assert set(candidate["required"]) == {"ItemID", "Genres"}
    assert all(part["additionalProperties"] is False for part in (schema, user, candidate))
    assert schema["required"] == ["user", "candidates"]
    assert schema["properties"]["candidates"]["minItems"] == 1
    assert schema["properties"]["candidates"]["maxItems"] == scorer.max_candidates


def test_the_schema_is_published(service):
    told = service.ask("GET", "/openapi.json").json()
    body = told["paths"]["/score"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ScoreRequest"}
    assert "Price" in told["components"]["schemas"]["Candidate"]["properties"]
    assert set(told["paths"]["/score"]["post"]["responses"]) == {"200", "400", "408", "413", "415", "422", "503"}


class Made:
    """Stands for a scorer with these columns."""

    max_candidates = 5

    def __init__(self, *columns):
        self.columns = {column.name: column for column in columns}


def test_a_column_may_have_any_name_and_several_fields():
    whole = (NumberField("a", "a", 0.0, 1.0), IdField("b", "a", ()))
    scorer = Made(
        RawColumn("model_config", "candidate", (IdField("c", "model_config", ()),)),
        RawColumn("_x y", "candidate", (NumberField("d", "_x y", 0.0, 1.0),)),
        RawColumn("a", "user", whole),
        RawColumn("e", "user", (IdField("e", "e", ()), HistoryField("h", "e", "b", 2))),
        RawColumn("f", "user", (KnownIdField("f", "f", 9), KnownIdField("g", "f", 4))),
    )
    assert {name: told for name, (_, told) in column_schemas(scorer).items()} == {
        "model_config": TEXT_OR_WHOLE,
        "_x y": NUMBER,
        "a": {"type": "integer", "minimum": -1e18, "maximum": 1e18},
        "e": {"type": "string"},
        "f": {"type": "integer", "minimum": 0, "maximum": 3},
    }
    row = {"model_config": 1, "_x y": 2.5}
    request_model(scorer).model_validate({"user": {"a": 1, "e": "b", "f": 3}, "candidates": [row]})


def test_fields_that_read_nothing_in_common_are_one_line():
    fields = (NumberField("a", "x", 0.0, 1.0), HistoryField("b", "x", "c", 2))
    with pytest.raises(ValueError, match=r"read one kind of JSON value, received \['NumberField', 'HistoryField'\]"):
        column_schemas(Made(RawColumn("x", "user", fields)))


# To a JSON schema 1.0 is a whole number, to a strict pydantic it is none.
FRACTIONS = st.floats(allow_nan=False).filter(lambda value: value % 1)
VALUES = (
    st.none() | st.booleans() | st.integers(-2, 4) | FRACTIONS | st.text(max_size=4)
    | st.lists(st.integers(0, 3) | st.text(max_size=3) | st.none(), max_size=3) | st.just({})
)  # fmt: skip
GOOD = {"UserID": "7", "Seen": ["ad 1"], "Hour": 1.5, "Age": 1, "ItemID": "ad 2", "Genres": "red", "Price": 3}
USER_COLUMNS = ("UserID", "Seen", "Hour", "Age")


def test_what_the_model_refuses_is_422_and_what_it_takes_is_scored(service):
    model = request_model(service.model.scorer)

    @hypothesis.settings(max_examples=150, deadline=None, database=None)
    @hypothesis.given(st.sampled_from(sorted(GOOD)), VALUES, st.sampled_from(["set", "drop", "add"]))
    def agree(name, value, way):
        columns = {**GOOD, name: value} if way == "set" else {k: v for k, v in GOOD.items() if k != name}
        user = {k: v for k, v in columns.items() if k in USER_COLUMNS}
        row = {k: v for k, v in columns.items() if k not in USER_COLUMNS}
        if way == "add":
            row[name] = user[name + "!"] = GOOD[name]
        sent = json.dumps({"user": user, "candidates": [row]})
        answer = service.ask("POST", "/score", content=sent)
        try:
            model.model_validate_json(sent, strict=True)
        except ValidationError:
            assert answer.status_code in (400, 422)
        else:
            assert answer.status_code == 200

    agree()
