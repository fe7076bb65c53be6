"""Taobao's display ads (Alimama) in their official format: is the ad clicked? With each user's history of categories.

The public counterpart of the data that DIN and Rocket Launching report on.
"""

import re
from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, HistoryField, IdField
from rocket_keras.encoding.transforms import signed_log1p
from zoo.data.histories import histories
from zoo.data.ratings import locate
from zoo.data.splits import Dataset, Split, check_train_rows
from zoo.data.streaming import TextLog, find_log, iter_chunks
from zoo.data.tables import encode_ids, number_field
from zoo.features import Categorical, Feature, History, Numeric

DIM = 16
HISTORY = 50
FETCH = "Ad Display/Click Data on Taobao.com from Tianchi (tianchi.aliyun.com)"
AD = ("cate_id", "campaign_id", "customer", "brand")
PROFILE = (
    *("cms_segid", "cms_group_id", "final_gender_code", "age_level", "pvalue_level", "shopping_level", "occupation"),
    "new_user_class_level",
)
CHINA = 8 * 3600
DAY = 86_400

# The columns of each file, and the form of its rows. The official header of the profiles ends with a space.
_FILES = {
    "raw_sample": (
        ("user", "time_stamp", "adgroup_id", "pid", "nonclk", "clk"),
        r"(?:\d{1,18},){3}\d{1,9}_\d{1,9},(?:1,0|0,1)",
    ),
    "ad_feature": (("adgroup_id", *AD, "price"), r"(?:\d{1,18},){4}(?:\d{1,18}|NULL),\d+(?:\.\d+)?(?:E\d+)?"),
    "user_profile": (("userid", *PROFILE), r"\d{1,18}(?:,\d{0,9}){8}"),
    "behavior_log": (
        ("user", "time_stamp", "btag", "cate", "brand"),
        r"\d{1,18},-?\d{1,18},(?:pv|cart|fav|buy),\d{1,18},\d{1,18}",
    ),
}


def load(
    data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None, one_user_in: int = 1
) -> Dataset:
    """The impressions in the order of time: the last day (of China's time) tests, the day before validates.

    `x` holds int32 `(n,)` ids of user, ad group, the ad's category, campaign, customer and brand, the place (`pid`)
    and the user's profile; the ad's price, float32 after a signed log1p; and `history`, int32 `(n, 50)`: categories
    that the user viewed, put into the cart, marked or bought strictly before the impression's second. Id 0 stands for
    every value that is not in the train rows. A user without a profile has empty texts for it. `y` is float32, 1 for a
    click; `groups` the original user id. No feature is privileged.

    Args:
        data_dir: The folder that holds `taobao/`, or `taobao` itself; `None` takes ROCKET_KERAS_DATA. Files may end
            in .csv.gz.
        seed: Ignored: the split is by time.
        train_rows: Take the latest of the train rows, and vocabularies and moments from them; `None` is all.
        one_user_in: Take the users whose id it divides: all 26 million impressions and the 700
            million events of the behaviour log need tens of GB.

    Raises:
        FileNotFoundError: Files are missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format or names an unknown ad, less than three days, or
            `one_user_in` below 1. One line.
    """
    if one_user_in < 1:
        raise ValueError(f"expected `one_user_in` of at least 1, received {one_user_in}; leave it out for all users")
    logs = {name: _log(data_dir, name) for name in _FILES}
    sample = _read_sample(logs["raw_sample"], one_user_in)
    train, validation, test = _by_day(logs["raw_sample"], sample["time_stamp"])
    if train_rows is not None:
        check_train_rows(train_rows, len(train))
        train = train[-train_rows:]
    x, features, fields = _columns(logs, sample, train)
    fields.append(HistoryField("history", "history", "cate_id", HISTORY))
    features.append(History("history", "cate_id", HISTORY))
    category = next(field for field in fields if isinstance(field, IdField) and field.name == "cate_id")
    events = _read_events(logs["behavior_log"], np.unique(sample["user"]), category)
    x["history"] = histories(events, (sample["user"], sample["time_stamp"]), HISTORY)
    rows = Split(x, sample["clk"].astype(np.float32), sample["user"])
    return Dataset(
        name="taobao",
        train=rows.rows(train),
        validation=rows.rows(validation),
        test=rows.rows(test),
        num_classes=2,
        features=tuple(features),
        encoder=Encoder(tuple(fields)),
        source="Ad Display/Click Data on Taobao.com (Alimama, Tianchi 2018), impressions of eight days; "
        "under Tianchi's terms, for research.",
    )


