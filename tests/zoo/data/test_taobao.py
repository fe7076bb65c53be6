import gzip

import numpy as np
import pytest

from zoo.data import taobao
from zoo.data.taobao import CHINA, DAY
from zoo.features import Categorical, History, Numeric

START = 17_292 * DAY - CHINA  # midnight in China, 2017-05-06
HEADERS = {name: ",".join(columns) for name, (columns, _) in taobao._FILES.items()}
HEADERS["user_profile"] += " "


@pytest.fixture(scope="module")
def tables():
    """Rows of the four files: 400 impressions of four days in no order of time, with many of one second."""
    random = np.random.RandomState(0)
    users, ads = random.choice(10**6, 20, replace=False), random.choice(10**6, 30, replace=False)
    seconds = START + random.randint(0, 4, 400) * DAY + random.choice([0, 50_000, DAY - 1], 400)
    clicks = random.randint(0, 2, 400)
    seen = random.randint(0, 20, 900), random.randint(-1, 4, 900), random.choice([0, 50_000, DAY - 1], 900)
    return {
        "raw_sample": [
            f"{random.choice(users)},{time},{random.choice(ads)},430548_{1006 + click},{1 - click},{click}"
            for time, click in zip(seconds, clicks, strict=True)
        ],
        "ad_feature": [
            f"{ad},{place % 7},{place % 11},{place % 5},{'NULL' if place % 4 else place},{place * 1.5}"
            for place, ad in enumerate(ads)
        ],
        "user_profile": [
            f"{user},{place % 3},{place % 4},{place % 2 + 1},5,{place % 3 or ''},3,0,"
            for place, user in enumerate(users[:15])
        ],
        "behavior_log": [
            f"{users[user]},{START + day * DAY + second},{random.choice(['pv', 'cart', 'fav', 'buy'])},{place % 9},7"
            for place, (user, day, second) in enumerate(zip(*seen, strict=True))
        ],
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch, tables):
    monkeypatch.delenv("ROCKET_KERAS_DATA", raising=False)
    inside = tmp_path / "taobao"
    inside.mkdir()
    for name, rows in tables.items():
        (inside / f"{name}.csv").write_text("\n".join([HEADERS[name], *rows]) + "\n")
    return inside


def in_time(tables):
    return sorted((line.split(",") for line in tables["raw_sample"]), key=lambda row: int(row[1]))


def raw_columns(rows, tables):
    ads = {line.split(",")[0]: line.split(",") for line in tables["ad_feature"]}
    profiles = {line.split(",")[0]: line.split(",") for line in tables["user_profile"]}
    events = sorted((line.split(",") for line in tables["behavior_log"]), key=lambda event: int(event[1]))
    raw = {
        "user": [int(row[0]) for row in rows],
        "adgroup_id": [row[2] for row in rows],
        "pid": [row[3] for row in rows],
        "price": [float(ads[row[2]][5]) for row in rows],
        "history": [[e[3] for e in events if e[0] == row[0] and int(e[1]) < int(row[1])] for row in rows],
    }
    raw |= {name: [ads[row[2]][place] for row in rows] for place, name in enumerate(taobao.AD, start=1)}
    empty = [""] * 9
    for place, name in enumerate(taobao.PROFILE, start=1):
        raw[name] = [profiles.get(row[0], empty)[place] for row in rows]
    return raw


