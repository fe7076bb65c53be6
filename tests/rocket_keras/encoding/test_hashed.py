import hashlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from rocket_keras import Pair, Scorer, export_light
from rocket_keras.encoding import Encoder
from rocket_keras.encoding.fields import HashedIdField, HistoryField, IdField

FIELD = HashedIdField("user", "user", 1000)
TEXTS = ["", "a", "u17", "é", "用户", "x" * 500]


def test_an_id_is_the_hash_of_the_text():
    wanted = [int.from_bytes(hashlib.blake2b(t.encode(), digest_size=8).digest(), "big") % 1000 for t in TEXTS]
    ids = FIELD.encode(TEXTS)
    assert ids.dtype == np.int32
    assert ids.tolist() == wanted
    # Written down: the ids of trained tables must never move.
    ids = HashedIdField("user", "user", 2**31 - 1).encode(["a", "u17", 17])
    assert ids.tolist() == [
        1566015138,
        262391503,
        1321244123,
    ]


def test_another_process_has_the_same_ids():
    code = (
        "from rocket_keras.encoding.fields import HashedIdField as H;"
        f"print(H('user', 'user', 1000).encode({TEXTS!r}).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == str(FIELD.encode(TEXTS).tolist())


def test_texts_spread_evenly():
    rows = np.bincount(HashedIdField("n", "n", 100).encode(list(range(100_000))), minlength=100)
    # 5 standard deviations of a binomial count
    assert np.abs(rows - 1000).max() < 5 * np.sqrt(1000)


def test_whole_numbers_derived_texts_histories_and_json():
    fields = (
        FIELD,
        HashedIdField("hour", "hour", 7, "hour_of_day", True, "context"),
        HistoryField("before", "before", "user", 2),
    )
    encoder = Encoder(fields)
    assert Encoder.from_json(encoder.to_json()) == encoder
    raw = {"user": ["17", "u"], "hour": ["14102105", "14102106"], "before": ["a|17|u", ""]}
    x = encoder.encode(raw, privileged=True)
    assert x["before"].tolist() == [FIELD.encode([17, "u"]).tolist(), [-1, -1]]
    assert x["hour"].tolist() == HashedIdField("h", "h", 7).encode(["05", "06"]).tolist()
    np.testing.assert_array_equal(encoder.encode(raw | {"user": [17.0, "u"]})["user"], x["user"])


@pytest.mark.parametrize("size", [0, -1, 2**31, 1.5, True])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="expected `size` of field 'user' from 1 to"):
        HashedIdField("user", "user", size)


def test_a_missing_value_has_no_id():
    with pytest.raises(ValueError, match="raw column 'user', row 1: expected a text or a whole number"):
        FIELD.encode(["a", None])


def test_the_exported_net_hashes_as_training_did(tmp_path):
    pytest.importorskip("onnxruntime")
    fields = (FIELD, IdField("ad", "ad", ("x", "y"), side="item"), HistoryField("seen", "seen", "user", 2, side="user"))
    encoder = Encoder((HashedIdField("user", "user", 1000, side="user"), *fields[1:]))
    user, ad = keras.Input((), name="user", dtype="int32"), keras.Input((), name="ad", dtype="int32")
    seen = keras.Input((2,), name="seen", dtype="int32")
    table = keras.layers.Embedding(1000, 3, embeddings_initializer="normal", name="users")
    parts = [
        table(user),
        keras.layers.Embedding(3, 3, embeddings_initializer="normal", name="ads")(ad),
        keras.layers.Flatten()(table(seen)),
    ]
    joined = keras.layers.Concatenate()(parts)
    inputs = {"user": user, "ad": ad, "seen": seen}
    light = keras.Model(inputs, keras.layers.Dense(1, name="logit")(joined), name="light")
    booster = keras.Model(inputs, keras.layers.Dense(1, name="booster_logit")(joined), name="booster")
    pair = Pair(light=light, booster=booster)
    raw = {"user": ["u1", "u2", "never seen"], "ad": ["x", "y", "z"], "seen": ["u1|u2", "u2|u1", "never|seen"]}
    x = encoder.encode(raw)
    path = export_light(pair, tmp_path / "light.onnx", x, encoder=encoder)
    scorer = Scorer(path)
    for row in range(3):
        user_columns = {name: raw[name][row] for name in ("user", "seen")}
        (score,) = scorer.score(user_columns, [{"ad": raw["ad"][row]}])
        logit = light.predict({name: column[row : row + 1] for name, column in x.items()}, verbose=0)[0, 0]
        assert score == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert scorer.unseen == {"ad": 1}
