"""What the endpoints answer: scores as Scorer gives them, and one typed line for everything else."""

import asyncio
import hashlib
import json

import numpy as np
import pytest

from rocket_keras import Scorer

for package in ("fastapi", "httpx", "onnxruntime"):
    pytest.importorskip(package)

USER = {"UserID": 7, "Seen": ["ad 3", "ad 1", "new"], "Age": 2, "Hour": 13.5}
ROW = {"ItemID": "ad 1", "Genres": ["red"], "Price": 1.0}


def test_it_says_what_the_scorer_and_keras_say(light, served, service):
    rows = light.candidates(40)
    answer = service.score(light.USER, rows)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert set(content) == {"model", "scores"}
    assert content["model"] == "light"
    np.testing.assert_array_equal(np.float32(content["scores"]), Scorer(served[1]).score(light.USER, rows))
    np.testing.assert_allclose(content["scores"], light.expected(served[0], light.USER, rows), rtol=1e-5)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_it_tells_which_net_serves(service, served, path):
    answer = service.ask("GET", path)
    assert answer.status_code == 200
    assert answer.json() == {"model": "light", "sha256": hashlib.sha256(served[1].read_bytes()).hexdigest()}


def test_metrics_tell_what_happened(service):
    user = {**USER, "UserID": 99}
    service.score(user, [ROW, {**ROW, "ItemID": "x"}, {**ROW, "Genres": "new|red"}])
    service.score(user, [])
    service.ask("POST", "/score", content=b"{")
    text = service.ask("GET", "/metrics").text
    assert service.ask("GET", "/metrics").headers["content-type"].startswith("text/plain")
    for line in (
        'rocket_keras_requests_total{status="200"} 1.0',
        'rocket_keras_requests_total{status="422"} 1.0',
        'rocket_keras_requests_total{status="400"} 1.0',
        "rocket_keras_request_seconds_count 3.0",
        "rocket_keras_candidates_sum 3.0",
        'rocket_keras_candidates_bucket{le="1.0"} 0.0',
        'rocket_keras_candidates_bucket{le="10.0"} 1.0',
        'rocket_keras_unseen_values_total{column="UserID"} 1.0',
        'rocket_keras_unseen_values_total{column="ItemID"} 1.0',
        'rocket_keras_unseen_values_total{column="Genres"} 1.0',
        'rocket_keras_unseen_values_total{column="Seen"} 1.0',
        'rocket_keras_unseen_values_total{column="Age"} 0.0',
        "rocket_keras_waiting_requests 0.0",
        'rocket_keras_swaps_total{outcome="refused"} 0.0',
        f'rocket_keras_model_info{{name="light",sha256="{service.model.sha256}"}} 1.0',
    ):
        assert line in text.splitlines()


def without(row, name):
    return {key: value for key, value in row.items() if key != name}


