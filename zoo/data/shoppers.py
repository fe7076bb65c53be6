"""UCI Online Shoppers in its official format: does the visit to a web shop end with a purchase?

How long the visitor stayed on the pages, and the value of the pages seen, are known when the visit is over:
privileged features. The counts of pages are left to both nets, as what a shop knows while the visit lasts.
"""

from pathlib import Path

from rocket_keras.encoding.transforms import as_is, signed_log1p
from zoo.data.files import find_folder
from zoo.data.splits import Dataset, Split
from zoo.data.tables import Column, learn_columns, read_table, stratified_parts

DIM = 8
FETCH = (
    "Online Shoppers Purchasing Intention (online_shoppers_intention.csv) "
    "from the UCI Machine Learning Repository (archive.ics.uci.edu)"
)
COLUMNS = (
    *("Administrative", "Administrative_Duration", "Informational", "Informational_Duration"),
    *("ProductRelated", "ProductRelated_Duration", "BounceRates", "ExitRates", "PageValues", "SpecialDay"),
    *("Month", "OperatingSystems", "Browser", "Region", "TrafficType", "VisitorType", "Weekend", "Revenue"),
)
# The official file says TRUE and FALSE; a copy that went through another program often says 1 and 0.
BOUGHT = {"FALSE": 0, "TRUE": 1, "0": 0, "1": 1}

FEATURES = (
    Column("OperatingSystems", side="user"),
    Column("Browser", side="user"),
    Column("Region", side="user"),
    Column("VisitorType", side="user"),
    Column("TrafficType"),
    Column("Month"),
    Column("Weekend"),
    Column("SpecialDay", as_is),
    Column("Administrative", signed_log1p),
    Column("Informational", signed_log1p),
    Column("ProductRelated", signed_log1p),
    Column("BounceRates", as_is),
    Column("ExitRates", as_is),
    Column("Administrative_Duration", signed_log1p, privileged=True),
    Column("Informational_Duration", signed_log1p, privileged=True),
    Column("ProductRelated_Duration", signed_log1p, privileged=True),
    Column("PageValues", signed_log1p, privileged=True),
)


def load(data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """The visits, split 6:2:2 at random (they are few), with nearly the same share of purchases in every split.

    `x` is one `(n,)` array a field: int32 ids (0 for every value that is not in the train rows), and float32 numbers,
    standardised by the train rows; counts, durations (seconds) and page values after a signed log1p. The three
    durations and `PageValues` are privileged. `y` is float32, 1 for a purchase.

    Args:
        data_dir: The folder that holds `shoppers/`, or `shoppers` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Of the split.
        train_rows: Take that many of the train rows, and vocabularies and moments from them; `None` is all.

    Raises:
        FileNotFoundError: The file is missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, or too few rows. One line: file, row.
    """
    folder = find_folder(data_dir, "shoppers", ("online_shoppers_intention.csv",), FETCH)
    table = read_table(folder / "online_shoppers_intention.csv", COLUMNS, FETCH)
    y = table.labels("Revenue", BOUGHT)
    train, validation, test = stratified_parts(y, 5, seed, train_rows)
    features, encoder = learn_columns(table, FEATURES, train, DIM)
    rows = Split(encoder.encode(table.columns, privileged=True), y)
    return Dataset(
        name="shoppers",
        train=rows.rows(train),
        validation=rows.rows(validation),
        test=rows.rows(test),
        num_classes=2,
        features=features,
        encoder=encoder,
        source="Online Shoppers Purchasing Intention (UCI, Sakar et al. 2018, CC BY 4.0), visits to a web shop; "
        "a purchase is a click.",
    )
