"""Which days come next, and whether the files of a day are still the same."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rocket_keras.streaming import Log
from rocket_keras.streaming.files import natural_key

LOGGER = logging.getLogger(__name__)


def next_days(wanted: Sequence[str], done: Sequence[str], by: str) -> list[str]:
    """The wanted days that are not done, in their order.

    Raises:
        ValueError: One of them comes before a day that is done: the nets have seen what came after it. One line.
    """
    left = sorted({day for day in wanted if day not in done}, key=natural_key)
    if left and done and natural_key(left[0]) < natural_key(last := max(done, key=natural_key)):
        raise ValueError(
            f"expected days after {by}={last}, the last that is done, received {by}={left[0]}, which is earlier; leave "
            "its files out of the log, or begin anew in another folder"
        )
    return left


def check_finished(log: Log, by: str, wanted: Sequence[str], records: Sequence[Mapping[str, Any]]) -> None:
    """Tell of finished days whose files are others now: what came late is not trained on.

    Args:
        log: All files.
        by: The part of their paths that names the day.
        wanted: Days to look at.
        records: Of the days that are done.
    """
    found: dict[str, list[int]] = {}
    for file in log.files:
        found.setdefault(dict(file.partitions).get(by, ""), []).append(file.size)
    changed = [
        record["day"]
        for record in records
        if record["day"] in wanted
        and (sizes := found.get(record["day"])) is not None
        and (len(sizes), sum(sizes)) != (record["log"]["files"], record["log"]["bytes"])
    ]
    if changed:
        LOGGER.warning(
            "%s=%s: files that came or changed after the training on them are left out", by, ", ".join(changed)
        )


def fingerprint(log: Log) -> str:
    """What is different when a file of the log came, went or has another size."""
    told = "".join(f"{file.path} {file.size}\n" for file in log.files)
    return hashlib.sha256(told.encode()).hexdigest()[:16]
