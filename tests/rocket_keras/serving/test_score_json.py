"""A request in JSON has the scores, or the error, of the same request read first."""

import json

import numpy as np
import pytest

from rocket_keras import RequestError, Scorer
from rocket_keras.serving import json_request, memory

pytest.importorskip("onnxruntime")
hypothesis = pytest.importorskip("hypothesis")
strategies = hypothesis.strategies


def outcome(call, *arguments):
    """Scores, or kind and text of the error."""
    try:
        return call(*arguments)
    except RequestError as error:
        return error.kind, str(error)


def same(scorer, body):
    """Compare a body with its content, twice: candidates may have been met the second time."""
    wanted = outcome(lambda: scorer.score(*json_request.user_and_candidates(json_request.read_json(body))))
    for _ in range(2):
        found = outcome(scorer.score_json, body)
        if isinstance(wanted, tuple):
            assert found == wanted
        else:
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)
    return wanted


def body_of(light, text):
    """The text with a user and candidates in their places."""
    text = text.replace("USER", json.dumps(light.USER)).replace("LONG", "long" * 400)
    text = text.replace("DEEP", "[" * 199 + "]" * 199)
    return text.replace("AD", '"ItemID": "ad 1", "Genres": "red", "Price": 1').encode()


def texts_of(scorer):
    return {text for one in scorer._memories.values() for text in one._known.texts}


def rows_of(light, count=20, seed=0):
    """Candidates that can be remembered: without lists."""
    return [{**row, "Genres": "red|new", "Price": i} for i, row in enumerate(light.candidates(count, seed))]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (",\n\t", " :\r\n")])
def test_a_request_in_json_has_the_scores_of_its_content(light, scorer, separators):
    rows = rows_of(light)
    body = json.dumps({"user": light.USER, "candidates": rows}, separators=separators).encode()
    assert isinstance(same(scorer, body), np.ndarray)
    assert len(texts_of(scorer)) == len(rows)
    for some in (rows[3:9], rows[::-1], rows[:2] * 3, [*rows[4:6], *rows_of(light, 3, seed=5)], rows[7:8]):
        same(scorer, json.dumps({"user": light.USER, "candidates": some}, separators=separators).encode())


def test_candidates_that_were_met_are_not_read_again(light, scorer, monkeypatch):
    rows = rows_of(light)
    whole = json.dumps({"user": light.USER, "candidates": rows}).encode()
    some = json.dumps({"user": {**light.USER, "UserID": 3}, "candidates": rows[5:9]}).encode()
    scorer.score_json(whole)
    monkeypatch.setattr(memory, "read_candidate", lambda text: pytest.fail("read again"))
    np.testing.assert_allclose(scorer.score_json(some), scorer.score({**light.USER, "UserID": 3}, rows[5:9]), atol=1e-7)


def test_candidates_with_lists_are_remembered(light, scorer, monkeypatch):
    rows = [{**row, "Genres": [["red", "new"], ["blue"], [], "red"][i % 4]} for i, row in enumerate(rows_of(light))]
    body = json.dumps({"user": light.USER, "candidates": rows}).encode()
    wanted = same(scorer, body)
    assert len(texts_of(scorer)) == len(rows)
    monkeypatch.setattr(memory.Memory, "fed", lambda *_: pytest.fail("read again"))
    np.testing.assert_allclose(scorer.score(light.USER, rows), wanted, atol=1e-7)
    np.testing.assert_allclose(scorer.score(light.USER, rows[::-1]), wanted[::-1], atol=1e-7)


@pytest.mark.parametrize("genres", ["[true]", "[1, true]", "[[1]]", "[null]"])
def test_lists_with_what_is_no_id(light, scorer, genres):
    ad = '"ItemID": "ad 1", "Price": 5, "Genres": '
    good = same(scorer, body_of(light, '{"user": USER, "candidates": [{%s[1]}, {%s[1, 1]}]}' % (ad, ad)))  # noqa: UP031
    assert isinstance(good, np.ndarray)
    wrong = same(scorer, body_of(light, '{"user": USER, "candidates": [{%s[1]}, {%s%s}]}' % (ad, ad, genres)))  # noqa: UP031
    assert isinstance(wrong, tuple)


def test_candidates_that_were_forgotten_meanwhile(light, scorer, monkeypatch):
    monkeypatch.setattr(memory, "REMEMBERED", 12)
    rows = rows_of(light)
    for begin in (0, 4, 10, 2, 8, 0):
        same(scorer, json.dumps({"user": light.USER, "candidates": rows[begin : begin + 9]}).encode())
        assert 0 < len(texts_of(scorer)) <= 12


