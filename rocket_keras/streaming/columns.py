"""Arrow columns as NumPy sees them: codes of distinct texts, numbers, rows of several values."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rocket_keras.encoding.raw_values import number_or_nan, text_or_none


@dataclass(frozen=True)
class Codes:
    """A column as places in a list of its distinct values.

    Attributes:
        texts: The distinct values; the last is None, for a value that is neither text nor whole number.
        of_rows: Place in `texts` of each row, `(rows,)` int32.
    """

    texts: list[str | None]
    of_rows: np.ndarray

    def counts(self) -> np.ndarray:
        """Rows of each text, `(len(texts),)`."""
        return np.bincount(self.of_rows, minlength=len(self.texts))


@dataclass(frozen=True)
class Lists:
    """A column of several values a row.

    Attributes:
        codes: Of all rows' values, one after the other.
        lengths: Values of each row, `(rows,)`.
        missing: Rows that are no list, `(rows,)` bool.
    """

    codes: Codes
    lengths: np.ndarray
    missing: np.ndarray

    @property
    def rows_of_values(self) -> np.ndarray:
        """The row of each value."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def kept(self, length: int, last: bool) -> tuple[np.ndarray, np.ndarray]:
        """Which values of each row a column of a limited width has: the first ones, or the last.

        Args:
            length: Width of the column.
            last: Whether the last values are kept, as in a history; otherwise the first.

        Returns:
            Which places of the column are filled, `(rows, length)` bool; and the value in each of these, row by row, as
            an index of `codes.of_rows`.
        """
        begin = np.cumsum(self.lengths) - self.lengths
        if last:
            begin = begin + np.maximum(0, self.lengths - length)
        places = np.arange(length)
        filled = places < np.minimum(self.lengths, length)[:, None]
        return filled, (begin[:, None] + places)[filled]


@dataclass
class Parsed:
    """Columns of one block that were read so far: several fields may be made of one.

    Attributes:
        codes: Columns of texts, by name.
        lists: Columns of several values per row, by name and separator.
    """

    codes: dict[str, Codes] = field(default_factory=dict)
    lists: dict[tuple[str, str], Lists] = field(default_factory=dict)


def plain(array: pa.Array) -> pa.Array:
    """A column with its texts, and those of its dictionary, in Arrow's plain type: few kernels know the others."""
    if pa.types.is_dictionary(array.type):
        texts = plain(array.dictionary)
        return array if texts is array.dictionary else pa.DictionaryArray.from_arrays(array.indices, texts)
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        return array.cast(pa.string())
    return array


def values_of(array: pa.Array, missing: str | None) -> tuple[np.ndarray, np.ndarray]:
    """A column as it is, and which of its rows are null: these have any value, so that the type is that without nulls.

    Args:
        array: The column.
        missing: The text that a null among texts stands for; None: a null is none.
    """
    # Nulls may stand in a dictionary, too, where they are not counted.
    array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    if missing is not None and pa.types.is_string(array.type):
        array = array.fill_null(missing)
    null = array.is_null().to_numpy(zero_copy_only=False)
    if not null.any():
        return array.to_numpy(zero_copy_only=False), null
    kept = array.drop_null().to_numpy(zero_copy_only=False)
    values = np.zeros(len(array), kept.dtype)
    values[~null] = kept
    return values, null


def codes_of(array: pa.Array, missing: str | None = None) -> Codes:
    """A column of texts or whole numbers, which are read as texts.

    Args:
        array: The column.
        missing: The text that a null stands for; None: a null is none.
    """
    array = plain(array)
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    # As NumPy's floats, which know how exact they are.
    floats = pa.types.is_floating(encoded.dictionary.type)
    texts = list(encoded.dictionary.to_numpy(zero_copy_only=False)) if floats else encoded.dictionary.to_pylist()
    if encoded.dictionary.null_count or not pa.types.is_string(encoded.dictionary.type):
        texts = [missing if value is None else text_or_none(value) for value in texts]
    of_rows = encoded.indices
    if of_rows.null_count:
        of_rows = pc.fill_null(of_rows, pa.scalar(len(texts), of_rows.type))
    return Codes([*texts, missing], of_rows.to_numpy(zero_copy_only=False).astype(np.int32, copy=False))


def floats_of(array: pa.Array) -> np.ndarray:
    """A column of numbers, or of texts that are, as float64 `(rows,)`; NaN for what is none."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return np.full(len(array), np.nan)
    if not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type)):
        try:
            return array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return np.array([number_or_nan(value) for value in array.to_pylist()], np.float64)
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)


def lists_of(array: pa.Array, separator: str) -> Lists:
    """A column whose rows are lists, or texts of values with `separator` between; an empty text has none."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    array = plain(array)
    missing = array.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_null(array.type):
        return Lists(codes_of(pa.array([], pa.string())), np.zeros(len(array), np.int64), missing)
    if not isinstance(array, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        split = pc.split_pattern(array, separator)
        lengths = pc.list_value_length(split).to_numpy(zero_copy_only=False)
        values, empty = split.flatten(), pc.equal(array, "").to_numpy(zero_copy_only=False)
        lengths = np.where(missing, 0, lengths).astype(np.int64)
        if (blank := np.where(missing, False, empty).astype(bool)).any():
            values = values.filter(pa.array(~np.repeat(blank, lengths)))
            lengths[blank] = 0
        return Lists(codes_of(values), lengths, missing)
    lengths = np.where(missing, 0, pc.list_value_length(array).to_numpy(zero_copy_only=False)).astype(np.int64)
    return Lists(codes_of(array.flatten()), lengths, missing)
