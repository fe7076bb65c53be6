"""Ids that come and go."""

import numpy as np
import pytest

from rocket_keras.daily.vocabulary import capacities, first_day, note_seen, turn_over
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HistoryField, IdField, IdsField, NumberField


def encoder(*values, tags=("red",)):
    return Encoder(
        (
            IdField("ad", "Ad", tuple(values)),
            IdsField("tags", "Tags", tuple(tags), length=2),
            HistoryField("seen", "Seen", "ad", length=3),
            NumberField("price", "Price", 0.0, 1.0),
        )
    )


def texts_of(encoder, ids):
    values = ("?", *encoder.fields[0].values)
    return [values[place] for place in ids]


def test_ids_of_histories_and_lists_are_seen():
    known = encoder("a", "b", "c", "d", tags=("red", "blue"))
    seen = first_day(known, 0).last_seen
    x = {"ad": np.array([1, 0]), "tags": np.array([[2, -1]]), "seen": np.array([[3, -1, -1], [-1, -1, -1]])}
    note_seen(known, seen, x, 7)
    assert seen["ad"][1:].tolist() == [7, 0, 7, 0]
    assert seen["tags"][1:].tolist() == [0, 7]


def test_new_values_take_the_rows_of_those_unseen_for_longest():
    before, learnt = encoder(*"abcd"), encoder(*"abcdwxyz")
    last_seen = {"ad": np.array([0, 3, 9, 1, 3]), "tags": np.array([0, 9])}
    turned = turn_over(before, learnt, last_seen, day=9, keep_days=6)
    # c (day 1), then a and d (day 3); b was seen today, and z gets a new row.
    assert texts_of(turned.encoder, [1, 2, 3, 4, 5]) == ["x", "b", "w", "y", "z"]
    assert turned.freed["ad"].tolist() == [3, 1, 4]
    assert turned.added == {"ad": 4, "tags": 0}
    assert turned.last_seen["ad"][1:].tolist() == [9, 9, 9, 9, 9]
    assert "tags" not in turned.freed


@pytest.mark.parametrize("keep_days", [None, 9])
def test_an_id_that_was_seen_lately_keeps_its_row(keep_days):
    before, learnt = encoder("a", "b"), encoder("a", "b", "c")
    turned = turn_over(before, learnt, {"ad": np.array([0, 1, 2]), "tags": np.array([0, 0])}, 9, keep_days)
    assert turned.encoder.fields[0].values == ("a", "b", "c")
    assert not turned.freed


def test_values_that_stay_keep_their_ids_over_many_days():
    random, known = np.random.default_rng(0), encoder("v0")
    seen = first_day(known, 0).last_seen
    for day in range(1, 40):
        news = [f"v{day}-{place}" for place in range(random.integers(0, 5))]
        ids = random.integers(0, known.fields[0].size, 3)
        note_seen(known, seen, {"ad": ids}, day)
        before = known.fields[0]
        turned = turn_over(known, encoder(*before.values, *news), seen, day, 4)
        known, seen = turned.encoder, turned.last_seen
        after = known.fields[0].id_of
        freed = set(turned.freed.get("ad", np.array([], int)).tolist())
        assert all(after[value] == place for value, place in before.id_of.items() if place not in freed)
        assert all(value in after for value in news)
        assert known.fields[0].size == len(seen["ad"])
    assert known.fields[0].size < 40


def test_tables_grow_with_headroom_and_never_shrink():
    rows = capacities(encoder(*"abcd"), {}, 0.5)
    assert rows == {"ad": 7, "tags": 2}
    assert capacities(encoder(*"abcdef"), rows, 0.5) == rows
    assert capacities(encoder(*"abcdefg"), rows, 0.5) == {"ad": 11, "tags": 2}
