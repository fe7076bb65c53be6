"""One text is one number in training, in serving and in a file, or is refused by all three."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import IdField, KnownIdField, NumberField
from rocket_keras.serving.readers import Reader
from rocket_keras.streaming import LogError, Tolerance, iter_batches, learn_encoder, read_log
from rocket_keras.streaming.block import Block
from rocket_keras.streaming.encode import BlockEncoder, Wanted

made = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("made_up_log.py"))))
ENCODERS = {
    name: Encoder((field,))
    for name, field in {
        "number": NumberField("value", "value", 0.25, 3.0),
        "log": NumberField("value", "value", 0.0, 1e-3, "signed_log1p"),
        "known": KnownIdField("value", "value", 50),
    }.items()
}
TEXTS = ("1_0", "٣", "１", " 4", "+7", "5.", "1e300", "1e18", "2e18", "-1e400", "nan", "nan(1)", "-inf", "0x1")
texts = st.one_of(
    st.sampled_from(TEXTS),
    st.text("0123456789.eE+-_ \t٣xnaif", max_size=8),
    st.floats().map(repr),
    st.integers(-(2**70), 2**70).map(str),
)


def of_rows(encode, text):
    try:
        return float(encode([text])[0])
    except ValueError:
        return None


def of_block(encoder, column):
    """What the rows of a block are; None for bad ones."""
    block = Block("f", 0, 0, {"value": column}, len(column), lambda row: row + 1, str)
    batch, _, samples = BlockEncoder(Wanted(encoder, None)).encode(block, 100)
    bad, good = {sample.line - 1 for sample in samples}, iter(batch.x["value"].tolist())
    return [None if row in bad else next(good) for row in range(len(column))]


@settings(max_examples=100, deadline=None)
@given(texts)
@example("1_0")
@example("٣")
@example("1e300")
def test_a_text_is_the_same_number_for_rows_blocks_and_serving(text):
    for encoder in ENCODERS.values():
        (field,) = encoder.fields
        wanted = of_rows(field.encode, text)
        assert of_rows(Reader(field, encoder).read, text) == wanted
        for others in ([], ["1"], ["x"]):  # alone, among numbers, and beside what Arrow's parser refuses
            for kind in (pa.string(), pa.large_string(), pa.string_view()):
                assert of_block(encoder, pa.array([text, *others], kind))[0] == wanted
            assert of_block(encoder, pa.array([text, *others]).dictionary_encode())[0] == wanted


def test_a_file_of_texts_is_read_alike(tmp_path):
    made.write(tmp_path / "log.csv", {"click": [1] * len(TEXTS), "value": TEXTS})
    for encoder in ENCODERS.values():
        (field,) = encoder.fields
        wanted = [value for text in TEXTS if (value := of_rows(field.encode, text)) is not None]
        batches = iter_batches(read_log(tmp_path), encoder, "click", 100, tolerance=Tolerance(share=1))
        assert [value for batch in batches for value in batch.x["value"].tolist()] == wanted
        assert len(wanted) < len(TEXTS)


def test_numbers_out_of_range_are_not_learnt_from(tmp_path):
    made.write(tmp_path / "log.csv", {"click": [1, 0, 1, 0], "price": ["1", "3", "1e300", "1_0"]})
    field = NumberField("price", "price", 0.0, 1.0)
    (learnt,) = learn_encoder(read_log(tmp_path), [field], tolerance=Tolerance(share=1)).fields
    assert (learnt.mean, learnt.std) == (2.0, 1.0)
    with pytest.raises(LogError, match=r"line 5: price: expected a number, received '1_0'"):
        learn_encoder(read_log(tmp_path), [field])


def test_a_weight_out_of_range_is_bad(tmp_path):
    made.write(tmp_path / "log.csv", {"click": [1, 0], "weight": ["1", "1e300"], "price": [1, 1]})
    batches = iter_batches(
        read_log(tmp_path), ENCODERS["number"], "click", 9, weight="weight", columns=(), tolerance=Tolerance(share=1)
    )
    assert [batch.weight.tolist() for batch in batches] == [[1.0]]


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (pa.array([7, 2**32 + 7, -3]), [1, 2, 3]),
        (pa.array([7, 2**64 - 9, 5], pa.uint64()), [1, 4, 0]),
        (pa.array([7.0, -3.0, 2.0**53, 7.5]), [1, 3, None, None]),
        (pa.array([7, -3, 2**24], pa.float32()), [1, 3, None]),
        (pa.array([7.0, -3.0, 2.0**53]).dictionary_encode(), [1, 3, None]),
    ],
)
def test_whole_numbers_of_any_width_are_ids(values, ids):
    field = IdField("value", "value", ("7", str(2**32 + 7), "-3", str(2**64 - 9)))
    assert of_block(Encoder((field,)), values) == ids
    rows = values.to_numpy(zero_copy_only=False)
    assert [of_rows(field.encode, row) for row in rows] == ids


def test_known_ids_out_of_range_are_bad():
    values = np.array([3, 2**32 + 3, -1, -(2**32) + 3, 2**63 - 1])
    assert of_block(ENCODERS["known"], pa.array(values)) == [3, None, None, None, None]
