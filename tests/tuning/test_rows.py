import re
from types import SimpleNamespace

import numpy as np
import pytest

from rocket_keras.launch.scoring import check_split
from tuning.rows import as_rows


def test_rows_come_as_tuples_or_splits():
    x, y, users = np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.array([1, 1, 2, 2])
    for given in ((x, y, users), SimpleNamespace(x=x, y=y, groups=users)):
        rows = as_rows(given, "train")
        assert len(rows) == 4
        part = rows.rows(np.array([1, 3]))
        np.testing.assert_array_equal(part.groups, [1, 2])
        assert part.x.shape == (2, 2)
    assert as_rows(({"a": x, "b": x}, y), "train").rows(slice(1)).x["b"].shape == (1, 2)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (3, "expected `train` as \\(x, y\\).*received int"),
        ((np.zeros((3, 2)), np.zeros(2)), "equally many rows everywhere, received \\[2, 3\\]"),
        ((np.zeros((0, 2)), np.zeros(0)), "equally many rows everywhere, received \\[0\\]"),
    ],
)
def test_anything_else_is_refused(given, line):
    with pytest.raises(ValueError, match=line):
        as_rows(given, "train")


def changed(rows, **parts):
    x, y = rows
    return (parts.get("x", x), parts.get("y", y), *([parts["groups"]] if "groups" in parts else []))


@pytest.mark.parametrize(
    ("metric", "part", "change", "line"),
    [
        ("auc", "validation", {"y": np.zeros(200)}, "expected both classes in the validation labels, received only 0 "
         "in 200 rows; an AUC compares rows of both"),
        ("auc", "validation", {"y": np.ones(200)}, "received only 1 in 200 rows"),
        ("gauc", "validation", {"y": np.arange(200) % 2, "groups": np.arange(200)},
         "expected a group with both classes in the validation labels, received none in 200 rows"),
        ("gauc", "validation", {}, "expected `metric` as one of auc, log_loss for these validation rows"),
        ("accuracy", "validation", {}, "expected `metric` as one of auc, log_loss for these validation rows"),
        ("auc", "validation", {"y": np.full(200, 0.5)}, "expected labels 0 or 1, received 0.5 in row 0"),
        ("auc", "train", {"y": np.full(256, 2.0)}, "`train`: Labels must be from 0 to 1"),
        ("auc", "validation", {"x": np.full((200, 6), np.nan, "float32")}, "`validation`: x must be finite, but row 0"),
    ],
)  # fmt: skip
def test_rows_that_cannot_train_or_score_are_named_before_anything_is_measured(
    find, training, data, tmp_path, metric, part, change, line
):
    with pytest.raises(ValueError, match=re.escape(line)) as caught:
        find(**{part: changed(data[part], **change), "training": training(metric=metric)})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "search").exists()


def test_one_class_is_enough_for_a_loss():
    check_split(SimpleNamespace(y=np.zeros(9), groups=None), "validation", 1, "log_loss")


def test_labels_that_are_no_class_are_named():
    split = SimpleNamespace(y=np.array([0, 1, 3]), groups=None)
    with pytest.raises(ValueError, match="whole numbers from 0 to 2, received 3 in row 2"):
        check_split(split, "validation", 3)
    check_split(SimpleNamespace(y=np.array([0, 1, 2]), groups=None), "validation", 3, "accuracy")