def test_one_new_candidate_is_read_alone(light, scorer, monkeypatch):
    rows, read = rows_of(light), []
    scorer.score_json(json.dumps({"user": light.USER, "candidates": rows[1:]}).encode())
    monkeypatch.setattr(memory, "read_candidate", lambda text: read.append(text) or json_request.read_candidate(text))
    scorer.score_json(json.dumps({"user": light.USER, "candidates": rows}).encode())
    assert [json.loads(b"{" + text + b"}") for text in read] == [rows[0]]


def test_unseen_values_are_counted_in_every_request(light, scorer):
    rows = [{**row, "ItemID": name} for row, name in zip(rows_of(light, 3), ("x", "ad 1", "y"), strict=True)]
    for turn in range(3):
        scorer.score_json(json.dumps({"user": light.USER, "candidates": rows}).encode())
        assert scorer.unseen["ItemID"] == 2 * (turn + 1)


@pytest.mark.parametrize(
    "candidates",
    [
        '{"ItemID": "ad},{1", "Genres": "red", "Price": 1},{AD}',
        '{"ItemID": "ad},{1", "Genres": "red", "Price": 1}, {AD}',
        '{"ItemID": "ad}, {1", "Genres": "red", "Price": 1}, {AD}',
        '{"ItemID": "x}',
        'y", "Genres": "red", "Price": 1}',
        '{AD}, {AD, "Price": 2}',
        "{AD}, {AD}, {}",
        "{AD}, {AD}, 3",
        "{AD}, [{AD}]",
        "{AD}, {AD},",
        "{AD} {AD}",
        "{AD}\u000b,{AD}",
        "{AD}, {AD",
        "{AD}, {{AD}}",
        '{AD, "More": 1}, {AD, "More": 1}',
        '{"ItemID": "ad 1", "Genres": ["red", "new"], "Price": 1}, {AD}',
        '{"ItemID": "ad 1", "Genres": "red", "Price": true}, {AD}',
        '{"ItemID": "ad 1", "Genres": "red", "Price": NaN}, {AD}',
        '{"ItemID": "ad 1", "Genres": "red", "Price": 1e999}, {AD}',
        '{"ItemID": "ad 1", "Genres": "red"}, {AD}',
        '{AD}, {"ItemID": "ad 1", "Genres": "red"}',
        '{"ItemID": "LONG", "Genres": "red", "Price": 1}, {AD}',
        '{"Price": DEEP, "ItemID": "ad 1", "Genres": "red", "Price": 1}',
        '{"Price": 1}, {"Price": 1',
        "{AD}], [{AD}",
        "",
    ],
)
def test_texts_that_are_hard_to_cut(light, served, candidates):
    scorer = Scorer(served[1], max_candidates=5, number_texts=False)
    for some in (", ".join(["{AD}"] * 2), ", ".join(["{AD}"] * 6), candidates):
        same(scorer, body_of(light, '{"user": USER, "candidates": [%s]}' % some))  # noqa: UP031


@pytest.mark.parametrize(
    "body",
    [
        '{"candidates": [{AD}], "user": USER}',
        '{"user": USER, "candidates": [{AD}], "more": 1}',
        '{"user": USER, "user": {}, "candidates": [{AD}]}',
        '{"user": USER, "candidates": [], "candidates": [{AD}]}',
        '{"user": USER, "candidates": [{AD}], "candidates": [{AD}]}',
        '{"user": {"x": "\\"candidates\\": [{"}, "candidates": [{AD}]}',
        '{"user": {"candidates": [{AD}]}',
        '{"user": [], "candidates": [{AD}]}',
        '[{"user": USER, "candidates": [{AD}]}]',
        '{"user": USER, "candidates": [{AD}]} 1',
        '{"user": USER, "candidates": [{AD}]}}',
        '{"user": USER, "candidates": [{AD}]} ' + " " * 500,
        '\ufeff{"user": USER, "candidates": [{AD}]}',
    ],
)
def test_bodies_of_another_form(light, scorer, body):
    same(scorer, body_of(light, body))


@hypothesis.settings(max_examples=200, deadline=None, derandomize=True)
@hypothesis.given(data=strategies.data())
def test_bodies_with_anything_changed(light, served, data):
    rows = rows_of(light, 4)
    body = json.dumps({"user": light.USER, "candidates": rows})
    begin = data.draw(strategies.integers(0, len(body)))
    end = data.draw(strategies.integers(begin, min(len(body), begin + 3)))
    piece = data.draw(
        strategies.sampled_from(["", "},{", "}, {", '"', "{", "}", "[", "]", ",", " ", "\\", "1", "x", "\x00"])
    )
    scorer = Scorer(served[1])
    scorer.score_json(body.encode())
    same(scorer, (body[:begin] + piece + body[end:]).encode())
