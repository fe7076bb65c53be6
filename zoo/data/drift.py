"""A simulated ad log that drifts: new ads and users every day, tastes that wander, ads that end.

    logit = base + week(day) + ad + slot                       main effects
          + taste(user) . appeal(campaign, day)                latent vectors; a category's wanders from day to day
          + slot_category[slot, category] + hour_device[hour, device]   as wandering tables
          + wave[category] sin(pitch[category] recency + phase[category])

Why simulated: in no public click log of weeks are the true probabilities known. What was left out: position bias, and
clicks that come late.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, NumberField
from rocket_keras.extras import require
from zoo.data.adsim_world import power_law

DAYS = 30
ROWS = 40_000
"""A day."""
SEED = 20180202
BASE_LOGIT = -2.2
LATENT = 6
USERS, NEW_USERS = 5000, 60
ADS, NEW_ADS = 1200, 120
CAMPAIGNS, NEW_CAMPAIGNS = 240, 24
LIFE = 10.0
"""Days that an ad runs, in the mean."""
KEPT = 0.97
"""Correlation of what wanders between two days that follow each other."""
SIZES = {"age": 8, "region": 20, "advertiser": 60, "category": 24, "slot": 8, "hour": 24, "device": 5}
USER, ITEM = ("user_id", "age", "region"), ("ad_id", "campaign", "advertiser", "category")
FIELDS = Encoder(
    (
        *(IdField(name, name, (), side="user") for name in USER),
        *(IdField(name, name, (), side="item") for name in ITEM),
        *(IdField(name, name, (), side="context") for name in ("slot", "hour", "device")),
        NumberField("recency", "log_minutes_since_last_ad", 0.0, 1.0, side="context"),
    )
)
"""What a net reads of a row; vocabularies and spread are learnt from the log."""


@dataclass(frozen=True, eq=False)
class Day:
    """The rows of a day in the order of time.

    Args:
        number: From 1.
        columns: Raw columns, `(rows,)` each; ids as texts, `click` int8.
        logit: True logit of the click, `(rows,)` float64.
    """

    number: int
    columns: dict[str, np.ndarray]
    logit: np.ndarray


def simulate(days: int = DAYS, rows: int = ROWS) -> Iterator[Day]:
    """The days of the log; every call gives the same, and fewer days are the first ones of more.

    Args:
        days: How many, at least 1.
        rows: Of each, at least 1.

    Raises:
        ValueError: Fewer.
    """
    if days < 1 or rows < 1:
        raise ValueError(f"expected `days` and `rows` of at least 1, received {days} and {rows}; ask for some")
    # RandomState's stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    world = _World(np.random.RandomState(SEED))
    for number in range(1, days + 1):
        # Days of their own, so that the rows of one do not change what the next is like.
        yield world.day(number, rows, np.random.RandomState(SEED + number))
        world.wander()


def write(folder: str | Path, days: int = DAYS, rows: int = ROWS) -> Path:
    """Write the log as Parquet, `day=01/part-0.parquet` and on, with the true logit in no file; return the folder.

    Raises:
        ImportError: pyarrow is missing.
    """
    arrow, parquet = require("pyarrow", "data"), require("pyarrow.parquet", "data")
    folder = Path(folder)
    for day in simulate(days, rows):
        path = folder / f"day={day.number:02d}" / "part-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(arrow.table(day.columns), path)
    return folder


class _World:
    """What the days have in common, and what wanders between them."""

    def __init__(self, random: np.random.RandomState) -> None:
        self._random = random
        size = SIZES
        self._of_age, self._of_region = (random.normal(size=(size[name], LATENT)) for name in ("age", "region"))
        self._category_of = random.choice(size["category"], size["advertiser"])
        self._wanders = {
            "appeal": random.normal(size=(size["category"], LATENT)),
            "slot": random.normal(size=(size["slot"], size["category"])),
            "hour": random.normal(size=(size["hour"], size["device"])),
            "wave": random.normal(size=size["category"]),
        }
        self._pitch = 1.0 + 2.0 * random.random_sample(size["category"])
        self._phase = 2 * np.pi * random.random_sample(size["category"])
        self._slots = 0.3 * random.normal(size=size["slot"])
        self._users = self._new_users(USERS)
        self._campaigns = self._new_campaigns(CAMPAIGNS)
        self._ads = self._new_ads(ADS)

    def wander(self) -> None:
        """Let a night pass: tastes move, ads end and begin, users come."""
        for name, table in self._wanders.items():
            self._wanders[name] = KEPT * table + np.sqrt(1 - KEPT**2) * self._random.normal(size=table.shape)
        self._users = _joined(self._users, self._new_users(NEW_USERS))
        self._campaigns = _joined(self._campaigns, self._new_campaigns(NEW_CAMPAIGNS))
        goes_on = self._random.random_sample(len(self._ads["weight"])) > 1 / LIFE
        ads = {name: column[goes_on] if name in ("weight", "alive") else column for name, column in self._ads.items()}
        self._ads = _joined(ads, self._new_ads(NEW_ADS, first=len(self._ads["campaign"])))

    def day(self, number: int, rows: int, random: np.random.RandomState) -> Day:
        """Draw the impressions of a day."""
        users, ads = self._users, self._ads
        user = random.choice(len(users["weight"]), rows, p=users["weight"] / users["weight"].sum())
        ad = ads["alive"][random.choice(len(ads["weight"]), rows, p=ads["weight"] / ads["weight"].sum())]
        campaign = ads["campaign"][ad]
        advertiser = self._campaigns["advertiser"][campaign]
        category = self._category_of[advertiser]
        hour = np.sort(random.choice(24, rows, p=_evening()))
        slot = random.choice(SIZES["slot"], rows, p=power_law(SIZES["slot"], 0.7))
        device = random.choice(SIZES["device"], rows, p=power_law(SIZES["device"], 0.8))
        recency = random.normal(size=rows)
        appeal = self._wanders["appeal"][category] + self._campaigns["appeal"][campaign]
        logit = BASE_LOGIT + 0.1 * np.sin(2 * np.pi * number / 7) + ads["bias"][ad] + self._slots[slot]
        logit = logit + 0.42 * (users["taste"][user] * appeal).sum(axis=1)
        logit += 0.5 * self._wanders["slot"][slot, category] + 0.5 * self._wanders["hour"][hour, device]
        logit += 0.7 * self._wanders["wave"][category] * np.sin(self._pitch[category] * recency + self._phase[category])
        ids = {"user_id": user, "age": users["age"][user], "region": users["region"][user]}
        ids |= {"ad_id": ad, "campaign": campaign, "advertiser": advertiser, "category": category}
        ids |= {"slot": slot, "hour": hour, "device": device}
        columns = {name: np.char.add(f"{name[0]}", column.astype("U7")).astype(object) for name, column in ids.items()}
        columns["log_minutes_since_last_ad"] = (3.0 + 1.2 * recency).astype(np.float32)
        columns["click"] = (random.random_sample(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
        return Day(number, columns, logit)

    def _new_users(self, count: int) -> dict[str, np.ndarray]:
        random = self._random
        age, region = (random.choice(SIZES[name], count) for name in ("age", "region"))
        taste = (self._of_age[age] + self._of_region[region] + 0.25 * random.normal(size=(count, LATENT))) / 1.4
        return {"age": age, "region": region, "taste": taste, "weight": random.pareto(1.5, count) + 0.3}

    def _new_campaigns(self, count: int) -> dict[str, np.ndarray]:
        random = self._random
        advertiser = random.choice(SIZES["advertiser"], count)
        return {"advertiser": advertiser, "appeal": 0.35 * random.normal(size=(count, LATENT))}

    def _new_ads(self, count: int, first: int = 0) -> dict[str, np.ndarray]:
        random, newest = self._random, len(self._campaigns["advertiser"])
        campaign = random.randint(max(0, newest - CAMPAIGNS), newest, count)
        return {
            "campaign": campaign,
            "bias": 0.25 * random.normal(size=count),
            "alive": np.arange(first, first + count),
            "weight": random.pareto(1.2, count) + 0.3,
        }


def _joined(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([column, new[name]]) for name, column in old.items()}


def _evening() -> np.ndarray:
    profile = 1.2 - np.cos(2 * np.pi * (np.arange(24) - 8) / 24 + 1.0)
    return profile / profile.sum()
