"""GAUC, AUC and log loss against scikit-learn, one user at a time."""

import pickle
import time

import keras
import numpy as np
import pytest
from sklearn import metrics as sk_metrics

from rocket_keras.metrics import GAUC, auc, log_loss_from_logits


def slow_gauc(labels, scores, groups):
    """DIN's definition as a groupby over scikit-learn's AUC."""
    total, impressions = 0.0, 0
    for group in np.unique(groups):
        rows = groups == group
        if 0 < labels[rows].sum() < rows.sum():
            total += sk_metrics.roc_auc_score(labels[rows], scores[rows]) * rows.sum()
            impressions += rows.sum()
    return total / impressions


def random_rows(seed, rows=3000, users=150):
    """Rows with many ties, users of one class only, and users of very different size, in random order."""
    random = np.random.default_rng(seed)
    groups = (users * random.random(rows) ** 3).astype("int64")
    labels = (random.random(rows) < 0.4).astype("float32")
    labels[groups % 10 == 0] = 0
    labels[groups % 10 == 1] = 1
    scores = np.round(random.normal(size=rows) + 0.5 * labels, 1).astype("float32")
    return labels, scores, groups


@pytest.mark.parametrize("seed", range(3))
def test_gauc_equals_slow_groupby_over_straddling_batches(seed):
    labels, scores, groups = random_rows(seed)
    gauc = GAUC()
    for start in range(0, len(labels), 97):
        rows = slice(start, start + 97)
        gauc.update_state(labels[rows, None], keras.ops.convert_to_tensor(scores[rows, None]), groups[rows])
    assert gauc.result() == pytest.approx(slow_gauc(labels, scores, groups), abs=1e-12)


def test_gauc_of_merged_parts_equals_gauc_of_all_rows():
    labels, scores, groups = random_rows(4)
    parts = [GAUC() for _ in range(3)]
    for index, part in enumerate(parts):
        part.update_state(labels[index::3], scores[index::3], groups[index::3])
    sent = [pickle.loads(pickle.dumps(part)) for part in parts[1:]]
    parts[0].merge_state(sent)
    assert parts[0].result() == pytest.approx(slow_gauc(labels, scores, groups), abs=1e-12)


@pytest.mark.parametrize(
    "as_ids",
    [
        lambda groups: np.char.add("user_", groups.astype(str)),
        lambda groups: np.char.add("user_", groups.astype(str)).astype(object),
        lambda groups: groups.astype(str).astype("S"),
        lambda groups: groups.astype("uint64") + np.uint64(2**63 - 50),
        lambda groups: keras.ops.convert_to_tensor(groups.astype("int32")),
    ],
    ids=["str", "object", "bytes", "uint64", "tensor"],
)
def test_gauc_does_not_depend_on_the_kind_of_id(as_ids):
    labels, scores, groups = random_rows(5)
    gauc = GAUC()
    gauc.update_state(labels, scores, as_ids(groups))
    assert gauc.result() == pytest.approx(slow_gauc(labels, scores, groups), abs=1e-12)


def test_bytes_and_str_are_the_same_user():
    gauc = GAUC()
    gauc.update_state([1], [0.9], ["ann"])
    gauc.update_state([0], [0.1], np.array([b"ann"]))
    assert gauc.result() == 1.0


def test_only_the_order_of_scores_counts():
    labels, _, groups = random_rows(6)
    logits = np.random.default_rng(6).normal(size=len(labels))
    by_logits, by_probabilities = GAUC(), GAUC()
    by_logits.update_state(labels, logits, groups)
    by_probabilities.update_state(labels, 1 / (1 + np.exp(-logits)), groups)
    assert by_logits.result() == by_probabilities.result()


def test_without_a_user_of_two_classes_the_result_is_nan():
    gauc = GAUC()
    assert np.isnan(gauc.result())
    gauc.update_state([1, 1, 0], [0.1, 0.2, 0.3], [7, 7, 8])
    assert np.isnan(gauc.result())


def test_reset_forgets_and_the_callers_memory_is_not_kept():
    gauc = GAUC()
    gauc.update_state([1, 0], [0.1, 0.9], [1, 1])
    gauc.reset_state()
    batch = np.array([0.9, 0.1], "float32")
    gauc.update_state([1, 0], batch, [1, 1])
    batch[:] = 0
    assert gauc.result() == 1.0


