"""Day by day: evaluate on the new day, let ids come and go, train on it, publish the light net if it is not worse."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from rocket_keras.daily.days import check_finished, next_days
from rocket_keras.daily.settings import Daily
from rocket_keras.daily.trainer import MakePair, Trainer
from rocket_keras.encoding import Encoder
from rocket_keras.launch.run_folder import claim
from rocket_keras.streaming import Log


def run_daily(
    log: Log,
    fields: Encoder,
    make: MakePair,
    folder: str | Path,
    plan: Daily | None = None,
    days: Sequence[str] | None = None,
    told: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Train a light net on a log that grows by a day every day.

    Each day is first scored by the nets as they are (progressive validation: every row is a test row before it is a
    train row), then trained on. Called again with the same folder it goes on after the last day that was done, or in
    the middle of one where it was killed, and ends as if it had not been. A day whose files changed since it was begun
    begins anew; files that come for a day that is done are left out, and a warning says so.

    Args:
        log: Its files lie in folders `DAY=...`; days that come later are found by a later call.
        fields: What the nets read, without vocabularies: these, and the spread of numbers, are learnt from the first
            day, and vocabularies from every later one.
        make: Builds the pair from the encoder and from the rows that the table of each field shall have; the tables
            must be `SparseEmbedding` layers whose `field_names` are those of the fields.
        folder: Belongs to this training: `days/DAY.json`, `published/light.onnx`, `state/`, `days.json`,
            `bad/DAY.jsonl`.
        plan: Settings; the defaults of `Daily` otherwise.
        days: Which days, whatever their order here; all of the log otherwise.
        told: Is given the record of each day when it is done.

    Returns:
        The records of all days that are done. `scores` holds by net `auc`, `gauc`, `log_loss` and `calibration` before
        the day was trained on (empty on the first day; None where its clicks define none); `publication` what was
        decided; `ids` how many values got a row, and how many of these rows were another's; `log` how many rows did not
        parse and why, and which files were empty; `seconds` what took how long.

    Raises:
        ValueError: The folder belongs to another training, a file of the log cannot be read, more rows of a day do not
            parse than may, or a day is earlier than the last that is done. One line.
        KeyError: The log has no such day.
    """
    plan, folder = plan or Daily(), Path(folder)
    claim(folder, {"fields": fields.to_json(), "backend": keras.backend.backend(), **plan.told()})
    trainer = Trainer(log, fields, make, folder, plan)
    wanted = log.partitions(plan.by) if days is None else days
    records = trainer.tidy()  # what a call left that was killed behind its last day
    check_finished(log, plan.by, wanted, records)
    for day in next_days(wanted, trainer.state.days, plan.by):
        record = trainer.day(day)
        if told is not None:
            told(record)
    return trainer.tidy()
