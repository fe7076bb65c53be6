"""From a table of text to the columns of a click log: reading, ids, standardised numbers, stratified splits."""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, NumberField
from rocket_keras.encoding.raw_values import number_or_nan
from rocket_keras.encoding.transforms import as_is, standardised
from zoo.data.splits import check_train_rows
from zoo.features import Categorical, Numeric


@dataclass(frozen=True, eq=False)
class Table:
    """A CSV file as text.

    Args:
        path: The file.
        columns: `(n,)` array of str a column.
        fetch: What to fetch and where from, for errors.
    """

    path: Path
    columns: dict[str, np.ndarray]
    fetch: str

    def numbers(self, name: str) -> np.ndarray:
        """Column `name` as float64.

        Raises:
            ValueError: A value is no finite number. One line: file, row, column.
        """
        values = np.array([number_or_nan(text) for text in self.columns[name].tolist()], np.float64)
        self.refuse_first(~np.isfinite(values), name, "a number")
        return values

    def whole(self, name: str) -> np.ndarray:
        """Column `name` as int64.

        Raises:
            ValueError: A value is no whole number of at most 18 digits. One line: file, row, column.
        """
        text = self.columns[name]
        self.refuse_first(~np.char.isdigit(text) | (np.char.str_len(text) > 18), name, "a whole number")
        return text.astype(np.int64)

    def labels(self, name: str, values: Mapping[str, int]) -> np.ndarray:
        """Column `name` as float32, by what `values` gives for each text.

        Raises:
            ValueError: A text is not in `values`. One line: file, row, column.
        """
        text = self.columns[name]
        self.refuse_first(~np.isin(text, list(values)), name, " or ".join(map(repr, values)))
        return np.array([values[value] for value in text], np.float32)

    def derived(self, name: str, derive: Callable[[str], str]) -> np.ndarray:
        """What `derive` makes of the texts of column `name`.

        Raises:
            ValueError: A text that `derive` refuses. One line: file, row, column.
        """
        made = {}
        for text in np.unique(self.columns[name]).tolist():
            try:
                made[text] = derive(text)
            except ValueError as error:
                self.refuse_first(self.columns[name] == text, name, str(error))
        return np.array([made[text] for text in self.columns[name]])

    def refuse_first(self, bad: np.ndarray, name: str, expected: str) -> None:
        """Raise for the first row that is `bad`. One line: file, row, column."""
        if bad.any():
            index = int(np.argmax(bad))
            # Rows of a file are counted from 1, and its header is the first.
            raise ValueError(
                f"{self.path}, row {index + 2}: expected {expected} in {name}, "
                f"received {str(self.columns[name][index])[:80]!r}; fetch {self.fetch} again"
            )


def read_table(path: Path, names: tuple[str, ...], fetch: str, delimiter: str = ",") -> Table:
    """Read a CSV file whose first row is `names`.

    Raises:
        ValueError: Another header, no rows, a row of another length or with an empty value, a byte that is no ASCII,
            or a last row that was cut. One line: file, row.
    """

    def refuse(row: int, expected: str, received: str) -> ValueError:
        return ValueError(f"{path}, row {row}: expected {expected}, received {received}; fetch {fetch} again")

    data = path.read_bytes()
    if not data.isascii():
        at = next(i for i, byte in enumerate(data) if byte > 127)
        raise refuse(data.count(b"\n", 0, at) + 1, "ASCII text", repr(data[at : at + 1]))
    *lines, rest = data.decode("ascii").split("\n")
    if rest:
        # A cut in the last value leaves a row that looks whole.
        raise refuse(len(lines) + 1, "a newline at the end", repr(rest[-80:]))
    # A line at a time: one quote left open would swallow all rows after it.
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(next(csv.reader([line], delimiter=delimiter), []))
        except csv.Error as error:  # a carriage return within the line
            raise refuse(number, "a line of values", f"{line[:80]!r} ({error})") from error
    if not rows or tuple(rows[0]) != names:
        raise refuse(1, f"the columns {delimiter.join(names)}", repr(lines[0][:80]) if lines else "an empty file")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names) or not all(row):
            raise refuse(number, f"{len(names)} values, none of them empty", repr(delimiter.join(row)[:80]))
    if len(rows) == 1:
        raise refuse(2, f"{len(names)} values", "no more rows")
    columns = map(np.array, zip(*rows[1:], strict=True))
    return Table(path, dict(zip(names, columns, strict=True)), fetch)


