import os
from pathlib import Path

import numpy as np
import pytest

from zoo.data import movielens100k
from zoo.data.movielens100k import GENRES
from zoo.features import Categorical, History, MultiCategorical

USERS = "1|24|M|technician|85711\n2|53|F|other|94043\n30|17|M|student|T8H1N\n"
DAYS = {1: "01-Jan-1995", 7: "4-Feb-1971", 9: ""}
FLAGS = {1: (3, 4, 5), 7: (8,), 9: (0,)}


def item_line(item):
    flags = "|".join(str(int(place in FLAGS[item])) for place in range(19))
    return f"{item}|L'Associé (1982)|{DAYS[item]}||http://us.imdb.com/M/title?x|{flags}"


def rating_lines(count=60):
    """In no order of time, with three ratings a second."""
    random = np.random.RandomState(0)
    users, items = random.choice((1, 2, 30), count), random.choice((1, 7, 9), count)
    seconds = 881250000 + random.permutation(count) // 3
    return [f"{users[row]}\t{items[row]}\t{row % 5 + 1}\t{seconds[row]}" for row in range(count)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "ml-100k"
    inside.mkdir()
    write(inside, "user", USERS.splitlines())
    write(inside, "item", [item_line(item) for item in (1, 7, 9)])
    write(inside, "data", rating_lines())
    return inside


def write(folder, name, lines):
    (folder / f"u.{name}").write_bytes("".join(f"{line}\n" for line in lines).encode("latin-1"))


def in_time(lines):
    """The ratings as `(user, item, rating, time)`, those of one second in the file's order."""
    return sorted((tuple(map(int, line.split("\t"))) for line in lines), key=lambda row: row[3])


def history_of(row, ratings):
    """Items with a click of the row's user strictly before it, oldest first."""
    return [item for user, item, rating, time in ratings if user == row[0] and rating >= 4 and time < row[3]]


def test_the_last_tenth_tests_and_the_one_before_validates(folder):
    data = movielens100k.load(folder.parent)
    assert [len(split) for _, split in data.splits()] == [48, 6, 6]
    ratings = in_time(rating_lines())
    groups = np.concatenate([split.groups for _, split in data.splits()])
    labels = np.concatenate([split.y for _, split in data.splits()])
    np.testing.assert_array_equal(groups, [row[0] for row in ratings])
    np.testing.assert_array_equal(labels, [row[2] >= 4 for row in ratings])
    assert movielens100k.load(folder, seed=5).content_hash == data.content_hash


def test_features(folder):
    features = movielens100k.load(folder).features
    assert features == (
        Categorical("user_id", 4, 16, "user"),
        Categorical("item_id", 4, 16, "item"),
        Categorical("gender", 3, 16, "user"),
        Categorical("age", 4, 16, "user"),
        Categorical("occupation", 4, 16, "user"),
        Categorical("zip", 4, 16, "user"),
        Categorical("year", 4, 16, "item"),
        MultiCategorical("genres", 6, 3, 16, "item"),
        History("history", "item_id", 20, "user"),
    )


def test_columns_are_the_files_and_histories_leak_nothing(folder, assert_encodes):
    """Every split's columns are those that the encoder makes of the raw rows, with histories counted by hand."""
    data = movielens100k.load(folder)
    ratings = in_time(rating_lines())
    begin = 0
    for _, split in data.splits():
        rows = ratings[begin : begin + len(split)]
        begin += len(split)
        assert_encodes(data, raw_columns(rows, ratings), split)
    assert (data.test.x["history"] >= 0).any()
    genres = dict(zip(data.train.groups * 0 + data.train.x["item_id"], data.train.x["genres"].tolist(), strict=True))
    # Ids of items and genres count from 1 in the order of the official numbers.
    assert genres == {1: [2, 3, 4], 2: [5, -1, -1], 3: [1, -1, -1]}


def raw_columns(rows, ratings):
    users = {int(line.split("|")[0]): line.split("|") for line in USERS.splitlines()}
    return {
        "user id": [row[0] for row in rows],
        "item id": [row[1] for row in rows],
        "gender": [users[row[0]][2] for row in rows],
        "age": [users[row[0]][1] for row in rows],
        "occupation": [users[row[0]][3] for row in rows],
        "zip code": [users[row[0]][4] for row in rows],
        "release date": [DAYS[row[1]] for row in rows],
        "genres": [[GENRES[place] for place in FLAGS[row[1]]] for row in rows],
        "history": [history_of(row, ratings) for row in rows],
    }


def test_a_label_reaches_no_row_of_its_own_second_or_before(folder):
    before = movielens100k.load(folder)
    ratings = in_time(rating_lines())
    late = next(row for row in ratings[30:] if row[2] < 4)
    lines = ["\t".join(map(str, (*row[:2], 5, row[3]) if row == late else row)) for row in ratings]
    write(folder, "data", lines)
    after = movielens100k.load(folder)
    histories = [np.concatenate([split.x["history"] for _, split in data.splits()]) for data in (before, after)]
    changed = (histories[0] != histories[1]).any(axis=1)
    may = np.array([row[0] == late[0] and row[3] > late[3] for row in ratings])
    assert changed.any()
    assert not (changed & ~may).any()


def test_train_rows_are_the_latest(folder):
    data, some = movielens100k.load(folder), movielens100k.load(folder, train_rows=7)
    np.testing.assert_array_equal(some.train.groups, data.train.groups[-7:])
    np.testing.assert_array_equal(some.test.groups, data.test.groups)
    with pytest.raises(ValueError, match="`train_rows` from 1 to 48, received 49"):
        movielens100k.load(folder, train_rows=49)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("data", "\n", "\nx\t1\t5\t1\n", "u.data, row 2: expected user, item, rating and timestamp with tabs"),
        ("data", "\n", "\n1\t1\t6\t1\n", "u.data, row 2: expected a rating from 1 to 5, received 6"),
        ("data", "\n", "\n5\t1\t4\t1\n", "u.data, row 2: expected an id that is in u.user, received 5"),
        ("data", "\n", "\n1\t2\t4\t1\n", "u.data, row 2: expected an id that is in u.item, received 2"),
        ("user", "|F|", "|X|", "u.user, row 2: expected user|age|gender|occupation|zip code"),
        ("item", "4-Feb-1971", "1971", "u.item, row 2: expected item|title|release date"),
        ("item", "|0\n", "\n", "u.item, row 1: expected item|title|release date"),
    ],
)
def test_names_a_bad_row(folder, name, old, new, message):
    file = folder / f"u.{name}"
    file.write_text(file.read_text("latin-1").replace(old, new, 1), "latin-1")
    with pytest.raises(ValueError, match=r"fetch MovieLens-100k .*grouplens\.org.* again") as error:
        movielens100k.load(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "u.item").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected u\.item in .*ml-100k\.zip.*grouplens\.org.*--data-dir"):
        movielens100k.load(folder.parent)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "ml-100k")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with ml-100k/")
def test_real_movielens_100k():
    data = movielens100k.load()
    assert [len(split) for _, split in data.splits()] == [80_000, 10_000, 10_000]
    assert sum(split.y.sum() for _, split in data.splits()) == 55_375
    sizes = {feature.name: feature.size for feature in data.features if isinstance(feature, Categorical)}
    assert (sizes["gender"], sizes["age"], sizes["occupation"]) == (3, 8, 22)
    genres = next(feature for feature in data.features if feature.name == "genres")
    assert (genres.size, genres.length) == (20, 6)
    ratings = in_time((REAL / "u.data").read_text().splitlines())
    place = {item: number for number, item in enumerate(map(int, data.encoder.fields[1].values), start=1)}
    for row in range(0, 10_000, 997):
        seen = [place.get(item, 0) for item in history_of(ratings[90_000 + row], ratings)][-20:]
        assert data.test.x["history"][row].tolist() == seen + [-1] * (20 - len(seen))