def test_the_last_day_tests_and_the_day_before_validates(folder, tables):
    data = taobao.load(folder.parent)
    rows = in_time(tables)
    day = [(int(row[1]) - START) // DAY for row in rows]
    assert [len(split) for _, split in data.splits()] == [sum(d < 2 for d in day), day.count(2), day.count(3)]
    np.testing.assert_array_equal(
        np.concatenate([split.groups for _, split in data.splits()]), [int(r[0]) for r in rows]
    )
    np.testing.assert_array_equal(np.concatenate([split.y for _, split in data.splits()]), [int(r[5]) for r in rows])
    assert taobao.load(folder, seed=4).content_hash == data.content_hash


def test_features(folder):
    features = {feature.name: feature for feature in taobao.load(folder).features}
    assert features["history"] == History("history", "cate_id", 50)
    assert features["price"] == Numeric("price", "item")
    ids = [name for name, feature in features.items() if isinstance(feature, Categorical)]
    assert ids == ["user_id", "adgroup_id", *taobao.AD, "pid", *taobao.PROFILE]
    assert (features["cate_id"].size, features["pid"].size, features["brand"].side) == (8, 3, "item")


def test_columns_are_the_files_and_histories_leak_nothing(folder, tables, assert_encodes):
    data = taobao.load(folder)
    rows, begin = in_time(tables), 0
    for _, split in data.splits():
        assert_encodes(data, raw_columns(rows[begin : begin + len(split)], tables), split)
        begin += len(split)
    # A user's first events lie before the first day; the categories 7 and 8 are those of no ad.
    assert (data.train.x["history"][:, 0] >= 0).any()
    assert (data.test.x["history"] == 0).any()


def test_gzipped_files_are_the_same(folder):
    before = taobao.load(folder).content_hash
    plain = folder / "behavior_log.csv"
    with gzip.open(folder / "behavior_log.csv.gz", "wb") as file:
        file.write(plain.read_bytes())
    plain.unlink()
    assert taobao.load(folder).content_hash == before


def test_takes_some_users(folder, tables):
    data = taobao.load(folder, one_user_in=2)
    expected = [int(row[0]) for row in in_time(tables) if int(row[0]) % 2 == 0]
    np.testing.assert_array_equal(np.concatenate([split.groups for _, split in data.splits()]), expected)
    with pytest.raises(ValueError, match="`one_user_in` of at least 1, received 0"):
        taobao.load(folder, one_user_in=0)


def test_train_rows_are_the_latest(folder):
    data, some = taobao.load(folder), taobao.load(folder, train_rows=7)
    np.testing.assert_array_equal(some.train.groups, data.train.groups[-7:])
    with pytest.raises(ValueError, match="`train_rows` from 1 to"):
        taobao.load(folder, train_rows=400)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("raw_sample", ",430548_", ",", "raw_sample.csv, row 2: expected 6 values in the official format"),
        ("raw_sample", "\n", "\n1,2,5,430548_1007,0,0\n", "raw_sample.csv, row 2: expected 6 values in the official"),
        (
            "raw_sample",
            "\n",
            f"\n1,{START},5,430548_1007,1,0\n",
            "expected an id that is in ad_feature.csv, received 5",
        ),
        ("ad_feature", "NULL", "null", "ad_feature.csv, row 3: expected 6 values"),
        (
            "ad_feature",
            "\n",
            "\n8,1,1,1,1,1\n8,1,1,1,1,1\n",
            "ad_feature.csv, row 3: expected each adgroup_id once, rec",
        ),
        ("user_profile", "level ", "", "user_profile.csv, row 1: expected the columns userid,"),
        ("behavior_log", ",pv,", ",look,", "expected 5 values in the official format"),
    ],
)
def test_names_a_bad_row(folder, name, old, new, message):
    file = folder / f"{name}.csv"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=r"fetch Ad Display/Click Data .*tianchi\.aliyun\.com.* again") as error:
        taobao.load(folder)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_refuses_less_than_three_days(folder, tables):
    early = [line for line in tables["raw_sample"] if int(line.split(",")[1]) < START + 2 * DAY]
    (folder / "raw_sample.csv").write_text("\n".join([HEADERS["raw_sample"], *early]) + "\n")
    with pytest.raises(ValueError, match="expected impressions of at least 3 days, received those of 2"):
        taobao.load(folder)


def test_says_what_to_fetch_and_where_to_put_it(folder):
    (folder / "ad_feature.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"expected ad_feature\.csv in .*tianchi\.aliyun\.com.*--data-dir"):
        taobao.load(folder.parent)