def _log(data_dir: str | Path | None, name: str) -> TextLog:
    columns, form = _FILES[name]
    path = find_log(data_dir, "taobao", f"{name}.csv", FETCH)
    return TextLog(path, columns, ",", re.compile(form), ",".join(columns), FETCH)


def _read_sample(log: TextLog, one_user_in: int) -> dict[str, np.ndarray]:
    """The impressions of the chosen users in the order of time, those of one second in the file's order."""
    kinds = {"user": np.int64, "time_stamp": np.int64, "adgroup_id": np.int64, "pid": np.str_, "clk": np.int8}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in kinds}
    for chunk in iter_chunks(log):
        chosen = chunk["user"].astype(np.int64) % one_user_in == 0
        for name, kind in kinds.items():
            parts[name].append(chunk[name][chosen].astype(kind))
    sample = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    order = np.argsort(sample["time_stamp"], kind="stable")
    return {name: column[order] for name, column in sample.items()}


def _by_day(log: TextLog, time: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of train, validation and test."""
    day = (time + CHINA) // DAY
    days = np.unique(day)
    if len(days) < 3:
        raise ValueError(
            f"{log.path}: expected impressions of at least 3 days, received those of {len(days)}; take more users"
        )
    return np.flatnonzero(day < days[-2]), np.flatnonzero(day == days[-2]), np.flatnonzero(day == days[-1])


def _columns(
    logs: dict[str, TextLog], sample: dict[str, np.ndarray], train: np.ndarray
) -> tuple[dict[str, np.ndarray], list[Feature], list[Field]]:
    """All columns but the history, with their features and fields."""
    ads, ad_id = _read_table(logs["ad_feature"])
    ad = locate(sample["adgroup_id"], ad_id, logs["raw_sample"].path, "ad_feature.csv", FETCH)
    profiles, profile_of = _read_table(logs["user_profile"])
    user = np.minimum(np.searchsorted(profile_of, sample["user"]), len(profile_of) - 1)
    user = np.where(profile_of[user] == sample["user"], user, len(profile_of))
    every = np.arange(len(ad))
    # Feature, raw column, side; the values of the column's own table, and the row of that table for every impression.
    sources = [
        ("user_id", "user", "user", sample["user"], every),
        ("adgroup_id", "adgroup_id", "item", ad_id, ad),
        *((name, name, "item", ads[name], ad) for name in AD),
        ("pid", "pid", "context", sample["pid"], every),
        # After the last profile stands the empty one.
        *((name, name, "user", np.append(profiles[name], ""), user) for name in PROFILE),
    ]
    x: dict[str, np.ndarray] = {}
    features: list[Feature] = []
    fields: list[Field] = []
    for name, column, side, values, row in sources:
        x[name], known = encode_ids(values, row, train)
        fields.append(IdField(name, column, known))
        features.append(Categorical(name, len(known) + 1, DIM, side))
    price = ads["price"].astype(np.float64)[ad]
    number = number_field("price", "price", signed_log1p(price[train]), signed_log1p)
    x["price"] = number.encode(price)
    return x, [*features, Numeric("price", "item")], [*fields, number]


def _read_table(log: TextLog) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The columns of a table, and its keys (the first column), in the order of the keys."""
    chunks = list(iter_chunks(log))
    table = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in log.columns}
    keys = table[log.columns[0]].astype(np.int64)
    order = np.argsort(keys, kind="stable")
    twice = keys[order][1:] == keys[order][:-1]
    if twice.any():
        again = int(order[1:][np.argmax(twice)])
        # Rows of a file are counted from 1, and its header is the first.
        raise log.refuse(again + 2, f"each {log.columns[0]} once", str(keys[again]))
    return {name: column[order] for name, column in table.items()}, keys[order]


def _read_events(log: TextLog, users: np.ndarray, category: IdField) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, times and categories (their ids) of all that `users` did, whatever its kind."""
    parts = []
    for chunk in iter_chunks(log):
        user = chunk["user"].astype(np.int64)
        chosen = np.isin(user, users)
        parts.append(
            (user[chosen], chunk["time_stamp"][chosen].astype(np.int64), category.encode(chunk["cate"][chosen]))
        )
    user, time, ids = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return user, time, ids
