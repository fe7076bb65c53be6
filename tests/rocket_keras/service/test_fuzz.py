"""Requests that schemathesis makes up from the published schema: nothing unexpected, and never a 500."""

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("onnxruntime")
hypothesis = pytest.importorskip("hypothesis")
schemathesis = pytest.importorskip("schemathesis")

POSITIVE, NEGATIVE = schemathesis.GenerationMode
OPERATIONS = [("POST", "/score"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")]


def statuses(service, method, path, mode, excluded=()):
    """Ask with made-up requests, hold the answers against all checks; the statuses of the answers."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", service.app)
    seen = []

    @hypothesis.settings(
        max_examples=30, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(schema[path][method].as_strategy(generation_mode=mode))
    def ask(case):
        seen.append(case.call_and_validate(excluded_checks=excluded).status_code)

    ask()
    return set(seen)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_what_the_schema_tells_is_answered(service, method, path):
    assert statuses(service, method, path, POSITIVE) == {200}
    assert {(way.upper(), route) for route, ways in service.app.openapi()["paths"].items() for way in ways} == set(
        OPERATIONS
    )


def test_what_the_schema_forbids_is_refused(service):
    assert statuses(service, "POST", "/score", NEGATIVE) <= {400, 415, 422}


def test_columns_that_stand_in_one_place_or_the_other(impression, make_service):
    # No JSON schema tells that a column must stand in one of two places: so some requests by the schema are refused.
    service, excluded = make_service(impression), [schemathesis.checks.positive_data_acceptance]
    assert statuses(service, "POST", "/score", POSITIVE, excluded) <= {200, 422}
    assert statuses(service, "POST", "/score", NEGATIVE) <= {400, 415, 422}
