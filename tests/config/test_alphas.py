"""Alphas are exact decimals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from speechft_cli.config.alphas import alpha_name, parse_alphas


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (0, ["0"]),
        (0.1, ["0.1"]),
        ("0.25", ["0.25"]),
        ("1e-2", ["0.01"]),
        ([0.0, 0.5, 1], ["0", "0.5", "1"]),
        ("0, 0.3,1.0", ["0", "0.3", "1"]),
        ("0:1:0.25", ["0", "0.25", "0.5", "0.75", "1"]),
        ("1:0:-0.5", ["1", "0.5", "0"]),
        ("0:1:0.3", ["0", "0.3", "0.6", "0.9"]),
        ("-0.5:0.5:0.5", ["-0.5", "0", "0.5"]),
        ("0.5:0.5:0.1", ["0.5"]),
    ],
)
def test_a_number_a_list_or_a_grid_is_read_exactly(given: object, names: list[str]) -> None:
    assert [alpha_name(alpha) for alpha in parse_alphas(given)] == names


def test_no_step_of_a_fine_grid_is_a_rounding_error() -> None:
    names = [alpha_name(alpha) for alpha in parse_alphas("0:1:0.05")]
    assert len(names) == len(set(names)) == 21
    assert max(map(len, names)) == 4


def test_negative_zero_is_zero() -> None:
    assert alpha_name(Decimal("-0.0")) == "0"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0:1", "must be START:STOP:STEP, got '0:1'"),
        ("0:1:-0.1", "must lead from 0 to 1, got step -0.1"),
        ("0:1:0", "must lead from 0 to 1, got step 0"),
        ("0:1:0.00001", "must have at most 10000 alphas, got 100001"),
        ([], "must have at least one alpha, got none"),
        ([0.5, "0.50"], "must name each alpha once, got 0.5 more than once"),
        ("half", "must be a number or START:STOP:STEP, got 'half'"),
        (True, "must be a number or START:STOP:STEP, got True"),
        (float("nan"), "must be finite, got nan"),
        ({"a": 1}, "must be a number or START:STOP:STEP, got {'a': 1}"),
    ],
)
def test_anything_else_is_refused(given: object, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        parse_alphas(given)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["1e400", "1e-400", "0:1e400:1e399", "0:1e999999:1e-999999", "12345"])
def test_an_alpha_that_can_only_be_a_slip_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_alphas(text)
