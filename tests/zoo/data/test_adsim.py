import numpy as np
import pytest

from zoo.data import adsim
from zoo.data.adsim_world import simulate
from zoo.features import Categorical, Numeric


@pytest.fixture(scope="module")
def log():
    return simulate()


@pytest.fixture(scope="module")
def data():
    return adsim.load()


def test_sizes_and_columns(data):
    assert [len(split) for _, split in data.splits()] == [300_000, 40_000, 60_000]
    assert sum(isinstance(feature, Categorical) for feature in data.features) == 10
    assert sum(isinstance(feature, Numeric) for feature in data.features) == 6
    for feature in data.features:
        wanted = np.int32 if isinstance(feature, Categorical) else np.float32
        assert data.train.x[feature.name].dtype == wanted
    assert data.train.y.dtype == np.float32


def test_sides(data):
    sides = {feature.name: feature.side for feature in data.features}
    assert [name for name in sides if sides[name] == "context"] == [
        "slot", "hour", "device", "log_minutes_since_last_ad",
    ]  # fmt: skip
    assert [name for name in sides if sides[name] == "user"] == [
        "user_id", "age", "region", "user_impressions", "user_clicks",
    ]  # fmt: skip
    assert not any(feature.privileged for feature in data.features)


def test_is_the_same_log_for_every_seed_and_call(data):
    assert (
        adsim.load("nowhere", seed=5).content_hash
        == data.content_hash
        == "ccfe865163892b9c84996614347636ee5eccfe9118ce74131fe21e7e4d997988"
    )


def test_train_rows_are_the_first_and_change_no_other_row(data):
    some = adsim.load(train_rows=1000)
    np.testing.assert_array_equal(some.train.x["ctr_ratio"], data.train.x["ctr_ratio"][:1000])
    np.testing.assert_array_equal(some.test.x["ctr_ratio"], data.test.x["ctr_ratio"])
    assert some.bayes == data.bayes
    with pytest.raises(ValueError, match="`train_rows` from 1 to 300000, received 300001"):
        adsim.load(train_rows=300_001)


def test_the_encoder_takes_the_logs_own_ids_and_counters(data, log, assert_encodes):
    raw = {name: column[340_000:] for name, column in (log.ids | log.counters).items()}
    assert_encodes(data, raw, data.test)
    raw["slot"] = np.where(raw["slot"] == 7, 8, raw["slot"])
    with pytest.raises(
        ValueError, match=r"raw column 'slot', row .*: expected a whole number from 0 to 7, received '8'"
    ):
        data.encoder.encode(raw)


def test_clicks_have_the_true_probability(log):
    """Calibrated in every decile of the probability, to five standard errors."""
    for rows in np.array_split(np.argsort(log.probability), 10):
        p = log.probability[rows]
        error = np.sqrt((p * (1 - p)).sum()) / len(rows)
        assert abs(log.clicks[rows].mean() - p.mean()) < 5 * error
    assert 0.10 < log.clicks.mean() < 0.20


def test_bayes_scores_are_those_of_the_true_probability(data, log):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    p, y, user = log.probability[340_000:], data.test.y, data.test.groups
    assert data.bayes["auc"] == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
    assert data.bayes["log_loss"] == pytest.approx(metrics.log_loss(y, p), abs=1e-9)
    assert 0.78 < data.bayes["auc"] < 0.82
    total = weight = 0
    order = np.argsort(user)
    for mine in np.split(order, np.flatnonzero(np.diff(user[order])) + 1):
        clicked, passed = p[mine][y[mine] == 1], p[mine][y[mine] == 0]
        if len(clicked) and len(passed):
            total += len(mine) * (clicked[:, None] > passed).mean()
            weight += len(mine)
    assert data.bayes["gauc"] == pytest.approx(total / weight, abs=1e-12)


def test_fields_of_a_user_and_of_an_ad_belong_together(data):
    x = data.train.x
    for key, fields in {"user_id": ("age", "region"), "ad_id": ("campaign",), "campaign": ("advertiser",)}.items():
        for field in fields:
            pairs = np.unique(np.stack([x[key], x[field]]), axis=1)
            assert pairs.shape[1] == len(np.unique(x[key]))
    np.testing.assert_array_equal(x["user_id"], data.train.groups)


def test_ids_follow_a_power_law(data):
    for name in ("user_id", "ad_id"):
        counts = np.sort(np.bincount(data.train.x[name]))[::-1]
        tenth = len(counts) // 10
        assert counts[:tenth].sum() > 0.3 * counts.sum()
        assert counts[:3].max() < 0.05 * counts.sum()


def test_numeric_columns_are_standardised_by_the_train_rows(data):
    for feature in data.features:
        if isinstance(feature, Numeric):
            column = data.train.x[feature.name].astype(float)
            assert abs(column.mean()) < 1e-3
            assert abs(column.std() - 1) < 1e-3


def test_every_hour_is_in_every_split(data):
    for _, split in data.splits():
        assert np.bincount(split.x["hour"], minlength=24).min() > 0