@dataclass(frozen=True)
class Column:
    """How a column of a table becomes a feature.

    Args:
        name: The feature's name.
        transform: One of `transforms.NUMBERS` of `rocket_keras.encoding`, from the column's float64 numbers to what is
            standardised; `None`: the values are ids.
        side, privileged: As in `zoo.features`.
        column: The column's name in the table; `None`: the feature's.
        derive: One of its `transforms.TEXTS`, from a value to the text that has an id; `None`: the value itself.
    """

    name: str
    transform: Callable[[np.ndarray], np.ndarray] | None = None
    side: str = "context"
    privileged: bool = False
    column: str | None = None
    derive: Callable[[str], str] | None = None


def learn_columns(
    table: Table, columns: tuple[Column, ...], train: np.ndarray, dim: int
) -> tuple[tuple[Categorical | Numeric, ...], Encoder]:
    """Features and encoder of the columns, learnt from the rows `train`."""
    features: list[Categorical | Numeric] = []
    fields: list[IdField | NumberField] = []
    for column in columns:
        source = column.column or column.name
        if column.transform is None:
            known = table.columns[source] if column.derive is None else table.derived(source, column.derive)
            derive = column.derive and column.derive.__name__
            ids = IdField(column.name, source, vocabulary(known[train]), derive, column.privileged)
            fields.append(ids)
            features.append(Categorical(column.name, ids.size, dim, column.side, column.privileged))
        else:
            known = column.transform(table.numbers(source))[train]
            fields.append(number_field(column.name, source, known, column.transform, column.privileged))
            features.append(Numeric(column.name, column.side, column.privileged))
    return tuple(features), Encoder(tuple(fields))


def vocabulary(known: np.ndarray) -> tuple[str, ...]:
    """The distinct values of `known` in their order, as texts."""
    return tuple(map(str, np.unique(known).tolist()))


def number_field(
    name: str,
    column: str,
    known: np.ndarray,
    transform: Callable[[np.ndarray], np.ndarray] = as_is,
    privileged: bool = False,
) -> NumberField:
    """The field of a raw column, whose transformed numbers of the train rows are `known`."""
    return NumberField(name, column, *_moments(known), transform.__name__, privileged)


def encode_ids(values: np.ndarray, row: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Ids of `values[row]`, from 1 in the order of the values that are in the train rows, and these values.

    Id 0 stands for every value that is not in the train rows.
    """
    distinct, code = np.unique(values, return_inverse=True)
    seen = np.zeros(len(distinct), bool)
    seen[code[row[train]]] = True
    ids = np.where(seen, np.cumsum(seen), 0).astype(np.int32)
    return ids[code[row]], tuple(map(str, distinct[seen].tolist()))


def standardise(column: np.ndarray, known: np.ndarray) -> np.ndarray:
    """`column` as float32, by mean and standard deviation of `known` (its train rows); not scaled if that is 0."""
    return standardised(column, *_moments(known))


def _moments(known: np.ndarray) -> tuple[float, float]:
    return float(known.mean()), float(known.std()) or 1.0


def stratified_parts(
    labels: np.ndarray, share: int, seed: int, train_rows: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of train, validation and test; one row in `share` validates, one in `share` tests.

    Raises:
        ValueError: There are not `train_rows` train rows.
    """
    order, held_out = stratified_order(labels, seed), len(labels) // share
    train = order[2 * held_out :]
    if train_rows is not None:
        check_train_rows(train_rows, len(train))
    return train[:train_rows], order[:held_out], order[held_out : 2 * held_out]


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """A random order of the rows, the same everywhere, in which every stretch has nearly the classes' proportions.

    The k-th of a class's n shuffled rows is put at (k + 1/2) / n of the whole.
    """
    # RandomState's stream is frozen (NEP 19); a Generator's may change with a release of NumPy.
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    # Stable on the shuffled rows: classes of equal place stand in no order of their labels.
    return shuffled[np.argsort(place[shuffled], kind="stable")]
