import keras_tuner
import numpy as np
import pytest

from tuning.space import Encoding, all_values, smallest_and_largest


@pytest.fixture
def space():
    hp = keras_tuner.HyperParameters()
    hp.Int("depth", 1, 2)
    hp.Choice("width", [16, 64])
    with hp.conditional_scope("depth", [2]):
        hp.Choice("second", [8, 32])
    hp.Boolean("norm")
    hp.Choice("tower", ["mlp", "dcn"])
    hp.Fixed("kept", 3)
    return hp.space


def test_every_point_of_a_finite_space_is_listed_with_its_active_values_alone(space):
    points = all_values(space)
    assert len(points) == 2 * (1 + 2) * 2 * 2
    assert len({tuple(sorted(point.items())) for point in points}) == len(points)
    assert all(("second" in point) == (point["depth"] == 2) for point in points)
    assert all(point["kept"] == 3 for point in points)


def test_a_space_with_a_number_without_a_step_or_with_too_many_points_has_no_list(space):
    assert all_values(space, limit=20) is None
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 0.1, 1.0)
    assert all_values(hp.space) is None


def test_the_corners_have_all_numbers_at_their_ends(space):
    small, large = smallest_and_largest(space)
    assert small == {"depth": 1, "width": 16, "norm": False, "tower": "mlp", "kept": 3}
    assert large == {"depth": 2, "width": 64, "second": 32, "norm": False, "tower": "mlp", "kept": 3}


def test_a_space_of_one_point_has_one_corner():
    hp = keras_tuner.HyperParameters()
    hp.Choice("width", [16])
    assert smallest_and_largest(hp.space) == [{"width": 16}]


def test_vectors_keep_the_zero_of_a_width_and_have_a_column_a_word(space):
    encoding = Encoding(space)
    assert [name for name, _ in encoding.columns] == ["depth", "width", "second", "norm", "tower", "tower"]
    point = {"depth": 2, "width": 16, "second": 32, "norm": True, "tower": "dcn"}
    np.testing.assert_allclose(encoding.vectors([point]), [[1, 0.25, 1, 1, 0, 1]])
    np.testing.assert_allclose(encoding.vectors([{"depth": 1, "width": 64, "norm": False, "tower": "mlp"}]),
                               [[0.5, 1, 0, 0, 1, 0]])  # fmt: skip
