import pytest

from speechft_cli.reporting.intervals import half_width


def test_the_interval_of_three_values_is_the_tables() -> None:
    # t(0.975, 2) = 4.3027; the standard deviation of 1, 2, 3 is 1
    assert half_width([1.0, 2.0, 3.0]) == pytest.approx(4.3027 / 3**0.5, rel=1e-4)


def test_equal_values_have_no_width_and_one_value_has_no_interval() -> None:
    assert half_width([5.0, 5.0]) == 0.0
    assert half_width([5.0]) is None


def test_what_is_no_number_has_no_interval() -> None:
    assert half_width([float("nan"), float("nan")]) is None
    assert half_width([5.0, float("nan")]) is None
