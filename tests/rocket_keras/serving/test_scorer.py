"""Scorer says what the encoder, Keras's light net and a sigmoid say, whatever form the values have."""

import math
import re
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

import zoo
from rocket_keras import RequestError, Scorer, export_light
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import NumberField
from rocket_keras.onnx_graph import sides
from rocket_keras.serving import memory, readers

pytest.importorskip("onnxruntime")


def close(found, wanted):
    assert found.dtype == np.float32
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fold", [False, True], ids=["looked up", "folded"])
@pytest.mark.parametrize("once", [False, True], ids=["rows", "request"])
def test_it_says_what_keras_says(light, tmp_path, once, fold):
    path = tmp_path / "light.onnx"
    model = light.write(path, once=light.USER_INPUTS if once else (), fold=fold)
    scorer = Scorer(path)
    for seed, count in enumerate((1, 40, 40)):
        rows = light.candidates(count, seed)
        wanted = light.expected(model, light.USER, rows)
        close(scorer.score(light.USER, rows), wanted)
        close(scorer.score(light.USER, tuple(rows)), wanted)
        close(scorer.score(light.USER, {name: [row[name] for row in rows] for name in rows[0]}), wanted)
    assert len(set(np.round(wanted, 5))) > 10


def test_another_user_has_other_scores(light, served, scorer):
    rows = light.candidates(9)
    users = [{**light.USER, "UserID": "3"}, {**light.USER, "Seen": "ad 3|ad 1"}, {**light.USER, "Seen": ""}]
    for user in (*users, {**light.USER, "Age": 0.0}, {**light.USER, "Hour": "2"}):
        found = scorer.score(user, rows)
        close(found, light.expected(served[0], user, rows))
        assert np.abs(found - scorer.score(light.USER, rows)).max() > 1e-4


def test_candidates_that_were_met_before_have_the_same_scores(light, served, scorer, monkeypatch):
    monkeypatch.setattr(memory, "REMEMBERED", 30)  # so that some are forgotten
    monkeypatch.setattr(readers, "REMEMBERED", 2)
    texts = [{**row, "Genres": "red|new"} for row in light.candidates(60)]
    rng = np.random.default_rng(0)
    for turn in range(20):
        rows = [texts[i] for i in rng.integers(0, len(texts), 12)]
        user = {**light.USER, "UserID": turn % 5}
        close(scorer.score(user, rows), light.expected(served[0], user, rows))
        (memory_of_all,) = scorer._memories.values()
        assert 0 < len(memory_of_all._known.places) <= 30


def test_the_order_of_columns_and_threads_change_nothing(light, served, scorer):
    rows = [{**row, "Genres": "red|new"} for row in light.candidates(60)]
    wanted = light.expected(served[0], light.USER, rows)
    close(scorer.score(light.USER, [dict(reversed(row.items())) for row in rows]), wanted)
    turned = [row if i % 2 else dict(reversed(row.items())) for i, row in enumerate(rows)]
    with ThreadPoolExecutor(4) as pool:
        for part in pool.map(lambda start: (start, scorer.score(light.USER, turned[start:])), range(40)):
            close(part[1], wanted[part[0] :])


@pytest.mark.parametrize("worth_it", [1, 10**9], ids=["in three", "whole"])
def test_a_column_of_the_impression_may_stand_in_either_place(light, tmp_path, monkeypatch, worth_it):
    monkeypatch.setattr(sides, "WORTH_IT", worth_it)
    path = tmp_path / "light.onnx"
    encoder = light.with_side("context", "age", "hour", "price")
    model = light.write(path, encoder=encoder, once=("user", "history"))
    scorer = Scorer(path)
    rows = light.candidates(7)
    places = {name: column.place for name, column in scorer.columns.items()}
    assert places == {
        "UserID": "user", "Seen": "user", "Age": "either", "Hour": "either",
        "ItemID": "candidate", "Genres": "candidate", "Price": "either",
    }  # fmt: skip
    close(scorer.score(light.USER, rows), light.expected(model, light.USER, rows))
    user = {name: value for name, value in light.USER.items() if name != "Age"}
    aged = [{**row, "Age": i % 3} for i, row in enumerate(rows)]
    close(scorer.score(user, aged), light.expected(model, user, aged))
    ads = scorer.read(rows)
    close(scorer.score(light.USER, ads.take([4, 2])), light.expected(model, light.USER, [rows[4], rows[2]]))
    bare = [{name: value for name, value in row.items() if name == "ItemID"} for row in rows]
    with pytest.raises(RequestError, match="expected 'Genres' in each candidate, received none"):
        scorer.score({**light.USER, "Price": 1}, bare)
    with pytest.raises(RequestError, match="expected each column once, received 'Age' in user and in each candidate"):
        scorer.score(light.USER, aged)


