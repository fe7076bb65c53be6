"""Rows without labels: generated ones stay near real ones, and none brings a label along."""

from types import SimpleNamespace

import numpy as np
import pytest

from rocket_keras.transfer import labelled_and_unlabelled, munge, unlabelled, without_class
from zoo.data import Dataset, Split


def columns(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "user": rng.integers(0, 9, rows).astype("int32"),
        "item": rng.integers(0, 7, rows).astype("int64"),
        "age": rng.normal(size=rows).astype("float32"),
    }


def plan(x, y=None, more=None):
    y = (np.arange(len(next(iter(x.values())) if isinstance(x, dict) else x)) % 3).astype("int32") if y is None else y
    split = Split(x, y)
    return SimpleNamespace(data=Dataset("made up", split, split, split, 3, "made up", unlabelled=more))


@pytest.mark.parametrize("x", [columns(), np.random.default_rng(1).normal(size=(70, 4, 4, 1)).astype("float32")])
def test_generated_rows_have_the_form_of_real_ones(x):
    made = munge(x, seed=3, block=64)
    given = x if isinstance(x, dict) else {"x": x}
    made = made if isinstance(x, dict) else {"x": made}
    assert list(made) == list(given)
    for name, column in given.items():
        assert (made[name].shape, made[name].dtype) == (column.shape, column.dtype)
        assert np.isfinite(made[name]).all()
        assert not np.array_equal(made[name], column)


def test_ids_are_the_rows_own_or_its_neighbours():
    x = columns()
    made = munge(x, seed=3)
    for name in ("user", "item"):
        assert set(made[name]) <= set(x[name])
    # Two rows alone are each other's neighbour: what is taken over is known.
    pair = {"user": np.array([3, 8]), "age": np.array([1.0, 1.0], "float32")}
    whole = munge(pair, seed=0, swap=1.0)
    np.testing.assert_array_equal(whole["user"], [8, 3])
    np.testing.assert_array_equal(whole["age"], pair["age"])


def test_a_number_is_drawn_around_the_neighbours():
    x = np.array([10.0 * (row // 2) + row % 2 for row in range(200)])[:, None]
    neighbour = x.reshape(-1, 2)[:, ::-1].reshape(-1, 1)
    off = np.concatenate([munge(x, seed, swap=1.0, narrow=4.0) - neighbour for seed in range(20)])
    assert np.mean(off) == pytest.approx(0.0, abs=0.02)
    assert np.std(off) == pytest.approx(1 / 4, rel=0.05)


def test_without_a_swap_the_rows_come_back():
    x = columns()
    for name, column in munge(x, seed=5, swap=0.0).items():
        np.testing.assert_array_equal(column, x[name])


def test_the_seed_decides_the_draws():
    first, again, other = (munge(columns(), seed=seed) for seed in (4, 4, 5))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


@pytest.mark.parametrize("block", [64, 512])
def test_generated_rows_stay_near_their_own(block):
    rng = np.random.default_rng(2)
    centres = np.repeat(10 * rng.normal(size=(5, 8)), 60, axis=0)
    x = (centres + rng.normal(size=centres.shape)).astype("float32")
    made = munge(x, seed=0, block=block)
    own = np.linalg.norm(made - x, axis=-1).mean()
    another = np.linalg.norm(made - x[rng.permutation(len(x))], axis=-1).mean()
    assert own < 0.2 * another
    assert np.linalg.norm(made - centres, axis=-1).mean() < 4.5  # the class's own spread is sqrt(8) = 2.8


def test_the_transfer_set_has_no_labels():
    x, more = columns(), Split(columns(20, seed=9), np.full(20, -1, "int32"))
    real = unlabelled(plan(x, more=more), seed=0)
    assert len(real) == 320
    assert (real.y == -1).all()
    np.testing.assert_array_equal(real.x["age"], np.concatenate([x["age"], more.x["age"]]))
    made = unlabelled(plan(x), seed=0)
    assert len(made) == 600
    assert (made.y == -1).all()
    np.testing.assert_array_equal(made.x["user"][:300], x["user"])
    np.testing.assert_array_equal(made.x["user"][300:], munge(x, 0)["user"])


def test_labelled_rows_keep_their_labels():
    x = columns()
    both = labelled_and_unlabelled(plan(x), seed=0)
    np.testing.assert_array_equal(both.y[:300], np.arange(300) % 3)
    assert (both.y[300:] == -1).all()
    assert both.y.dtype == np.int32


def test_one_class_is_left_out():
    rows = without_class(plan(columns()), seed=0, missing=1)
    assert len(rows) == 200
    assert set(rows.y) == {0, 2}
    np.testing.assert_array_equal(rows.x["age"], columns()["age"][np.arange(300) % 3 != 1])
