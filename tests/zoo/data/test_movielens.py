import os
from pathlib import Path

import numpy as np
import pytest

from rocket_keras.metrics import auc
from zoo.data import movielens
from zoo.features import SIDES, Categorical

RATES = ("user_genres_rate", "user_decade_rate")
USERS = "1::F::1::10::48067\n2::M::56::16::70072\n30::M::25::15::55117-1234\n"
MOVIES = (
    "1::Toy Story (1995)::Animation|Children's|Comedy\n7::L'Associé (L'Associe)(1982)::Comedy\n9::Heat (1995)::Action\n"
)
PAIRS = [(user, movie) for user in (1, 2, 30) for movie in (1, 7, 9)]


def rating_lines(count=40):
    return [f"{PAIRS[row % 9][0]}::{PAIRS[row % 9][1]}::{row % 5 + 1}::{978300000 + row}" for row in range(count)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "ml-1m"
    inside.mkdir()
    write(inside, "users", USERS)
    write(inside, "movies", MOVIES)
    write(inside, "ratings", "\n".join(rating_lines()) + "\n")
    return inside


def write(folder, name, text):
    (folder / f"{name}.dat").write_bytes(text.encode("latin-1"))


def rejected(folder):
    with pytest.raises(ValueError, match="expected") as error:
        movielens.load(folder)
    assert "\n" not in str(error.value)
    assert "grouplens.org" in str(error.value)
    return str(error.value)


def test_reads_the_official_format(folder):
    data = movielens.load(folder.parent)
    assert [len(split) for _, split in data.splits()] == [32, 4, 4]
    assert [feature.name for feature in data.features] == [
        "user_id", "item_id", "gender", "age", "occupation", "zip", "genres", "year",
        "user_genres_rate", "user_decade_rate",
    ]  # fmt: skip
    sizes = {feature.name: feature.size for feature in ids(data)}
    assert sizes == {
        "user_id": 4, "item_id": 4, "gender": 3, "age": 4, "occupation": 4, "zip": 4, "genres": 4, "year": 3,
    }  # fmt: skip
    assert all(feature.dim == 16 for feature in ids(data))
    for _, split in data.splits():
        assert split.y.dtype == np.float32
        assert all(split.x[feature.name].dtype == np.int32 for feature in ids(data))
        assert all(split.x[name].dtype == np.float32 for name in RATES)
        assert all(column.shape == split.y.shape for column in split.x.values())


def ids(data):
    return [feature for feature in data.features if isinstance(feature, Categorical)]


def test_sides_and_privileged_crosses(folder):
    features = movielens.load(folder).features
    by_side = {side: [feature.name for feature in features if feature.side == side] for side in SIDES}
    assert by_side == {
        "user": ["user_id", "gender", "age", "occupation", "zip"],
        "item": ["item_id", "genres", "year"],
        "context": list(RATES),
    }
    assert {feature.name for feature in features if feature.privileged} == set(RATES)


@pytest.mark.parametrize("line", range(40))
def test_no_rating_reaches_the_rates_of_its_own_row(folder, line):
    """Of a train row: its own rates stay, some other's change. Of any other row: nothing changes but its label."""
    before = movielens.load(folder)
    lines = rating_lines()
    user, movie, rating, time = lines[line].split("::")
    lines[line] = f"{user}::{movie}::{1 if int(rating) >= 4 else 5}::{time}"
    write(folder, "ratings", "\n".join(lines) + "\n")
    after = movielens.load(folder)
    flipped = np.flatnonzero(before.train.y != after.train.y)
    pairs = zip(before.splits(), after.splits(), strict=True)
    changed = [(old.x[name] != new.x[name]).any() for (_, old), (_, new) in pairs for name in RATES]
    assert any(changed) == bool(len(flipped))
    for name in RATES:
        np.testing.assert_array_equal(before.train.x[name][flipped], after.train.x[name][flipped])


def test_rates_follow_the_kind_of_film(folder):
    """A user who clicks on the films of the nineties only has the higher rate on them, in the rows not trained on."""
    lines = [f"{user}::{movie}::{2 if movie == 7 else 5}::1" for user in (1, 2, 30) for movie in (1, 7, 9)] * 20
    write(folder, "ratings", "\n".join(lines) + "\n")
    test = movielens.load(folder).test
    assert all(test.x[name][test.y == 1].min() > test.x[name][test.y == 0].max() for name in RATES)


def test_rows_are_the_files_rows(folder):
    """Every id decodes to the value that the files hold for the row's user and movie, and a click is rating >= 4."""
    data = movielens.load(folder)
    values = {"user_id": [1, 2, 30], "item_id": [1, 7, 9], "gender": ["F", "M"], "year": ["1982", "1995"]}
    gender, year = {1: "F", 2: "M", 30: "M"}, {1: "1995", 7: "1982", 9: "1995"}
    received = []
    for _, split in data.splits():
        decoded = {name: [values[name][i - 1] for i in split.x[name]] for name in values}
        assert decoded["user_id"] == split.groups.tolist()
        assert decoded["gender"] == [gender[user] for user in decoded["user_id"]]
        assert decoded["year"] == [year[movie] for movie in decoded["item_id"]]
        received += zip(decoded["user_id"], decoded["item_id"], split.y.astype(bool).tolist(), strict=True)
    expected = [(*PAIRS[row % 9], row % 5 + 1 >= 4) for row in range(40)]
    assert sorted(received) == sorted(expected)


def test_the_folder_may_be_the_one_above_itself_or_the_variable(folder, monkeypatch):
    here = movielens.load(folder).content_hash
    assert movielens.load(folder.parent).content_hash == here
    monkeypatch.setenv("ROCKET_KERAS_DATA", str(folder.parent))
    assert movielens.load(None).content_hash == here


def test_split_follows_the_seed(folder):
    assert movielens.load(folder, seed=3).content_hash == movielens.load(folder, seed=3).content_hash
    assert movielens.load(folder, seed=3).content_hash != movielens.load(folder, seed=4).content_hash


def test_splits_are_disjoint_and_whole():
    parts = movielens._split(1003, 0)
    assert [len(part) for part in parts] == [803, 100, 100]
    assert sorted(np.concatenate(parts)) == list(range(1003))


def test_a_value_outside_the_train_rows_has_id_zero(folder):
    """Vocabularies come from the train rows alone: with few of them, other splits hold unknown values."""
    data = movielens.load(folder, train_rows=1)
    assert [feature.size for feature in ids(data)] == [2] * 8
    assert all((data.train.x[feature.name] == 1).all() for feature in ids(data))
    known_user = data.train.groups[0]
    np.testing.assert_array_equal(data.test.x["user_id"] == 1, data.test.groups == known_user)
    assert (data.test.x["item_id"] == 0).any() or (data.validation.x["item_id"] == 0).any()


def test_windows_line_ends_change_nothing(folder):
    before = movielens.load(folder).content_hash
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert movielens.load(folder).content_hash == before


@pytest.mark.parametrize("row", [1, 17, 40])
@pytest.mark.parametrize(
    ("line", "received"),
    [("1::7::5", "'1::7::5'"), ("1,7,5,978300000", "'1,7,5,978300000'"), ("1::7::x::9", "'1::7::x::9'"), ("", "''")],
)
def test_names_a_bad_row_of_the_ratings(folder, row, line, received):
    lines = rating_lines()
    lines[row - 1] = line
    write(folder, "ratings", "\n".join(lines) + "\n")
    message = rejected(folder)
    assert f"ratings.dat, row {row}: expected UserID::MovieID::Rating::Timestamp" in message
    assert f"received {received}" in message


@pytest.mark.parametrize("rating", [0, 6])
def test_refuses_a_rating_outside_one_to_five(folder, rating):
    write(folder, "ratings", "\n".join([*rating_lines(), f"1::7::{rating}::978300000"]) + "\n")
    assert f"ratings.dat, row 41: expected a rating from 1 to 5, received {rating}" in rejected(folder)


@pytest.mark.parametrize("cut", [1, 5, 14])
@pytest.mark.parametrize(("name", "row"), [("ratings", 40), ("users", 3), ("movies", 3)])
def test_refuses_a_cut_file(folder, name, row, cut):
    file = folder / f"{name}.dat"
    file.write_bytes(file.read_bytes()[:-cut])
    assert f"{name}.dat, row {row}: expected" in rejected(folder)


@pytest.mark.parametrize("name", ["ratings", "users", "movies"])
def test_refuses_an_empty_file(folder, name):
    write(folder, name, "")
    assert f"{name}.dat, row 1: expected" in (message := rejected(folder))
    assert "received an empty file" in message


@pytest.mark.parametrize("name", ["ratings", "users", "movies"])
def test_refuses_a_foreign_file(folder, name):
    write(folder, name, "userId,movieId,rating,timestamp\n1,2,3.5,1112486027\n")
    assert f"{name}.dat, row 1: expected" in (message := rejected(folder))
    assert "received 'userId,movieId,rating,timestamp'" in message


@pytest.mark.parametrize(
    ("line", "file", "received"), [("5::7::4::1", "users.dat", 5), ("2::8::4::1", "movies.dat", 8)]
)
def test_refuses_an_id_that_its_table_does_not_list(folder, line, file, received):
    lines = rating_lines()
    lines[9] = line
    write(folder, "ratings", "\n".join(lines) + "\n")
    assert f"ratings.dat, row 10: expected an id that is in {file}, received {received}" in rejected(folder)


def test_refuses_an_id_listed_twice(folder):
    write(folder, "users", USERS + "2::F::18::4::02139\n")
    assert "users.dat, row 4: expected each id once, received 2 again" in rejected(folder)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "movies.dat").unlink()
    with pytest.raises(FileNotFoundError) as error:
        movielens.load(folder.parent)
    message = str(error.value)
    assert "\n" not in message
    for part in ("movies.dat", "ml-1m.zip", "grouplens.org", str(folder), "--data-dir", "ROCKET_KERAS_DATA"):
        assert part in message
    assert "users.dat" not in message


def test_says_that_no_folder_was_given(folder):
    with pytest.raises(FileNotFoundError, match=r"received none; fetch MovieLens-1M .* --data-dir DIR or set ROCKET_"):
        movielens.load(None)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "ml-1m")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with ml-1m/")
def test_real_movielens():
    data = movielens.load(None)
    assert sum(len(split) for _, split in data.splits()) == 1_000_209
    clicks = sum(split.y.sum(dtype=float) for _, split in data.splits())
    assert clicks == 575_281
    assert {feature.name: feature.size for feature in ids(data)}["user_id"] == 6041
    # That of zoo/results/compare_ml1m.json.
    assert data.content_hash == "9c3bf18cc26f16d3eb97b2c7965479d766479a18c5ce660c04b4ebab65861405"
    for name in RATES:
        column = data.train.x[name].astype(float)
        assert abs(column.mean()) < 1e-4
        assert abs(column.std() - 1) < 1e-4
        # Out of fold, a rate says no more of the train rows' labels than of the others'.
        train, validation, test = (auc(split.y, split.x[name]) for _, split in data.splits())
        assert 0.69 < train < max(validation, test) + 0.005
