import random
import runpy
import tracemalloc
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HashedIdField, IdField, IdsField, KnownIdField, NumberField
from rocket_keras.encoding.transforms import signed_log1p
from rocket_keras.streaming import LogError, Progress, Report, Tolerance, iter_batches, learn_encoder, read_log

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_log.py"))))


def by_name(encoder):
    return {field.name: field for field in encoder.fields}


@pytest.mark.parametrize("end", ["parquet", "csv.gz", "tsv"])
@pytest.mark.parametrize("max_entries", [2_000_000, 3])
def test_vocabularies_means_and_deviations_are_those_of_all_rows(tmp_path, end, max_entries):
    parts = [made.rows(300, seed) for seed in range(3)]
    for place, part in enumerate(parts):
        made.write(tmp_path / f"part-{place}.{end}", part)
    columns = made.joined(*parts)
    log, before = read_log(tmp_path), sorted(tmp_path.iterdir())
    encoder = learn_encoder(
        log, made.FIELDS, min_count={"user": 15, "words": 2}, max_entries=max_entries, spill_folder=tmp_path
    )
    assert sorted(tmp_path.iterdir()) == before
    fields = by_name(encoder)
    users = Counter(columns["user"])
    assert fields["user"].values == tuple(sorted(user for user, rows in users.items() if rows >= 15))
    assert 5 < len(fields["user"].values) < len(users)
    assert fields["ad"].values == tuple(sorted(set(map(str, columns["ad"]))))
    assert fields["words"].values == tuple(map(str, range(9)))
    price = signed_log1p(np.array(columns["price"]))
    assert fields["price"].mean == pytest.approx(price.mean(), rel=1e-10)
    assert fields["price"].std == pytest.approx(price.std(), rel=1e-10)
    assert (fields["slot"], fields["before"]) == (made.FIELDS[2], made.FIELDS[5])
    assert [field.name for field in encoder.fields] == [field.name for field in made.FIELDS]


def test_a_value_counts_once_in_a_row_of_several(tmp_path):
    made.write(tmp_path / "log.csv", {"click": [0, 1, 0], "words": ["a|a|b", "b", "a|c|c"]})
    field = by_name(made.encoder(made.rows()))["words"]
    field = type(field)("words", "words", (), 3)
    (learnt,) = learn_encoder(read_log(tmp_path), [field], min_count=2).fields
    assert learnt.values == ("a", "b")


@pytest.mark.parametrize("end", ["parquet", "csv"])
def test_values_beyond_a_fields_length_have_no_id(tmp_path, end):
    """Encoding keeps the first values of a row: every id that was learnt is looked up, and no value goes without."""
    random = np.random.default_rng(0)
    words = ["|".join(f"w{word}" for word in random.zipf(1.3, 9) % 400) for _ in range(500)]
    words[3:5] = ["w1|w1|w1|rare", ""]
    made.write(tmp_path / f"log.{end}", {"click": [0, 1] * 250, "words": words})
    log = read_log(tmp_path)
    (field,) = learn_encoder(log, [IdsField("words", "words", (), 3)], min_count=2).fields
    kept = Counter(word for row in words for word in set(row.split("|")[:3]) if word)
    assert field.values == tuple(sorted(word for word, rows in kept.items() if rows >= 2))
    assert "rare" not in field.values
    ids = np.concatenate([batch.x["words"] for batch in iter_batches(log, Encoder((field,)), "click", 100)])
    assert set(np.unique(ids)) == {-1, *range(field.size)}
    assert len(field.values) < len({word for row in words for word in row.split("|")}) / 2


def test_the_order_of_the_files_does_not_matter(tmp_path):
    names = list(range(5))
    encoders = set()
    for order in (names, [3, 1, 4, 0, 2]):
        for place, seed in enumerate(order):
            made.write(tmp_path / f"part-{place}.csv", made.rows(200, seed))
        encoders.add(learn_encoder(read_log(tmp_path), made.FIELDS, min_count=3).to_json())
    assert len(encoders) == 1


