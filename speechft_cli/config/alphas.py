"""Alphas as exact decimals: `0:1:0.05` has no 0.15000000000000002 in it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

#: Decimal exponents beyond which an alpha is a mistake.
_SMALLEST, _LARGEST = -9, 3


def parse_alphas(value: object) -> tuple[Decimal, ...]:
    """Reads one alpha, a list of alphas, or a grid `START:STOP:STEP` that includes STOP when a step lands on it.

    Args:
        value: A number, a string, or a sequence of them.

    Raises:
        ValueError: It is none of these, is not finite, or names the same alpha twice.
    """
    if isinstance(value, str) and ":" in value:
        alphas = _grid(value)
    elif isinstance(value, str) and "," in value:
        alphas = tuple(_number(part) for part in value.split(","))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        alphas = tuple(_number(part) for part in value)
    else:
        alphas = (_number(value),)
    if not alphas:
        raise ValueError("must have at least one alpha, got none")
    twice = sorted({alpha for alpha in alphas if alphas.count(alpha) > 1})
    if twice:
        raise ValueError(f"must name each alpha once, got {', '.join(map(alpha_name, twice))} more than once")
    return alphas


def alpha_name(alpha: Decimal) -> str:
    """Returns the shortest exact name: `0.3`, `1`, `-0.25`."""
    text = f"{alpha.normalize():f}"
    return "0" if text == "-0" else text


def _grid(text: str) -> tuple[Decimal, ...]:
    parts = text.split(":")
    if len(parts) != 3:
        raise ValueError(f"must be START:STOP:STEP, got {text!r}")
    start, stop, step = map(_number, parts)
    if step == 0 or (stop - start) / step < 0:
        raise ValueError(f"must lead from {alpha_name(start)} to {alpha_name(stop)}, got step {alpha_name(step)}")
    count = int((stop - start) / step) + 1
    if count > 10_000:
        raise ValueError(f"must have at most 10000 alphas, got {count}")
    return tuple(start + step * index for index in range(count))


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"must be a number or START:STOP:STEP, got {value!r}")
    try:
        # repr of a float is its shortest exact form, so 0.1 stays 0.1
        number = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except InvalidOperation:
        raise ValueError(f"must be a number or START:STOP:STEP, got {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"must be finite, got {value!r}")
    if number and not _SMALLEST <= number.adjusted() <= _LARGEST:
        raise ValueError(f"must lie between 1e{_SMALLEST} and 1e{_LARGEST + 1} in size, got {value!r}")
    return number
