"""Reading the architecture string of a CNN, which s3prl evaluates as Python, without evaluating it."""

from __future__ import annotations

import ast

#: Far more than any CNN has; a longer list is an attack or a mistake.
_MOST_LAYERS = 100


def read_convolutions(spec: object) -> tuple[tuple[int, int], ...]:
    """Returns the (kernel, stride) pairs of a string like `[(512, 10, 5)] + [(512, 3, 2)] * 4`.

    Args:
        spec: A sum of lists of (channels, kernel, stride), each perhaps times a number.

    Raises:
        ValueError: It is anything else; the message begins with "must be".
    """
    return tuple((kernel, stride) for _, kernel, stride in read_layers(spec))


def read_layers(spec: object) -> list[tuple[int, int, int]]:
    """Returns the (channels, kernel, stride) of each layer.

    Raises:
        ValueError: As in `read_convolutions`.
    """
    try:
        if not isinstance(spec, str):
            raise TypeError
        return _layers(ast.parse(spec.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        shown = spec if not isinstance(spec, str) or len(spec) <= 100 else f"{spec[:100]}…"
        raise ValueError(f"must be a list of (channels, kernel, stride), got {shown!r}") from None


def _layers(node: ast.expr) -> list[tuple[int, int, int]]:
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            layers = _layers(left) + _layers(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int(count))) if 0 < count <= _MOST_LAYERS:
            layers = _layers(left) * count
        case ast.List(elts=items):
            layers = [_layer(item) for item in items]
        case _:
            raise ValueError
    if not 0 < len(layers) <= _MOST_LAYERS:
        raise ValueError
    return layers


def _layer(node: ast.expr) -> tuple[int, int, int]:
    channels, kernel, stride = ast.literal_eval(node)
    if not all(type(number) is int and number > 0 for number in (channels, kernel, stride)):
        raise ValueError
    return channels, kernel, stride
