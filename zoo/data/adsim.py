"""A simulated ad log of one fixed world, whose true click probability is known.

Why simulated: public click logs of a size that ranks models are not ours to redistribute, and in none of them is the
best possible score known. What was left out: auctions, position bias, and drift of tastes over the log's ten days.
"""

from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import KnownIdField
from rocket_keras.metrics import GAUC, auc, log_loss_from_logits
from zoo.data.adsim_world import ROWS, AdLog, simulate
from zoo.data.splits import Dataset, Split
from zoo.data.tables import number_field
from zoo.features import Categorical, Numeric

TRAIN_ROWS = 300_000
VALIDATION_ROWS = 40_000
DIM = 16

_SIDES = {
    "user": ("user_id", "age", "region", "user_impressions", "user_clicks"),
    "item": ("ad_id", "campaign", "advertiser", "category", "ad_impressions", "ad_clicks", "ctr_ratio"),
    "context": ("slot", "hour", "device", "log_minutes_since_last_ad"),
}
SIDE_OF = {name: side for side, names in _SIDES.items() for name in names}


def load(data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """The ad log, split by time: 300,000 rows to train, the next 40,000 to validate, the last 60,000 to test.

    `x` holds ten int32 columns of ids and six float32 columns, standardised by the train rows; `y` is float32 0 or 1;
    `groups` is the user id. `bayes` holds `auc`, `gauc` and `log_loss` of the true click probability on the test rows.

    Args:
        data_dir: Ignored: the log is made, not read.
        seed: Ignored: world, log and split are the same for every seed and on every machine.
        train_rows: Take the first rows of the log; `None` is all 300,000.

    Raises:
        ValueError: `train_rows` is not from 1 to 300,000.
    """
    log = simulate()
    encoder = Encoder(
        (
            *(KnownIdField(name, name, size) for name, size in log.sizes.items()),
            *(number_field(name, name, column[:TRAIN_ROWS]) for name, column in log.counters.items()),
        )
    )
    rows = Split(
        encoder.encode(log.ids | log.counters), log.clicks.astype(np.float32), log.ids["user_id"].astype(np.int32)
    )
    train, validation, test = (rows.rows(part) for part in _parts())
    return Dataset(
        name="adsim",
        train=train.take(train_rows),
        validation=validation,
        test=test,
        num_classes=2,
        features=(
            *(Categorical(name, size, DIM, SIDE_OF[name]) for name, size in log.sizes.items()),
            *(Numeric(name, SIDE_OF[name]) for name in log.counters),
        ),
        bayes=bayes_scores(log),
        encoder=encoder,
        source="Simulated ad log of a fixed world, made by rocket-keras itself (Apache-2.0); no person's data.",
    )


def bayes_scores(log: AdLog) -> dict[str, float]:
    """AUC, GAUC and log loss (nats) of the true click probability on the test rows: what no net beats but by luck."""
    test = _parts()[2]
    clicks, logit = log.clicks[test], log.logit[test]
    gauc = GAUC()
    gauc.update_state(clicks, logit, groups=log.ids["user_id"][test])
    return {"auc": auc(clicks, logit), "gauc": gauc.result(), "log_loss": log_loss_from_logits(clicks, logit)}


def _parts() -> tuple[slice, slice, slice]:
    end = TRAIN_ROWS + VALIDATION_ROWS
    return slice(TRAIN_ROWS), slice(TRAIN_ROWS, end), slice(end, ROWS)