def test_config_round_trip():
    gauc = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(GAUC(name="per_user")))
    assert isinstance(gauc, GAUC)
    assert gauc.get_config() == GAUC(name="per_user").get_config()


def test_a_million_rows_take_less_than_two_seconds():
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 1_000_000), random.normal(size=1_000_000)
    users = random.integers(0, 50_000, 1_000_000)
    start = time.process_time()
    gauc = GAUC()
    gauc.update_state(labels, scores, users)
    gauc.result()
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("y_true", "y_pred", "groups", "message"),
    [
        ([1, 0], [0.1, 0.2], None, "rocket_keras.callbacks.GroupAUC"),
        ([1, 0], [0.1, 0.2], [1], "y_true of 2, y_pred of 2, groups of 1"),
        ([1, 0, 1], [0.1, 0.2], [1, 1, 1], "y_true of 3, y_pred of 2"),
        ([1, 0], [0.1, float("nan")], [1, 1], "NaN in row 1"),
        ([1, 2], [0.1, 0.2], [1, 1], "received 2 in row 1"),
        ([0.5, 1], [0.1, 0.2], [1, 1], "received 0.5 in row 0"),
        ([float("nan"), 1], [0.1, 0.2], [1, 1], "received nan in row 0"),
        ([1, 0], [0.1, 0.2], ["ann", None], "received None in row 1"),
        ([1, 0], [0.1, 0.2], [3.0, float("nan")], "received nan in row 1"),
        ([1, 0], [0.1, 0.2], np.array(["ann", float("nan")], object), "received nan in row 1"),
        ([1, 0], [0.1, 0.2], [3.0, 4.0], r"received float64: convert them with astype\('int64'\)"),
        ([1, 0], [0.1, 0.2], np.array(["ann", 4], object), "received a mixture"),
        ([[1, 0]], [0.1, 0.2], [1, 1], r"y_true expected the shape \(rows,\)"),
    ],
)
def test_bad_rows_are_one_clear_line(y_true, y_pred, groups, message):
    with pytest.raises(ValueError, match=message) as error:
        GAUC().update_state(y_true, y_pred, groups)
    assert "\n" not in str(error.value)


def test_integer_and_string_ids_do_not_mix():
    gauc = GAUC()
    gauc.update_state([1], [0.5], [1])
    with pytest.raises(ValueError, match="integers as before, received strings"):
        gauc.update_state([0], [0.5], ["1"])


def test_merge_refuses_other_metrics_and_weights_are_refused():
    with pytest.raises(ValueError, match="expected GAUC metrics"):
        GAUC().merge_state([keras.metrics.AUC()])
    with pytest.raises(ValueError, match="expected no sample_weight"):
        GAUC().update_state([1, 0], [0.1, 0.2], [1, 1], sample_weight=[1, 1])


def test_inside_compile_it_names_the_callback():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse", metrics=[GAUC()])
    with pytest.raises(ValueError, match=r"rocket_keras\.callbacks\.GroupAUC"):
        model.fit(np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32"), verbose=0)


def test_auc_and_log_loss_equal_scikit_learn():
    labels, scores, _ = random_rows(8)
    assert auc(labels, scores[:, None]) == pytest.approx(sk_metrics.roc_auc_score(labels, scores), abs=1e-12)
    probabilities = 1 / (1 + np.exp(-scores.astype("float64")))
    assert log_loss_from_logits(labels, scores) == pytest.approx(sk_metrics.log_loss(labels, probabilities), abs=1e-12)


def test_log_loss_does_not_overflow():
    assert log_loss_from_logits([1, 0], [-1000.0, -1000.0]) == pytest.approx(500.0)
    assert log_loss_from_logits([1, 0], [np.inf, -np.inf]) == 0.0


def test_auc_and_log_loss_of_no_rows_and_of_one_class():
    assert np.isnan(auc([1, 1], [0.1, 0.2]))
    with pytest.raises(ValueError, match="auc expected at least one row"):
        auc([], [])
    with pytest.raises(ValueError, match="log_loss_from_logits expected at least one row"):
        log_loss_from_logits([], [])
