"""Linear CKA against its definition, and the figure of the groups."""

import numpy as np
import pytest

from rocket_keras.compare.features import group_figure, linear_cka


def test_cka_is_its_definition():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20, 3, 2)), rng.normal(size=(20, 5))
    x, y = a.reshape(20, -1) - a.reshape(20, -1).mean(0), b - b.mean(0)
    expected = np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    assert linear_cka(a, b) == pytest.approx(expected, rel=1e-12)


def test_cka_of_a_rotated_scaled_and_moved_feature_is_1():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(30, 4))
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    assert linear_cka(a, 3 * a @ rotation + 7) == pytest.approx(1)


def test_cka_of_features_that_never_move_together_is_0():
    a = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    assert linear_cka(a, np.array([[1.0], [1.0], [-1.0], [-1.0]])) == pytest.approx(0)
    assert linear_cka(a, np.ones((4, 2))) == 0


@pytest.mark.parametrize(("first", "second"), [((3, 2), (4, 2)), ((1, 2), (1, 2))])
def test_cka_needs_two_rows_or_more_the_same_in_both(first, second):
    with pytest.raises(ValueError, match=r"linear_cka expected two features of the same rows.*pass both nets"):
        linear_cka(np.zeros(first), np.zeros(second))


def maps(groups, images=2):
    rng = np.random.default_rng(2)
    return {net: [rng.normal(size=(images, 4, 4, 3)) for _ in range(groups)] for net in ("booster", "light", "base")}


def test_figure_shows_mean_absolute_activations_with_their_cka():
    images, found = np.random.default_rng(3).normal(size=(2, 8, 8, 3)), maps(2)
    groups = [{"name": f"group {i}", "cka": {"base": 0.25, "light": 0.875}} for i in range(2)]
    figure = group_figure(images, found, groups)
    assert len(figure.axes) == 2 * (1 + 2 * 3)
    titles = [panel.get_title() for panel in figure.axes[:7]]
    assert titles[:4] == ["image", "group 0\nbase\nCKA 0.25", "group 0\nlight (rocket)\nCKA 0.88", "group 0\nbooster\n"]
    shown = figure.axes[2].images[0].get_array()
    np.testing.assert_allclose(shown, np.abs(found["light"][0][0]).mean(-1))
    assert figure.axes[0].images[0].get_array().min() == 0


def test_a_net_without_one_map_a_group_is_named():
    with pytest.raises(ValueError, match=r"expected 3 maps of base, received 2"):
        group_figure(np.zeros((2, 8, 8, 1)), maps(2), [{"name": "g", "cka": {}}] * 3)
