from types import SimpleNamespace

import numpy as np
import pytest

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
