import numpy as np
import pytest

from rocket_keras.encoding import transforms


def test_signed_log_keeps_sign_zero_and_order():
    np.testing.assert_allclose(transforms.signed_log1p(np.array([-(np.e - 1), 0, np.e**2 - 1])), [-1, 0, 2])


def test_the_never_called_count_as_zero_days():
    np.testing.assert_allclose(transforms.log_days(np.array([-1.0, 0, 90])), [0, 0, np.log(91)])


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("called_before", "-1", "no"),
        ("called_before", "0", "yes"),
        ("year_in_title", "Amelie (Le Fabuleux) (2001)", "2001"),
        ("year_of_date", "4-Feb-1971", "1971"),
        ("year_of_date", "", ""),
        ("age_group", "7", "1"),
        ("age_group", "17", "1"),
        ("age_group", "18", "18"),
        ("age_group", "49", "45"),
        ("age_group", "73", "56"),
        ("log_square", "", ""),
        ("log_square", "-2", "=-2"),
        ("log_square", "2", "=2"),
        ("log_square", "3", "1"),
        ("log_square", "1382", "52"),
        ("hour_of_day", "14102103", "03"),
        ("weekday", "14102100", "1"),
    ],
)
def test_texts(name, raw, expected):
    assert transforms.TEXTS[name](raw) == expected


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("called_before", "soon"),
        ("year_in_title", "Heat"),
        ("year_of_date", "1971-02-04"),
        ("age_group", "2.5"),
        ("log_square", "1e3"),
        ("hour_of_day", "14102124"),
        ("weekday", "14023100"),
        ("weekday", "2014102100"),
    ],
)
def test_refuses_other_texts(name, raw):
    with pytest.raises(ValueError, match=r"^an? "):
        transforms.TEXTS[name](raw)


def test_is_found_by_its_own_name():
    for known in (transforms.NUMBERS, transforms.TEXTS):
        assert all(function is getattr(transforms, name) for name, function in known.items())
