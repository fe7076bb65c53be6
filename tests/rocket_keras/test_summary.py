"""The arithmetic of the summary."""

import pytest

from rocket_keras.summary import format_number, wilson_interval


def test_wilson_interval_equals_its_published_example_and_stays_in_range():
    # Newcombe, Statistics in Medicine 1998, table I, method 3: 81 of 263, 0 of 20.
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 20) == pytest.approx((0.8389, 1), abs=5e-5)


@pytest.mark.parametrize(
    ("value", "text"), [(0.05234, "0.0523"), (1.005, "1.00"), (23.24, "23.2"), (6156.2, "6,156"), (0, "0"), (None, "–")]
)
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert format_number(value) == text
