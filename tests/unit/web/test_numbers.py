from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.common.formats import computed, milliseconds, share


@pytest.mark.parametrize(
    ("nanoseconds", "written"),
    [(838549999.9999998, 838.55), (1, 0.000001), (0, 0.0), (100000000.00000001, 100.0)],
)
def test_interpolated_durations_have_no_noise(nanoseconds, written):
    assert milliseconds(nanoseconds) == written


@given(st.integers(0, 10**15))
def test_every_whole_nanosecond_below_eleven_days_can_be_told_from_its_milliseconds(nanoseconds):
    assert round(milliseconds(nanoseconds) * 1_000_000) == nanoseconds


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.1 + 0.2, 0.3),
        (sum([0.1] * 1000), 100.0),
        (838.5499999999998, 838.55),
        (12345678901234567.0, 12345678901234567.0),
        (1e-300, 1e-300),
        (float("inf"), float("inf")),
        (None, None),
    ],
)
def test_computed_values_have_no_noise_and_whole_ones_keep_their_digits(value, written):
    assert computed(value) == written


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_computed_value_stays_what_it_is_to_twelve_digits(value):
    exact = Fraction(value)
    smallest_double = Fraction(5e-324)

    difference = abs(Fraction(computed(value)) - exact)

    assert difference <= abs(exact) / 10**11 + smallest_double


def test_shares_have_six_digits():
    assert share(1, 3) == 0.333333
    assert share(0, 0) == 0.0
