"""Blocks of raw columns as a net's columns: what `Encoder.encode` makes of them, a column at a time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import (
    PAD,
    Field,
    HashedIdField,
    HistoryField,
    IdField,
    IdsField,
    KnownIdField,
    NumberField,
)
from rocket_keras.encoding.raw_values import LARGEST
from rocket_keras.encoding.transforms import TEXTS
from rocket_keras.streaming.bad_rows import BadRow
from rocket_keras.streaming.batch import Batch
from rocket_keras.streaming.block import Block
from rocket_keras.streaming.columns import Codes, Lists, Parsed, codes_of, floats_of, lists_of, values_of

REMEMBERED = 200_000
"""Texts whose id is remembered, where finding it takes longer than looking it up; when there are more, all are
forgotten."""
NO_ID = -2
"""Stands for the id of what is no text, until its row is left out."""


_NUMBERS = "numbers, or texts of numbers", ("number", "text", "bool", "decimal", "binary", "null")
_TEXTS = "texts or whole numbers", ("text", "number", "null")
_LISTS = "lists of texts or whole numbers, or texts", ("list of text", "list of number", "list of null", "text", "null")
_KINDS: dict[type, tuple[str, tuple[str, ...]]] = {
    IdField: _TEXTS,
    HashedIdField: _TEXTS,
    KnownIdField: _NUMBERS,
    NumberField: _NUMBERS,
    IdsField: _LISTS,
    HistoryField: _LISTS,
}


@dataclass(frozen=True)
class Wanted:
    """What is made of a log's raw columns.

    Args:
        encoder: Makes `x`.
        label: Raw column of the labels, numbers from 0 to 1; None for none.
        weight: Raw column of the sample weights, numbers of at least 0.
        extra: Raw columns that are handed on as they are.
        privileged: Whether to make the privileged columns, too.
        columns: Names of the columns of `x` to make; None for all.
        missing: The text that a null counts as.
    """

    encoder: Encoder
    label: str | None
    weight: str | None = None
    extra: tuple[str, ...] = ()
    privileged: bool = True
    columns: tuple[str, ...] | None = None
    missing: str | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """The fields of `x`."""
        named = self.columns
        return tuple(
            field
            for field in self.encoder.fields
            if (self.privileged or not field.privileged) and (named is None or field.name in named)
        )

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Names of the raw columns that are read, each once."""
        others = [name for name in (self.label, self.weight, *self.extra) if name is not None]
        return tuple(dict.fromkeys([*(field.column for field in self.fields), *others]))

    @property
    def expected(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """What raw columns may hold: name, the same in words, and kinds as `pieces.kind_of` names them, or their
        beginnings."""
        found = [(field.column, *_KINDS[type(field)]) for field in self.fields]
        return found + [(name, *_NUMBERS) for name in (self.label, self.weight) if name is not None]


class BlockEncoder:
    """Encodes blocks; rows that do not parse are left out and told of.

    Args:
        wanted: What is made of the raw columns.
    """

    def __init__(self, wanted: Wanted):
        self.wanted = wanted
        self._ids: dict[str, dict[str, int]] = {}
        self._by_name = {field.name: field for field in wanted.encoder.fields}

    def encode(self, block: Block, samples: int) -> tuple[Batch, Counter[str], list[BadRow]]:
        """The good rows, the bad ones by reason, and at most `samples` of these (but the last one always)."""
        wanted, faults = self.wanted, Faults(block)
        x = self.columns(block, Parsed(), faults)
        y = self.label(block, faults)
        weight = None
        if wanted.weight is not None:
            weight = self._number(wanted.weight, block, faults, "a weight from 0 to 1e+18", _is_weight)
        extra = {name: self._as_it_is(name, block.columns[name], faults) for name in wanted.extra}
        batch = Batch(x, y, weight, extra)
        keep = faults.good_rows()
        bad, told = faults.told(samples)
        return batch if keep is None else batch.rows(keep), bad, told

    def columns(self, block: Block, parsed: Parsed, faults: "Faults") -> dict[str, np.ndarray]:
        """The columns of `x` of all rows, bad ones among them; `parsed` gets the raw columns of ids."""
        return {
            field.name: self._encode(field, block.columns[field.column], parsed, faults) for field in self.wanted.fields
        }

    def label(self, block: Block, faults: "Faults") -> np.ndarray:
        """The labels of all rows; zeros where no column holds them."""
        if self.wanted.label is None:
            return np.zeros(block.rows, np.float32)
        return self._number(
            self.wanted.label, block, faults, "a label from 0 to 1", lambda found: (found >= 0) & (found <= 1)
        )

    def _encode(self, field: Field, array: pa.Array, parsed: Parsed, faults: "Faults") -> np.ndarray:
        if isinstance(field, IdField | HashedIdField):
            if field.column not in parsed.codes:
                parsed.codes[field.column] = codes_of(array, self.wanted.missing)
            codes = parsed.codes[field.column]
            ids = self._ids_of(field, codes)[codes.of_rows]
            faults.note(ids == NO_ID, field.column, _expected_text(field))
            return ids
        if isinstance(field, IdsField | HistoryField):
            key = field.column, field.separator
            if key not in parsed.lists:
                parsed.lists[key] = lists_of(array, field.separator)
            return self._lists(field, parsed.lists[key], faults)
        numbers = floats_of(array)
        if isinstance(field, KnownIdField):
            with np.errstate(invalid="ignore"):
                good = (numbers >= 0) & (numbers < field.size) & (numbers % 1 == 0)
            faults.note(~good, field.column, f"a whole number from 0 to {field.size - 1}")
            return np.where(good, numbers, 0).astype(np.int32)
        assert isinstance(field, NumberField)
        scaled, bad = field.scaled(numbers)
        for rows, expected in bad:
            faults.note(rows, field.column, expected)
        return scaled

    def _ids_of(self, field: IdField | HashedIdField, codes: Codes) -> np.ndarray:
        """The id of each distinct text; NO_ID where it has none."""
        texts = codes.texts
        if field.derive is None and isinstance(field, IdField):
            ids = field.ids_of(texts)  # type: ignore[arg-type]  # None is in no vocabulary
        else:
            known = self._ids.setdefault(field.name, {})
            new = [text for text in texts if text is not None and text not in known]
            if len(known) + len(new) > REMEMBERED:
                known.clear()
                new = [text for text in texts if text is not None]
            known.update(_found(field, new))
            ids = [NO_ID if text is None else known[text] for text in texts]
        found = np.array(ids, np.int32)
        if None in texts:
            found[[text is None for text in texts]] = NO_ID
        return found

    def _lists(self, field: IdsField | HistoryField, rows: Lists, faults: "Faults") -> np.ndarray:
        of = self._by_name[field.of] if isinstance(field, HistoryField) else field
        assert isinstance(of, IdField | HashedIdField | IdsField)
        texts = rows.codes.texts
        ids = np.array(of.ids_of("" if text is None else text for text in texts), np.int32)[rows.codes.of_rows]
        bad = rows.missing.copy()
        no_text = np.array([text is None for text in texts])[rows.codes.of_rows]
        bad[rows.rows_of_values[no_text]] = True
        faults.note(bad, field.column, f"a list, or a text of values with {field.separator!r} between")
        filled, values = rows.kept(field.length, isinstance(field, HistoryField))
        column = np.full(filled.shape, PAD, np.int32)
        column[filled] = ids[values]
        return column

    @staticmethod
    def _number(
        column: str, block: Block, faults: "Faults", expected: str, fits: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        numbers = floats_of(block.columns[column])
        good = np.isfinite(numbers) & fits(numbers)
        faults.note(~good, column, expected)
        return np.where(good, numbers, 0.0).astype(np.float32)

    def _as_it_is(self, column: str, array: pa.Array, faults: "Faults") -> np.ndarray:
        values, null = values_of(array, self.wanted.missing)
        faults.note(null, column, "a value")
        return values


class Faults:
    """The bad rows of one block, each with the first column that does not parse."""

    def __init__(self, block: Block):
        self.block = block
        self.by_row: dict[int, tuple[str, str]] = {}

    def note(self, bad: np.ndarray, column: str, expected: str) -> None:
        """Remember the rows that are `bad` in a column."""
        if bad.any():
            for row in np.flatnonzero(bad).tolist():
                self.by_row.setdefault(row, (column, expected))

    def good_rows(self) -> np.ndarray | None:
        """Which rows parse; None for all."""
        if not self.by_row:
            return None
        keep = np.ones(self.block.rows, bool)
        keep[list(self.by_row)] = False
        return keep

    def told(self, most: int) -> tuple[Counter[str], list[BadRow]]:
        """Bad rows and lines that were no rows by reason, and some of these: the first, and the last."""
        block = self.block
        counts = block.bad + Counter(f"{column}: expected {expected}" for column, expected in self.by_row.values())
        rows = sorted(self.by_row)
        chosen = rows if len(rows) <= max(most, 1) else [*rows[: max(most, 1) - 1], rows[-1]]
        return counts, [*block.samples, *map(self._sample, chosen)]

    def _sample(self, row: int) -> BadRow:
        column, expected = self.by_row[row]
        received = str(self.block.columns[column][row].as_py())[:80]
        reason = f"{column}: expected {expected}, received {received!r}"
        return BadRow(self.block.path, self.block.line_of(row), reason, self.block.text_of(row))


def _is_weight(numbers: np.ndarray) -> np.ndarray:
    return (numbers >= 0) & (numbers <= LARGEST)


def _expected_text(field: IdField | HashedIdField) -> str:
    return "a text or a whole number" if field.derive is None else f"a text that {field.derive} reads"


def _found(field: IdField | HashedIdField, new: list[str]) -> dict[str, int]:
    """The ids of texts; NO_ID for one that `derive` refuses."""
    if field.derive is None:
        return dict(zip(new, field.ids_of(new), strict=True))
    function, made, refused = TEXTS[field.derive], {}, {}
    for text in new:
        try:
            made[text] = function(text)
        except ValueError:
            refused[text] = NO_ID
    return dict(zip(made, field.ids_of(made.values()), strict=True)) | refused