def test_values_without_an_id_are_counted_and_share_one(light, scorer):
    user = {**light.USER, "UserID": 99, "Seen": ["ad 3", "new", "newer"]}
    row = {"ItemID": "ad 1", "Genres": "red|new", "Price": 1}
    for _ in range(2):  # met for the first time, and again
        scorer.unseen.clear()
        found = scorer.score(user, [row, {**row, "ItemID": "x"}, {**row, "ItemID": "y"}, {**row, "Genres": ""}])
        assert found[1] == found[2] != found[0]
        assert scorer.unseen == {"UserID": 1, "Seen": 2, "ItemID": 2, "Genres": 3}
    scorer.score({**user, "UserID": 1}, [{**row, "Genres": ["red"]}])
    assert scorer.unseen == {"UserID": 1, "Seen": 4, "ItemID": 2, "Genres": 3}


@pytest.mark.parametrize("true", [True, np.True_])
def test_true_is_not_1(light, scorer, true):
    row = {"ItemID": 1, "Genres": "red", "Price": 1}
    for _ in range(2):  # before 1 was met, and after
        for name in row:
            for rows in ([{**row, name: true}], [row, {**row, name: true}]):
                with pytest.raises(RequestError, match=f"candidates: '{name}', candidate {len(rows) - 1}: expected"):
                    scorer.score(light.USER, rows)
        for name in light.USER:
            with pytest.raises(RequestError, match=f"user: '{name}': expected"):
                scorer.score({**light.USER, name: true}, [row])
        scorer.score({**light.USER, "UserID": 1, "Age": 1, "Hour": 1}, [row])


def test_numbers_as_texts_are_taken_unless_they_are_not(light, served, scorer):
    user, row = {**light.USER, "Age": "2", "Hour": "13.5"}, {"ItemID": "1", "Genres": "red", "Price": "2.5"}
    numbers = {**row, "Price": 2.5}
    assert scorer.score(user, [row]) == scorer.score(light.USER, [numbers])
    strict = Scorer(served[1], number_texts=False)
    strict.score(light.USER, [numbers])
    for given, rows in ((user, [numbers]), (light.USER, [row]), (light.USER, [numbers, row])):
        with pytest.raises(RequestError, match="number") as error:
            strict.score(given, rows)
        assert error.value.kind == "wrong_value"


ROW = {"ItemID": "ad 1", "Genres": ["red"], "Price": 1.0}


def changed(row, **values):
    return {name: value for name, value in {**row, **values}.items() if value is not ...}


