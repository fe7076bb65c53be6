"""Transfer sets: rows without labels, real or generated."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from rocket_keras.transfer import labelled_and_unlabelled, munge, unlabelled, without_class


@dataclasses.dataclass
class Rows:
    x: Any
    y: np.ndarray
    groups: Any = None

    def __len__(self):
        return len(self.y)

    def rows(self, index):
        x = {k: v[index] for k, v in self.x.items()} if isinstance(self.x, dict) else self.x[index]
        return Rows(x, self.y[index])


@dataclasses.dataclass
class Data:
    train: Rows
    unlabelled: Rows | None = None


@dataclasses.dataclass
class Plan:
    data: Data


def columns(count=700):
    rng = np.random.default_rng(0)
    return {"id": rng.integers(0, 9, count).astype("int32"), "price": rng.normal(size=count).astype("float32")}


def images(count=700):
    """Two far clusters."""
    rng = np.random.default_rng(1)
    x = rng.normal(scale=0.1, size=(count, 3, 3, 1)).astype("float32")
    x[: count // 2] += 10
    return x


def test_generated_rows_keep_types_and_take_ids_that_exist():
    x = columns()
    made = munge(x, 0)
    assert {k: (v.dtype, v.shape) for k, v in made.items()} == {k: (v.dtype, v.shape) for k, v in x.items()}
    assert set(made["id"]) <= set(x["id"])
    assert (made["price"] != x["price"]).any()


def test_generated_rows_stay_near_their_own():
    x = images()
    made = munge(x, 0)
    assert (made != x).any()
    assert np.abs(made - x).max() < 2, "a neighbour came from the other cluster"


def test_swap_decides_how_much_is_taken_over():
    x = images()
    np.testing.assert_array_equal(munge(x, 0, swap=0.0), x)
    share = (munge(x, 0, swap=0.25) != x).mean()
    assert 0.2 < share < 0.3


def test_the_seed_decides():
    x = columns()
    for name in x:
        np.testing.assert_array_equal(munge(x, 3)[name], munge(x, 3)[name])
    assert (munge(x, 3)["price"] != munge(x, 4)["price"]).any()


@pytest.mark.parametrize("count", [2, 511, 513])
def test_a_last_block_of_few_rows_has_neighbours(count):
    x = {"id": np.arange(count, dtype="int32")}
    made = munge(x, 0, swap=1.0)["id"]
    assert (made != x["id"]).all(), "a row was its own neighbour"


def test_real_unlabelled_rows_come_first_choice():
    train, more = Rows(images(6), np.arange(6)), Rows(images(4), np.full(4, -1))
    plan = Plan(Data(train, more))
    every = unlabelled(plan, 0)
    assert len(every) == 10
    assert (every.y == -1).all()
    mixed = labelled_and_unlabelled(plan, 0)
    np.testing.assert_array_equal(mixed.y, [*range(6), -1, -1, -1, -1])
    np.testing.assert_array_equal(mixed.x[6:], more.x)


def test_rows_are_generated_where_there_are_none():
    plan = Plan(Data(Rows(columns(50), np.ones(50, "float32"))))
    mixed = labelled_and_unlabelled(plan, 0)
    assert len(mixed) == 100
    assert (mixed.y[:50] == 1).all()
    assert (mixed.y[50:] == -1).all()


def test_a_class_can_be_left_out():
    plan = Plan(Data(Rows(images(6), np.array([0, 1, 2, 1, 0, 1]))))
    kept = without_class(plan, 0, missing=1)
    np.testing.assert_array_equal(kept.y, [0, 2, 0])
