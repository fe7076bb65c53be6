import numpy as np
import pytest

from zoo.data.click_rates import FOLDS, SMOOTHING, cross_rates
from zoo.data.tables import standardise


def log(rows=203, seed=0):
    random = np.random.RandomState(seed)
    user, kind = random.randint(0, 7, rows), random.randint(0, 4, rows)
    return user, kind, random.randint(0, 2, rows).astype(np.float32), random.permutation(rows)[:150]


def slow_rate(row, counted, user, kind, clicks):
    rate = 0.5
    for same in (user == user, user == user[row], (user == user[row]) & (kind == kind[row])):
        members = [other for other in counted if same[other]]
        rate = (sum(clicks[other] for other in members) + SMOOTHING * rate) / (len(members) + SMOOTHING)
    return rate


def test_equals_a_slow_count_out_of_fold():
    user, kind, clicks, train = log()
    column = cross_rates(user, kind, clicks, train)
    fold_of = {row: place % FOLDS for place, row in enumerate(train)}
    rates = np.zeros(len(user))
    for row in range(len(user)):
        counted = [other for other in train if row not in fold_of or fold_of[other] != fold_of[row]]
        rates[row] = slow_rate(row, counted, user, kind, clicks)
    for fold in range(FOLDS):
        mine = train[fold::FOLDS]
        np.testing.assert_allclose(column[mine], standardise(rates[mine], rates[mine]), atol=1.1e-4)
    rest = np.setdiff1d(np.arange(len(user)), train)
    np.testing.assert_allclose(column[rest], standardise(rates[rest], rates[train]), atol=1.1e-4)


def test_no_label_reaches_its_own_row():
    user, kind, clicks, train = log()
    before = cross_rates(user, kind, clicks, train)
    for row in train:
        flipped = clicks.copy()
        flipped[row] = 1 - flipped[row]
        after = cross_rates(user, kind, flipped, train)
        assert after[row] == before[row]
        assert (after != before).any()


def test_labels_of_other_rows_change_nothing():
    user, kind, clicks, train = log()
    flipped = 1 - clicks
    flipped[train] = clicks[train]
    np.testing.assert_array_equal(cross_rates(user, kind, flipped, train), cross_rates(user, kind, clicks, train))


@pytest.mark.parametrize("count", [1, 3, 5])
def test_few_train_rows_give_finite_numbers(count):
    user, kind, clicks, train = log()
    assert np.isfinite(cross_rates(user, kind, clicks, train[:count])).all()
