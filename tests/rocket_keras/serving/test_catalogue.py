"""Candidates that are read once."""

import numpy as np
import pytest

from rocket_keras import RequestError, Scorer


def test_candidates_that_were_read_have_the_scores_of_their_values(light, scorer):
    rows = [{**row, "Genres": ["red", "new"] if i % 2 else "red"} for i, row in enumerate(light.candidates(40))]
    ads = scorer.read(rows)
    assert len(ads) == 40
    for places in ([3, 1, 3], np.arange(39, -1, -1), np.array([7], np.int32)):
        wanted = scorer.score(light.USER, [rows[place] for place in places])
        np.testing.assert_array_equal(scorer.score(light.USER, ads.take(places)), wanted)
    picked = ads.take([4, 5]).take([1])
    np.testing.assert_array_equal(scorer.score(light.USER, picked), scorer.score(light.USER, [rows[5]]))


def test_columns_are_read_as_mappings_are(light, scorer):
    rows = light.candidates(9)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    mappings, lists = scorer.read(rows), scorer.read(columns)
    np.testing.assert_array_equal(scorer.score(light.USER, lists), scorer.score(light.USER, mappings))


def test_values_without_an_id_are_counted_in_every_request(light, scorer):
    ads = scorer.read([{**row, "ItemID": name} for row, name in zip(light.candidates(3), "xyz", strict=True)])
    assert scorer.unseen["ItemID"] == 0
    scorer.score(light.USER, ads.take([0, 2]))
    scorer.score(light.USER, ads)
    assert scorer.unseen["ItemID"] == 5


def test_more_candidates_may_be_read_than_a_request_may_have(light, served):
    scorer = Scorer(served[1], max_candidates=5)
    ads = scorer.read(light.candidates(30))
    assert scorer.score(light.USER, ads.take(range(5))).shape == (5,)
    for places, kind in ((range(6), "too_many_candidates"), ([], "no_candidates")):
        with pytest.raises(RequestError) as error:
            scorer.score(light.USER, ads.take(places))
        assert error.value.kind == kind


@pytest.mark.parametrize("places", [[30], [-1], [0, 99]])
def test_a_place_outside_the_catalogue_is_refused(light, scorer, places):
    with pytest.raises(ValueError, match=f"expected places from 0 to 29, received {places[-1]}; read the candidate"):
        scorer.read(light.candidates(30)).take(places)


@pytest.mark.parametrize("places", [[0.5], [[1]], 3, ["a"], [True, False]])
def test_places_that_are_no_whole_numbers_are_refused(light, scorer, places):
    with pytest.raises(ValueError, match="expected `places` as a list of whole numbers, received"):
        scorer.read(light.candidates(3)).take(places)


def test_what_cannot_be_read_is_refused_when_it_is_read(light, scorer):
    rows = light.candidates(3)
    for wrong, kind in (
        ([], "no_candidates"),
        ([{**rows[0], "Price": "much"}], "wrong_value"),
        ([{**rows[0], "Price": True}], "wrong_value"),
        ([{**rows[0], "Colour": "red"}], "unknown_column"),
        ([{**rows[0], "UserID": 1}], "misplaced_column"),
        ([{"ItemID": "ad 1"}], "missing_column"),
        ([rows[0], {"ItemID": "ad 1"}], "missing_column"),
    ):
        with pytest.raises(RequestError) as error:
            scorer.read(wrong)
        assert error.value.kind == kind, error.value
        assert "\n" not in str(error.value)


def test_a_net_of_another_vocabulary_refuses_the_candidates(light, scorer, tmp_path):
    other = light.with_side("context", "age", "hour", "price")
    assert other != light.ENCODER
    light.write(tmp_path / "other.onnx", encoder=other)
    with pytest.raises(RequestError, match="received those of another net; read them again"):
        Scorer(tmp_path / "other.onnx").score(light.USER, scorer.read(light.candidates(3)))