@pytest.mark.parametrize(
    ("user", "rows", "kind", "message"),
    [
        ({}, [], "no_candidates", "expected 1 to 50 candidates, received 0; split"),
        ({}, {"ItemID": []}, "no_candidates", "expected 1 to 50 candidates, received 0"),
        ({}, [ROW] * 10_000, "too_many_candidates", "expected 1 to 50 candidates, received 10000; split"),
        ({}, {"ItemID": ["a"] * 51}, "too_many_candidates", "received 51"),
        ({}, "abc", "wrong_shape", "expected `candidates` as a list of mappings, received str"),
        ({}, None, "wrong_shape", "received NoneType"),
        ({}, {"ItemID": ["a"], "Price": [1, 2]}, "wrong_shape", "columns of one length"),
        ({}, {"ItemID": "abc"}, "wrong_shape", "columns of one length"),
        ({}, ["abc"], "wrong_shape", "candidate 0: expected values by column, received abc; give"),
        ({}, [5], "wrong_shape", "candidate 0: expected values by column, received 5"),
        ({}, [ROW, 5], "wrong_shape", "candidate 1: expected values by column like candidate 0"),
        ({}, [ROW, "abc"], "wrong_shape", "candidate 1: expected values by column like candidate 0"),
        ({}, [ROW, [1, 2, 3]], "wrong_shape", "candidate 1: expected values by column like candidate 0"),
        ({}, [{}], "missing_column", "candidate 0: expected values by column, received {}"),
        ({}, [ROW, {}], "missing_column", "candidate 1: expected values by column like candidate 0"),
        ({}, [ROW, changed(ROW, Price=...)], "missing_column", "candidate 1: expected values by column like candidate"),
        ({}, [ROW, {**changed(ROW, Price=...), "x": 1}], "missing_column", "candidate 1: expected values by column"),
        ({}, [changed(ROW, Price=...)], "missing_column", "expected 'Price' in each candidate, received none; add it"),
        ({"Age": ...}, [ROW], "missing_column", "expected 'Age' in user, received none; add it"),
        ({"colour": 1}, [ROW], "unknown_column", "received 'colour' in user; leave it out"),
        ({}, [{**ROW, "colour": 1}], "unknown_column", "received 'colour' in each candidate; leave it out"),
        ({"ItemID": "ad 1"}, [ROW], "misplaced_column", "expected 'ItemID' in each candidate, received it in user"),
        ({}, [{**ROW, "Age": 1}], "misplaced_column", "expected 'Age' in user, received it in each candidate"),
        ({"UserID": 2.5}, [ROW], "wrong_value", "user: 'UserID': expected a text or a whole number, received '2.5'"),
        ({"UserID": None}, [ROW], "wrong_value", "user: 'UserID': expected a text or a whole number, received 'None'"),
        ({"UserID": ["a"]}, [ROW], "wrong_value", "user: 'UserID': expected a text or a whole number"),
        ({"Seen": 5}, [ROW], "wrong_value", "user: 'Seen': expected a list, or a text"),
        ({"Seen": [None]}, [ROW], "wrong_value", "user: 'Seen': expected a text or a whole number"),
        ({"Age": 3}, [ROW], "wrong_value", "user: 'Age': expected a whole number from 0 to 2, received '3'"),
        ({"Age": {}}, [ROW], "wrong_value", "user: 'Age': expected a whole number from 0 to 2"),
        ({"Hour": math.nan}, [ROW], "wrong_value", "user: 'Hour': expected a number, received 'nan'"),
        ({"Hour": "soon"}, [ROW], "wrong_value", "user: 'Hour': expected a number, received 'soon'"),
        ({"Hour": 10**400}, [ROW], "wrong_value", "user: 'Hour': expected a number from -1e+18 to 1e+18"),
        ({}, [ROW, {**ROW, "Price": -1e300}], "wrong_value", "'Price', candidate 1: expected a number from -1e+18"),
        ({}, [ROW, {**ROW, "Price": math.inf}], "wrong_value", "candidates: 'Price', candidate 1: expected a number"),
        ({}, [ROW, {**ROW, "Price": [1]}], "wrong_value", "candidates: 'Price', candidate "),
        ({}, [ROW, {**ROW, "ItemID": math.nan}], "wrong_value", "candidates: 'ItemID', candidate 1: expected a text"),
        ({}, [ROW, {**ROW, "Genres": 5}], "wrong_value", "candidates: 'Genres', candidate 1: expected a list"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_scored_is_one_line(light, served, user, rows, kind, message):
    scorer = Scorer(served[1], max_candidates=50)
    with pytest.raises(RequestError, match=re.escape(message)) as error:
        scorer.score(changed(light.USER, **user), rows)
    assert error.value.kind == kind
    assert "; " in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    close(scorer.score(light.USER, [ROW]), light.expected(served[0], light.USER, [ROW]))


@pytest.mark.parametrize("user", [None, [], "abc", 5])
def test_a_user_without_columns_is_one_line(scorer, user):
    with pytest.raises(RequestError, match="expected `user` as a mapping") as error:
        scorer.score(user, [ROW])
    assert error.value.kind == "wrong_shape"


def test_numbers_for_which_the_net_has_no_score_are_one_line(tmp_path):
    model = zoo.ctr_pair([zoo.Numeric("price", side="item")], light_units=(2,), booster_units=(2,)).light
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    dense[0].kernel.assign(np.full((1, 2), 1e25))
    dense[1].kernel.assign(np.array([[1.0], [-1.0]]))
    encoder = Encoder((NumberField("price", "Price", 0.0, 1.0, side="item"),))
    scorer = Scorer(export_light(model, tmp_path / "light.onnx", {"price": np.zeros(3, "float32")}, encoder))
    assert scorer.score({}, [{"Price": 1}]) == 0.5
    with pytest.raises(RequestError, match="candidate 1: expected numbers like those of the training") as error:
        scorer.score({}, [{"Price": 1}, {"Price": 1e18}])
    assert error.value.kind == "wrong_value"


def test_long_lists_are_scored_but_not_kept(light, served, scorer):
    for genres in (["blue"] * 400, list(range(1000))):
        row = {"ItemID": "ad 1", "Genres": genres, "Price": 1}
        close(scorer.score(light.USER, [row]), light.expected(served[0], light.USER, [row]))
    assert not any(one._known.places for one in scorer._memories.values())


def test_long_values_are_scored_but_not_kept(light, served, scorer):
    long = "x" * 5000
    row = {"ItemID": long, "Genres": "red", "Price": 1}
    for _ in range(2):
        close(
            scorer.score({**light.USER, "UserID": long}, [row]),
            light.expected(served[0], {**light.USER, "UserID": "new"}, [{**row, "ItemID": "new"}]),
        )
    assert scorer.unseen["ItemID"] == scorer.unseen["UserID"] == 2


@pytest.mark.parametrize("rank", [(), (1,)], ids=["(n,)", "(n, 1)"])
def test_a_net_of_the_users_columns_alone_has_one_score_a_request(tmp_path, rank):
    fields = tuple(NumberField(name, name.title(), 1.0, 2.0, side="user") for name in ("age", "income"))
    inputs = {field.name: keras.Input(rank, name=field.name) for field in fields}
    columns = [keras.layers.Reshape((1,))(tensor) for tensor in inputs.values()]
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(columns)))
    encoder, path = Encoder(fields), tmp_path / "light.onnx"
    users = [{"Age": 3.0, "Income": 5.5}, {"Age": -1.0, "Income": 0.5}]
    x = encoder.encode({name: [user[name] for user in users] for name in users[0]})
    export_light(model, path, x, encoder)
    logits = model({name: keras.ops.convert_to_tensor(column) for name, column in x.items()})
    wanted = keras.ops.convert_to_numpy(keras.ops.sigmoid(logits))[:, 0]
    scorer = Scorer(path)
    assert {column.place for column in scorer.columns.values()} == {"either"}
    close(scorer.score(users[0]), wanted[:1])
    close(scorer.score(users[1], [{}, {}]), wanted[[1, 1]])
    close(scorer.score({}, users), wanted)
    close(scorer.score({"Age": 3.0}, [{"Income": 5.5}]), wanted[:1])
    close(scorer.score_json(b'{"user": {"Age": 3.0, "Income": 5.5}, "candidates": [{}]}'), wanted[:1])
    with pytest.raises(RequestError, match="expected 'Income' in user or each candidate, received none"):
        scorer.score({"Age": 3.0})
    with pytest.raises(ValueError, match="`once` to leave an input to the candidates, received all inputs") as stop:
        export_light(model, path, x, encoder, once=["age", "income"])
    assert "\n" not in str(stop.value)


def test_a_net_with_columns_of_the_candidates_needs_them(light, scorer):
    for candidates in ([{}], [{}, {}], ()):
        with pytest.raises(RequestError):
            scorer.score(light.USER, candidates)
    with pytest.raises(RequestError, match="candidate 0: expected values by column"):
        scorer.score(light.USER)
