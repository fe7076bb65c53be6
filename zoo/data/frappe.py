"""Frappe in its official format: which app does a user open in this context?

The log holds app launches only, so the rows without a click are sampled: apps that the user never opened, in the
context of a launch. `cnt`, how often the app was opened, is left out even for the booster net: it exists for launches
only, so it would tell the label.
"""

from pathlib import Path

import numpy as np

from zoo.data.files import find_folder
from zoo.data.splits import Dataset, Split, check_train_rows
from zoo.data.tables import Column, Table, learn_columns, read_table

DIM = 16
NEGATIVES = 2
EACH = 1 + NEGATIVES  # rows a launch
FETCH = "Frappe (frappe.csv) from its authors' page (baltrunas.info/context-aware)"
COLUMNS = (
    *("user", "item", "cnt", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city"),
)
FEATURES = (
    Column("user_id", side="user", column="user"),
    Column("item_id", side="item", column="item"),
    Column("cost", side="item"),
    *(Column(name) for name in ("daytime", "weekday", "isweekend", "homework", "weather", "country", "city")),
)


def load(data_dir: str | Path | None = None, *, seed: int = 0, train_rows: int | None = None) -> Dataset:
    """The app launches with two sampled rows without a click each, split 8:1:1 at random.

    `x` is one int32 `(n,)` column a feature; id 0 stands for every value that is not in the train rows. A launch and
    its two sampled rows stand one after the other in one split; the sampled apps differ, and the user opened them in
    no split. `cost` is the app's (free or paid), so a sampled row has that of its app, and the launch's context
    otherwise. `y` is float32, 1 for a launch; `groups` the original user id.

    Args:
        data_dir: The folder that holds `frappe/`, or `frappe` itself; `None` takes ROCKET_KERAS_DATA.
        seed: Of the split and of the samples.
        train_rows: Take that many of the train rows, and the vocabularies from them; `None` is all.

    Raises:
        FileNotFoundError: The file is missing. One line: what to fetch, from where to where.
        ValueError: A row that is not in the official format, an app of two costs, or a user who opened nearly all apps.
            One line: file, row.
    """
    folder = find_folder(data_dir, "frappe", ("frappe.csv",), FETCH)
    table = read_table(folder / "frappe.csv", COLUMNS, FETCH, delimiter="\t")
    # RandomState's stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    random = np.random.RandomState(seed)
    launches = random.permutation(len(table.whole("user")))
    rows = _with_samples(table, random)
    tenth = len(launches) // 10
    validation, test, train = map(_rows, (launches[:tenth], launches[tenth : 2 * tenth], launches[2 * tenth :]))
    if train_rows is not None:
        check_train_rows(train_rows, len(train))
        train = train[:train_rows]
    features, encoder = learn_columns(rows, FEATURES, train, DIM)
    y = (np.arange(EACH * len(launches)) % EACH == 0).astype(np.float32)
    log = Split(encoder.encode(rows.columns), y, rows.whole("user").astype(np.int32))
    return Dataset(
        name="frappe",
        train=log.rows(train),
        validation=log.rows(validation),
        test=log.rows(test),
        num_classes=2,
        features=features,
        encoder=encoder,
        source="Frappe (Baltrunas et al. 2015), app launches in context, each with two sampled apps that the user "
        "never opened; for research, not to be redistributed, no commercial use.",
    )


def _rows(launches: np.ndarray) -> np.ndarray:
    """Rows of the launches and their samples: launch i is row 3 i, and its samples follow."""
    return (launches[:, None] * EACH + np.arange(EACH)).reshape(-1)


def _with_samples(table: Table, random: np.random.RandomState) -> Table:
    """The launches, each followed by its samples, with all columns that a feature reads."""
    apps, first, app = np.unique(table.columns["item"], return_index=True, return_inverse=True)
    cost = table.columns["cost"][first]
    table.refuse_first(table.columns["cost"] != cost[app], "cost", "the cost of the app's other rows")
    columns = {name: np.repeat(table.columns[name], EACH) for name in COLUMNS if name != "cnt"}
    shown = np.column_stack([app, *_samples(table, app, len(apps), random)]).reshape(-1)
    return Table(table.path, columns | {"item": apps[shown], "cost": cost[shown]}, table.fetch)


def _samples(table: Table, app: np.ndarray, apps: int, random: np.random.RandomState) -> list[np.ndarray]:
    """Two `(n,)` apps, different ones, that the launch's user never opened; each such pair is equally likely."""
    user = np.unique(table.columns["user"], return_inverse=True)[1]
    opened = np.unique(user * apps + app)
    table.refuse_first(
        apps - np.bincount(opened // apps)[user] < NEGATIVES, "user", f"{NEGATIVES} apps that the user never opened"
    )
    samples: list[np.ndarray] = []
    for _ in range(NEGATIVES):
        drawn = np.empty(len(app), np.int64)
        left = np.arange(len(app))
        while len(left):
            drawn[left] = random.randint(0, apps, len(left))
            key = user[left] * apps + drawn[left]
            taken = opened[np.minimum(np.searchsorted(opened, key), len(opened) - 1)] == key
            for earlier in samples:
                taken |= earlier[left] == drawn[left]
            left = left[taken]
        samples.append(drawn)
    return samples
