"""Lines that fit the screen: a narrow one loses the least important details, never a whole line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

_NARROWEST_BAR = 8
#: Share of the screen that a long label gets before there is room for further details.
_LABEL_SHARE = 0.45
_GAP = "  "


@dataclass(frozen=True)
class Bar:
    """How far a piece of work is.

    Attributes:
        label: What is done.
        share: Of the work, between 0 and 1; None when it can't be known.
        details: What stands beside it, most important first.
    """

    label: str
    share: float | None
    details: tuple[str, ...]


def bars(drawn: Sequence[Bar], width: int) -> list[tuple[str, str, str, str]]:
    """Returns label, done and open part of the bar, and details of each; all bars begin and end under each other.

    Args:
        drawn: The pieces of work.
        width: Of the screen [cells]; no line is wider.
    """
    labels = max((cell_len(each.label) for each in drawn), default=0)
    count = max((len(each.details) for each in drawn), default=0)
    needed = min(labels, int(width * _LABEL_SHARE)) + _NARROWEST_BAR
    while count > 1 and _room(drawn, count, width) < needed:
        count -= 1
    room = _room(drawn, count, width)
    if room >= needed:
        label_width = min(labels, room - _NARROWEST_BAR)
        bar = room - label_width
    else:
        label_width, bar = max(1, min(labels, room + len(_GAP))), 0
    return [_pieces(each, label_width, bar, count, width) for each in drawn]


def facts(parts: Sequence[str], width: int) -> str:
    """Returns as many parts as fit into one line, the first ones first.

    Args:
        parts: Most important first.
        width: Of the screen [cells].
    """
    line = ""
    for part in parts:
        longer = f"{line}, {part}" if line else part
        if cell_len(longer) > width:
            break
        line = longer
    return line or cut(parts[0] if parts else "", width)


def cut(text: str, width: int) -> str:
    """Returns the text, or its beginning and an ellipsis when it is wider than `width` cells."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1)).rstrip()}…"


def _room(drawn: Sequence[Bar], count: int, width: int) -> int:
    """Returns what `count` details leave for a label and its bar."""
    return width - max((cell_len(_details(each, count)) for each in drawn), default=0) - 2 * len(_GAP)


def _details(bar: Bar, count: int) -> str:
    return ", ".join(bar.details[:count])


def _pieces(each: Bar, label_width: int, bar: int, count: int, width: int) -> tuple[str, str, str, str]:
    label = set_cell_size(cut(each.label, label_width), label_width)
    done = 0 if each.share is None else int(bar * min(1.0, max(0.0, each.share)))
    drawn, rest = "━" * done, (" " if each.share is None else "─") * (bar - done)
    before = f"{label}{_GAP if bar else ''}"
    room = max(0, width - cell_len(before) - bar - len(_GAP))
    return before, drawn, rest, f"{_GAP}{cut(_details(each, count), room)}"
