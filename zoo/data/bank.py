"""UCI Bank Marketing in its official format: does the customer who is called subscribe to a term deposit?

The call's `duration` is known when the call is over, and then so is the answer: a privileged feature.
"""

from pathlib import Path

from rocket_keras.encoding.transforms import as_is, called_before, log_days, signed_log1p
from zoo.data.files import find_folder
from zoo.data.splits import Dataset, Split
from zoo.data.tables import Column, learn_columns, read_table, stratified_parts

DIM = 8
FETCH = "Bank Marketing (bank.zip, with bank-full.csv) from the UCI Machine Learning Repository (archive.ics.uci.edu)"
COLUMNS = (
    *("age", "job", "marital", "education", "default", "balance", "housing", "loan", "contact"),
    *("day", "month", "duration", "campaign", "pdays", "previous", "poutcome", "y"),
)

FEATURES = (
    Column("age", as_is, side="user"),
    Column("job", side="user"),
    Column("marital", side="user"),
    Column("education", side="user"),
    Column("default", side="user"),
    Column("balance", signed_log1p, side="user"),
    Column("housing", side="user"),
    Column("loan", side="user"),
    Column("called_before", side="user", column="pdays", derive=called_before),
    Column("pdays", log_days, side="user"),
    Column("previous", signed_log1p, side="user"),
    Column("poutcome", side="user"),
    Column("contact"),
    Column("day"),
    Column("month"),
    Column("campaign", signed_log1p),
    Column("duration", signed_log1p, privileged=True),
)


def load(data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """The calls, split 8:1:1 at random, with nearly the same share of subscribers in every split.

    `x` is one `(n,)` array a field: int32 ids (0 for every value that is not in the train rows), and float32 numbers,
    standardised by the train rows, most of them after a signed log1p. `called_before` says whether `pdays` is not -1;
    `pdays` of those never called counts as 0 days. `duration` is privileged. `y` is float32, 1 for a subscription.

    Args:
        data_dir: The folder that holds `bank/`, or `bank` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Of the split.
        train_rows: Take that many of the train rows, and vocabularies and moments from them; `None` is all.

    Raises:
        FileNotFoundError: The file is missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, or too few rows. One line: file, row.
    """
    folder = find_folder(data_dir, "bank", ("bank-full.csv",), FETCH)
    table = read_table(folder / "bank-full.csv", COLUMNS, FETCH, delimiter=";")
    y = table.labels("y", {"no": 0, "yes": 1})
    train, validation, test = stratified_parts(y, 10, seed, train_rows)
    features, encoder = learn_columns(table, FEATURES, train, DIM)
    rows = Split(encoder.encode(table.columns, privileged=True), y)
    return Dataset(
        name="bank",
        train=rows.rows(train),
        validation=rows.rows(validation),
        test=rows.rows(test),
        num_classes=2,
        features=features,
        encoder=encoder,
        source="Bank Marketing (UCI, Moro, Cortez and Rita 2014, CC BY 4.0), calls of a Portuguese bank; "
        "a subscription to a term deposit is a click.",
    )
