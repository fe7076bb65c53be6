import warnings

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import (
    HashedIdField,
    HistoryField,
    IdField,
    IdsField,
    KnownIdField,
    NumberField,
)
from rocket_keras.streaming.block import Block
from rocket_keras.streaming.encode import BlockEncoder, Wanted

WORDS = ("", "a", "b", "17", "é", "-3")
ENCODER = Encoder(
    (
        IdField("word", "word", WORDS),
        IdField("bin", "count", ("", "=1", "=2", "1", "7"), "log_square"),
        HashedIdField("hash", "word", 1000),
        HashedIdField("hashed_bin", "count", 50, "log_square"),
        KnownIdField("known", "known", 6),
        NumberField("number", "number", 1.5, 3.0, "signed_log1p"),
        IdsField("words", "words", WORDS, 2),
        HistoryField("before", "words", "word", 3),
        HistoryField("hashed", "words", "hash", 3),
    )
)
text = st.one_of(st.sampled_from(WORDS), st.text(max_size=3).filter(lambda value: "\0" not in value))
count = st.one_of(st.sampled_from(["", "x", "1.5", "-2", "99999999999999999999"]), st.integers(-9, 999).map(str))
known = st.one_of(st.integers(-2, 7), st.sampled_from([1.5, float("nan"), 3.0]))
number = st.one_of(st.floats(width=64), st.integers(-(2**53), 2**53))
row = st.fixed_dictionaries(
    {
        "word": st.one_of(text, st.none()),
        "count": count,
        "known": known.map(float),
        "number": number.map(float),
        "words": st.one_of(st.lists(text, max_size=4).map("|".join), st.none()),
    }
)


def one(raw):
    """What `Encoder.encode` makes of one row; None where it refuses it, or where float32 does not hold it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = ENCODER.encode({name: [value] for name, value in raw.items()})
    except ValueError:
        return None
    return x if all(np.isfinite(column).all() for column in x.values()) else None


def assert_same(raw, columns):
    block = Block("f", 0, 0, columns, len(raw), lambda place: place + 1, lambda place: str(raw[place]))
    batch, bad, samples = BlockEncoder(Wanted(ENCODER, None)).encode(block, 100)
    wanted = [one(row) for row in raw]
    assert sum(bad.values()) == wanted.count(None)
    assert [sample.line for sample in samples] == [place + 1 for place, x in enumerate(wanted) if x is None]
    for name, column in batch.x.items():
        rows = [x[name] for x in wanted if x is not None]
        assert len(column) == len(rows)
        if rows:
            np.testing.assert_array_equal(column, np.concatenate(rows), err_msg=name)
            assert column.dtype == rows[0].dtype


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(row, min_size=1, max_size=6))
def test_blocks_are_encoded_as_the_encoder_does(raw):
    """Row by row what `Encoder.encode` says, and those rows bad that it refuses."""
    types = {"known": pa.float64(), "number": pa.float64()}
    columns = {name: pa.array([row[name] for row in raw], types.get(name, pa.string())) for name in raw[0]}
    assert_same(raw, columns)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "word": st.integers(-5, 20),
                "count": st.integers(-9, 999),
                "known": st.integers(-2, 7),
                "number": st.integers(-(2**53), 2**53),
                "words": st.lists(st.integers(-5, 20), max_size=4),
            }
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whole_numbers_and_lists_are_read_as_the_encoder_does(raw):
    assert_same(raw, {name: pa.array([row[name] for row in raw]) for name in raw[0]})


def test_numbers_written_as_texts(tmp_path):
    raw = [
        {"word": "a", "count": "1", "known": "2", "number": value, "words": ""}
        for value in ("1", "-2.5e3", " 4", "x", "", "nan", "1e400", "0x10", "+7", ".5", "1_000")
    ]
    assert_same(raw, {name: pa.array([row[name] for row in raw]) for name in raw[0]})
    assert_same(raw[:2], {name: pa.array([row[name] for row in raw[:2]]) for name in raw[0]})
