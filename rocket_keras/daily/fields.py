"""What a log's columns may be read as, where nobody said it."""

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import Field, IdField, NumberField
from rocket_keras.extras import require
from rocket_keras.streaming import Log, LogError
from rocket_keras.streaming.pieces import footer_of, kind_of


def guess_fields(log: Log, label: str, user: tuple[str, ...] = (), item: tuple[str, ...] = ()) -> Encoder:
    """Read the columns of a Parquet log by their types: floats as numbers, texts and whole numbers as ids.

    Args:
        log: Its first file that is not empty is looked at.
        label: The column of clicks, which is no field.
        user, item: Columns of the user and of the candidate; the others are of the impression.

    Raises:
        LogError: That file cannot be read, or all are empty. One line.
        ValueError: A log of text, whose columns have no types; a column of lists; or `user`, `item` or the label name
            no column. One line.
    """
    if log.format != "parquet":
        raise ValueError(
            f"expected a Parquet log, whose columns have types, received {log.format}; say what its columns are in a "
            "file of fields"
        )
    types = require("pyarrow.types", "data")
    file = next((file for file in log.files if file.size), None)
    if file is None:
        raise LogError(f"{log.files[0].path}: expected a Parquet file, received empty files alone; write some rows")
    schema, _ = footer_of(file)
    missing = [name for name in (label, *user, *item) if name not in schema.names]
    if missing:
        raise ValueError(f"{file.path}: expected a column {missing[0]!r}, received {schema.names[:40]}; name one")
    fields: list[Field] = []
    for column in schema:
        side = "user" if column.name in user else "item" if column.name in item else "context"
        if column.name == label or column.name in log.partition_names:
            continue
        kind = kind_of(column.type)
        if kind == "number" and types.is_floating(column.type):
            fields.append(NumberField(column.name, column.name, 0.0, 1.0, side=side))
        elif kind in ("text", "number"):
            fields.append(IdField(column.name, column.name, (), side=side))
        else:
            raise ValueError(
                f"{file.path}: expected texts or numbers in column {column.name!r}, received {kind}; say what "
                "it is in a file of fields"
            )
    return Encoder(tuple(fields))
