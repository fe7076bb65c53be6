import os
from pathlib import Path

import pytest

from zoo.data import movielens


def test_the_encoder_reads_the_official_columns(tmp_path):
    folder = tmp_path / "ml-1m"
    folder.mkdir()
    (folder / "users.dat").write_text("1::F::1::10::48067\n30::M::25::15::55117-1234\n")
    (folder / "movies.dat").write_text("7::Up (1982)::Comedy\n9::Heat (1995)::Action\n")
    (folder / "ratings.dat").write_text("".join(f"{(1, 30)[row % 2]}::{(7, 9)[row // 9]}::4::0\n" for row in range(18)))
    data = movielens.load(folder)
    raw = {
        "UserID": [1, 30], "MovieID": ["7", "8"], "Gender": ["F", "X"], "Age": [1, 25], "Occupation": [10, 15],
        "Zip-code": ["48067", "55117-1234"], "Genres": ["Comedy", "Action"], "Title": ["Up (1982)", "Heat (1995)"],
    }  # fmt: skip
    received = {name: ids.tolist() for name, ids in data.encoder.encode(raw).items()}
    assert received == {
        "user_id": [1, 2], "item_id": [1, 0], "gender": [1, 0], "age": [1, 2], "occupation": [1, 2], "zip": [1, 2],
        "genres": [2, 1], "year": [1, 2],
    }  # fmt: skip
    raw["Title"][1] = "Heat"
    with pytest.raises(ValueError, match="raw column 'Title', row 1: expected a title that ends with the year in brac"):
        data.encoder.encode(raw)


REAL = Path(os.environ.get("ROCKET_KERAS_DATA", ""), "ml-1m")


@pytest.mark.skipif(not REAL.is_dir(), reason="ROCKET_KERAS_DATA names no folder with ml-1m/")
def test_the_encoder_makes_the_test_rows_of_the_files_rows(assert_encodes):
    data = movielens.load(None)
    ratings = read("ratings")
    users, movies = ({line.split("::")[0]: line.split("::") for line in read(name)} for name in ("users", "movies"))
    pairs = (ratings[row].split("::")[:2] for row in movielens._split(len(ratings), 0)[2])
    rows = [(*users[user], *movies[movie]) for user, movie in pairs]
    names = ("UserID", "Gender", "Age", "Occupation", "Zip-code", "MovieID", "Title", "Genres")
    assert_encodes(data, dict(zip(names, zip(*rows, strict=True), strict=True)), data.test)


def read(name):
    return (REAL / f"{name}.dat").read_text(encoding="latin-1").split("\n")[:-1]
