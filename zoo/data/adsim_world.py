"""The world behind the simulated ad log: who is shown what, when, and how likely the click is.

    logit = base + user + ad + slot                            main effects
          + taste(user) . appeal(ad)                           latent vectors; mostly of age, region and category
          + slot_category[slot, category] + hour_device[hour, device]
          + wave[category] sin(pitch[category] recency + phase[category])

The last three lines are the room that a wide net has over a narrow one: each asks for products of features.
"""

from dataclasses import dataclass

import numpy as np

ROWS = 400_000
DAYS = 10
WORLD_SEED = 20180201
BASE_LOGIT = -2.35
LATENT = 6
TASTE_WEIGHT = 0.42
CROSS_WEIGHT = 0.5
WAVE_WEIGHT = 0.7

SIZES = {
    "user_id": 6000,
    "age": 8,
    "region": 20,
    "ad_id": 2000,
    "campaign": 300,
    "advertiser": 60,
    "category": 24,
    "slot": 8,
    "hour": 24,
    "device": 5,
}


@dataclass(frozen=True, eq=False)
class AdLog:
    """The log's columns, all `(400000,)`, in the order of time.

    Args:
        ids: Categorical columns by name.
        sizes: Number of ids of each of them.
        counters: Numeric columns by name, not yet standardised.
        logit: True logit of the click, float64.
        clicks: bool.
    """

    ids: dict[str, np.ndarray]
    sizes: dict[str, int]
    counters: dict[str, np.ndarray]
    logit: np.ndarray
    clicks: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """`(400000,)` true click probability: no net can rank better in expectation."""
        return 1 / (1 + np.exp(-self.logit))


@dataclass(frozen=True, eq=False)
class _Users:
    age: np.ndarray
    region: np.ndarray
    taste: np.ndarray
    bias: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, eq=False)
class _Ads:
    campaign: np.ndarray
    advertiser: np.ndarray
    category: np.ndarray
    appeal: np.ndarray
    bias: np.ndarray
    share: np.ndarray


def simulate() -> AdLog:
    """The whole log, in some tenths of a second; every call gives the same."""
    # RandomState's stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    random = np.random.RandomState(WORLD_SEED)
    users, ads = _users(random), _ads(random)
    user = random.choice(SIZES["user_id"], ROWS, p=users.share)
    ad = random.choice(SIZES["ad_id"], ROWS, p=ads.share)
    ids = {
        "user_id": user,
        "age": users.age[user],
        "region": users.region[user],
        "ad_id": ad,
        "campaign": ads.campaign[ad],
        "advertiser": ads.advertiser[ad],
        "category": ads.category[ad],
        "slot": random.choice(SIZES["slot"], ROWS, p=power_law(SIZES["slot"], 0.7)),
        "hour": _hours(),
        "device": random.choice(SIZES["device"], ROWS, p=power_law(SIZES["device"], 0.8)),
    }
    recency = random.normal(size=ROWS)
    logit = BASE_LOGIT + users.bias[user] + ads.bias[ad] + (users.taste[user] * ads.appeal[ad]).sum(axis=1)
    logit += _crosses(random, ids, recency)
    clicks = random.random_sample(ROWS) < 1 / (1 + np.exp(-logit))
    return AdLog(ids, SIZES, _counters(random, users, ads, user, ad, recency), logit, clicks)


def _users(random: np.random.RandomState) -> _Users:
    count = SIZES["user_id"]
    age = random.choice(SIZES["age"], count)
    region = random.choice(SIZES["region"], count, p=power_law(SIZES["region"], 0.6))
    taste = random.normal(size=(SIZES["age"], LATENT))[age] + random.normal(size=(SIZES["region"], LATENT))[region]
    taste = (taste + 0.25 * random.normal(size=(count, LATENT))) / 1.4
    share = power_law(count, 0.9, offset=20)
    random.shuffle(share)
    return _Users(age, region, taste, 0.3 * random.normal(size=count), share)


def _ads(random: np.random.RandomState) -> _Ads:
    count = SIZES["ad_id"]
    campaign = random.choice(SIZES["campaign"], count, p=power_law(SIZES["campaign"], 0.5))
    advertiser = random.choice(SIZES["advertiser"], SIZES["campaign"])[campaign]
    category = random.choice(SIZES["category"], SIZES["advertiser"])[advertiser]
    appeal = random.normal(size=(SIZES["category"], LATENT))[category]
    appeal = appeal + 0.25 * random.normal(size=(SIZES["campaign"], LATENT))[campaign]
    bias = 0.3 * random.normal(size=SIZES["campaign"])[campaign] + 0.2 * random.normal(size=count)
    share = power_law(count, 1.0, offset=10)
    random.shuffle(share)
    return _Ads(campaign, advertiser, category, TASTE_WEIGHT * appeal, bias, share)


def _crosses(random: np.random.RandomState, ids: dict[str, np.ndarray], recency: np.ndarray) -> np.ndarray:
    """The part of the logit that is of the moment and of its crosses with the ad."""
    slot, hour, device, category = (ids[name] for name in ("slot", "hour", "device", "category"))

    def draw(scale: float, *names: str) -> np.ndarray:
        return scale * random.normal(size=[SIZES[name] for name in names])

    effect = draw(0.3, "slot")[slot]
    effect += draw(CROSS_WEIGHT, "slot", "category")[slot, category]
    effect += draw(CROSS_WEIGHT, "hour", "device")[hour, device]
    pitch = 1.0 + 2.0 * random.random_sample(SIZES["category"])
    phase = 2 * np.pi * random.random_sample(SIZES["category"])
    return effect + draw(WAVE_WEIGHT, "category")[category] * np.sin(pitch[category] * recency + phase[category])


def _counters(
    random: np.random.RandomState, users: _Users, ads: _Ads, user: np.ndarray, ad: np.ndarray, recency: np.ndarray
) -> dict[str, np.ndarray]:
    """What a serving system counted before the log: noisy logs of past impressions and clicks, and the moment."""

    def noisy(expected: np.ndarray) -> np.ndarray:
        return np.log1p(expected) + 0.3 * random.normal(size=ROWS)

    shown = {"user": (ROWS * users.share)[user], "ad": (ROWS * ads.share)[ad]}
    bias = {"user": users.bias[user], "ad": ads.bias[ad]}
    columns = {}
    for name in shown:
        columns[f"{name}_impressions"] = noisy(shown[name])
        columns[f"{name}_clicks"] = noisy(shown[name] / (1 + np.exp(-BASE_LOGIT - bias[name])))
    # Log-normal minutes since the user's last ad: their log is the recency of the logit's wave.
    columns["log_minutes_since_last_ad"] = 3.0 + 1.2 * recency
    columns["ctr_ratio"] = columns["ad_clicks"] - columns["ad_impressions"]
    return columns


def _hours() -> np.ndarray:
    """Hour of the day of every row: equal days, most impressions in the evening, fewest at night."""
    profile = 1.2 - np.cos(2 * np.pi * (np.arange(24) - 8) / 24 + 1.0)
    of_day = (np.arange(ROWS) % (ROWS // DAYS)) / (ROWS // DAYS)
    return np.searchsorted(np.cumsum(profile) / profile.sum(), of_day, side="right").clip(max=23)


def power_law(count: int, exponent: float, offset: float = 1.0) -> np.ndarray:
    """Shares that fall with `offset` + rank to the power of `exponent`; they sum to one."""
    share = (np.arange(count) + offset) ** -exponent
    return share / share.sum()