def body(user=None, rows=None, **more):
    content = {"user": {**USER, **(user or {})}, "candidates": [ROW] if rows is None else rows, **more}
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("sent", "status", "error", "detail"),
    [
        (b"", 400, "no_json", "expected JSON"),
        (b"{", 400, "no_json", "expected JSON"),
        (b"\xff\xfe", 400, "no_json", "expected JSON"),
        (b"[" * 5000, 400, "no_json", "recursion limit"),
        (body({"Hour": float("nan")}), 400, "no_json", "expected JSON"),
        (body(rows=[{**ROW, "Price": float("-inf")}]), 400, "no_json", "expected JSON"),
        (body().replace(b"13.5", b"1" * 5000), 400, "no_json", "out of range"),
        (body().replace(b"ad 1", b"\\ud800"), 400, "no_json", "expected JSON"),
        (body().replace(b"13.5", b"1e400"), 422, "wrong_value", "user: 'Hour': expected a number"),
        (body().replace(b"13.5", b"1" * 400), 422, "wrong_value", "user: 'Hour': expected a number"),
        (b"[]", 422, "wrong_shape", "expected an object with user and candidates, received list"),
        (b"5", 422, "wrong_shape", "received int"),
        (b"{}", 422, "wrong_shape", "received []"),
        (body(more=1), 422, "wrong_shape", "received ['candidates', 'more', 'user']"),
        (json.dumps({"user": USER, "candidates": {"ItemID": ["a"]}}).encode(), 422, "wrong_shape", "received dict"),
        (json.dumps({"user": [], "candidates": [ROW]}).encode(), 422, "wrong_shape", "`user` as a mapping"),
        (body(rows=[]), 422, "no_candidates", "expected 1 to 100 candidates, received 0"),
        (body(rows=[{}]), 422, "missing_column", "candidate 0"),
        (body(rows=["a"]), 422, "wrong_shape", "candidate 0"),
        (body(rows=[ROW, None]), 422, "wrong_shape", "candidate 1"),
        (body({"colour": 1}), 422, "unknown_column", "received 'colour' in user; leave it out"),
        (body(rows=[without(ROW, "Price")]), 422, "missing_column", "expected 'Price' in each candidate"),
        (body(rows=[{**ROW, "Age": 1}]), 422, "misplaced_column", "expected 'Age' in user"),
        (body({"Hour": "13.5"}), 422, "wrong_value", "user: 'Hour': expected a number"),
        (body({"Hour": True}), 422, "wrong_value", "user: 'Hour': expected a number"),
        (body({"Hour": None}), 422, "wrong_value", "user: 'Hour': expected a number"),
        (body({"Age": 3}), 422, "wrong_value", "user: 'Age': expected a whole number from 0 to 2, received '3'"),
        (body({"UserID": False}), 422, "wrong_value", "user: 'UserID': expected a text or a whole number"),
        (body(rows=[ROW, {**ROW, "Price": [1]}]), 422, "wrong_value", "candidates: 'Price', candidate 1"),
    ],
)
def test_bad_input_is_one_typed_line_and_the_service_lives_on(service, sent, status, error, detail):
    answer = service.ask("POST", "/score", content=sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert set(content) == {"error", "detail"}
    assert content["error"] == error
    assert detail in content["detail"]
    assert "\n" not in content["detail"]
    assert service.metric("requests_total", status=str(status)) == 1
    assert service.score(USER, [ROW]).status_code == 200


def test_ten_thousand_candidates_are_refused(served, make_service):
    service = make_service(served[1])
    big = service.ask("POST", "/score", content=body(rows=[ROW] * 10_000))
    assert (big.status_code, big.json()["error"]) == (413, "body_too_large")
    few = service.score(USER, [ROW] * 101)
    assert (few.status_code, few.json()["error"]) == (422, "too_many_candidates")
    assert service.score(USER, [ROW] * 100).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/json", 200), ("Application/JSON; charset=utf-8", 200), ("text/plain", 415), ("", 415)],
)
def test_the_body_must_be_called_json(service, kind, status):
    answer = service.ask("POST", "/score", content=body(), headers={"content-type": kind})
    assert answer.status_code == status
    assert status == 200 or answer.json()["error"] == "wrong_media_type"


def asgi(app, messages):
    """What the application answers to a body that comes in these parts; the last one may be a disconnection."""
    sent, parts = [], iter(messages)

    async def receive():
        try:
            return next(parts)
        except StopIteration:
            await asyncio.sleep(3600)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/score", "headers": [], "query_string": b""}
    asyncio.run(asyncio.wait_for(app(scope | {"root_path": "", "http_version": "1.1"}, receive, send), 60))
    return sent[0]["status"], json.loads(sent[1]["body"])["error"]


def part(content, more=True):
    return {"type": "http.request", "body": content, "more_body": more}


def test_a_body_that_is_too_large_is_not_read_to_its_end(service):
    endless = (part(b" " * 50_000) for _ in range(10**9))
    assert asgi(service.app, endless) == (413, "body_too_large")


def test_a_body_that_ends_early_is_refused(service):
    assert asgi(service.app, [part(b"{"), {"type": "http.disconnect"}]) == (400, "cut_body")


def test_a_body_that_does_not_come_is_refused(served, make_service):
    service = make_service(served[1], body_seconds=0.01)
    assert asgi(service.app, [part(b"{")]) == (408, "slow_body")


def test_too_many_requests_at_once_are_refused_and_the_others_answered(served, make_service):
    service = make_service(served[1], max_waiting=3)

    async def crowd():
        async with service.client() as client:
            return await asyncio.gather(*(client.post("/score", content=body()) for _ in range(8)))

    answers = asyncio.run(crowd())
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 5
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.json()["error"] == "overloaded"
    assert refused.json()["detail"].endswith("ask again later, or less often")
    assert int(refused.headers["retry-after"]) >= 1
    assert service.metric("requests_total", status="503") == 5
    assert service.score(USER, [ROW]).status_code == 200


def test_other_paths_and_methods(service):
    assert service.ask("GET", "/score").status_code == 405
    assert service.ask("GET", "/docs").status_code == 404
    assert service.ask("POST", "/metrics").status_code == 405