def test_values_that_are_known_keep_their_ids(tmp_path):
    made.write(tmp_path / "log.csv", {"click": [0, 1, 1], "user": ["b", "a", "d"], "price": [1.0, 2.0, 3.0]})
    fields = (IdField("user", "user", ("z", "b")), NumberField("price", "price", 5.0, 7.0))
    user, price = learn_encoder(read_log(tmp_path), fields, numbers=False).fields
    assert user.values == ("z", "b", "a", "d")
    assert (price.mean, price.std) == (5.0, 7.0)


def test_derived_texts_have_the_ids(tmp_path):
    made.write(tmp_path / "log.csv", {"click": [0, 1, 1], "hour": ["14102100", "14102123", "bad"]})
    fields = (IdField("hour", "hour", (), "hour_of_day"), IdField("day", "hour", (), "weekday"))
    report = Report()
    hour, day = learn_encoder(read_log(tmp_path), fields, tolerance=Tolerance(share=1), report=report).fields
    assert (hour.values, day.values) == (("00", "23"), ("1",))
    assert (report.rows, report.bad) == (2, 1)


def test_rows_without_a_label_are_not_learnt_from(tmp_path):
    made.write(tmp_path / "log.csv", {"click": ["0", "x"], "user": ["a", "b"]})
    log, fields = read_log(tmp_path), [IdField("user", "user", ())]
    (user,) = learn_encoder(log, fields, label="click", tolerance=Tolerance(share=1)).fields
    assert user.values == ("a",)
    assert learn_encoder(log, fields).fields[0].values == ("a", "b")


def test_a_constant_number_is_not_scaled(tmp_path):
    made.write(tmp_path / "log.csv", {"click": [0, 1], "price": [3.0, 3.0]})
    (price,) = learn_encoder(read_log(tmp_path), [NumberField("price", "price", 0, 1)]).fields
    assert (price.mean, price.std) == (3.0, 1.0)


def test_other_fields_need_no_pass_but_their_rows_are_checked(tmp_path):
    fields = (HashedIdField("user", "user", 100), KnownIdField("slot", "slot", 3))
    made.write(tmp_path / "log.csv", made.rows(100))
    with pytest.raises(LogError, match="slot: expected a whole number from 0 to 2"):
        learn_encoder(read_log(tmp_path), fields)
    assert learn_encoder(read_log(tmp_path), fields, tolerance=Tolerance(share=1)) == Encoder(fields)


def test_progress_ends_with_all_rows_and_bytes(tmp_path, monkeypatch):
    from rocket_keras.streaming import progress

    monkeypatch.setattr(progress, "EVERY", 0)
    for place in range(3):
        made.write(tmp_path / f"part-{place}.parquet", made.rows(200, place))
    log, told = read_log(tmp_path), []
    learn_encoder(log, made.FIELDS, progress=told.append)
    assert [one.rows for one in told] == sorted(one.rows for one in told)
    assert len(told) == 7
    last = told[-1]
    assert isinstance(last, Progress)
    assert (last.rows, last.bytes, last.total_bytes) == (600, log.bytes, log.bytes)
    assert last.rows_per_second == pytest.approx(600 / last.seconds)


def test_memory_holds_as_many_counts_as_is_said(tmp_path, monkeypatch):
    """60,000 users of whom 100 are frequent: counted with memory for 2000."""
    from rocket_keras.streaming import counts, parquet

    monkeypatch.setattr(parquet, "BLOCK_ROWS", 500)
    monkeypatch.setattr(counts, "RUN_ROWS", 100)
    rng = random.Random(0)
    users = [f"user-{number}" for number in range(60_000)] + [f"user-{number}" for number in range(100)] * 3
    rng.shuffle(users)
    for place in range(6):
        part = users[place::6]
        made.write(tmp_path / f"{place}.parquet", {"click": [0] * len(part), "user": part})
    log, fields = read_log(tmp_path), [IdField("user", "user", ())]
    learn_encoder(log, fields, min_count=4)

    def peak(max_entries):
        tracemalloc.start()
        (user,) = learn_encoder(log, fields, min_count=4, max_entries=max_entries).fields
        assert user.values == tuple(sorted(f"user-{number}" for number in range(100)))
        return tracemalloc.get_traced_memory()[1], tracemalloc.stop()

    assert peak(2000)[0] < 0.3 * peak(10**6)[0]
