"""Logs larger than memory: read, encoded and trained on row by row, with the memory of some batches.

log = read_log("log/day=*/*.parquet")
encoder = learn_encoder(log, fields, label="click", min_count=10)
stream = Stream(log, encoder, label="click", batch_size=2048)
rocket.fit(stream, epochs=3)

It needs the extra `data`.
"""

from rocket_keras.extras import require

require("pyarrow", "data")

from rocket_keras.streaming.bad_rows import BadRow, LogError, Report, Tolerance  # noqa: E402  # says which extra lacks
from rocket_keras.streaming.batch import Batch  # noqa: E402
from rocket_keras.streaming.checkpoint import StreamCheckpoint  # noqa: E402
from rocket_keras.streaming.files import LogFile  # noqa: E402
from rocket_keras.streaming.iterate import iter_batches  # noqa: E402
from rocket_keras.streaming.learn import learn_encoder  # noqa: E402
from rocket_keras.streaming.log import Log, read_log  # noqa: E402
from rocket_keras.streaming.progress import Progress  # noqa: E402
from rocket_keras.streaming.stream import Stream  # noqa: E402

__all__ = [
    "BadRow",
    "Batch",
    "Log",
    "LogError",
    "LogFile",
    "Progress",
    "Report",
    "Stream",
    "StreamCheckpoint",
    "Tolerance",
    "iter_batches",
    "learn_encoder",
    "read_log",
]
