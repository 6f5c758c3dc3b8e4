"""How every picture looks, and how it becomes bytes."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's blue and vermilion: told apart with any kind of colour vision, and in grey
BLUE = "#0072b2"
VERMILION = "#d55e00"
INK = "#1c2024"
SOFT = "#5b6570"
LINE = "#d7dce1"
PAPER = "#fefefe"

#: Drawn colour → the custom property of the page that takes its place in an SVG.
_PROPERTIES = {BLUE: "--one", VERMILION: "--two", INK: "--ink", SOFT: "--soft", LINE: "--line", PAPER: "--paper"}

#: At which text is in its own size; a phone shows so much [inches].
_WIDTH = 5.0

_SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # a label may have a dollar sign
    "axes.facecolor": "none",
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",  # text stays text: it is read aloud, searched, and follows the page
    "svg.hashsalt": "speechft",  # the same picture is the same bytes
}


@contextmanager
def drawing(*, height: float = 3.6) -> Iterator[tuple[Figure, Axes]]:
    """Gives a picture to draw into; everything about it has to happen inside the block.

    Args:
        height: In inches.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS):  # type: ignore[arg-type]  # it lists every name there is
        figure = Figure(figsize=(_WIDTH, height), layout="constrained", facecolor="none")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots()


@dataclass(frozen=True)
class Picture:
    """A picture, drawn.

    Attributes:
        name: Of its file, without suffix.
        description: What it shows, for who can't see it.
        png: On white, for Markdown.
        svg: An element of a page, without background and in the page's own colours.
    """

    name: str
    description: str
    png: bytes
    svg: str


def picture(figure: Figure, name: str, description: str) -> Picture:
    """Returns what was drawn; to be called inside `drawing`."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # once is enough: laying out takes longer than drawing
    return Picture(name, description, _png(figure), _svg(figure, name, description))


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=160, facecolor="white")
    return file.getvalue()


def _svg(figure: Figure, name: str, description: str) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    head, _, body = text[text.index("<svg") :].partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    assert view is not None
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    for colour, property_name in _PROPERTIES.items():
        body = body.replace(colour, f"var({property_name})")
    # several pictures share a page, and so its names
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", body)
    # without width and height it takes the room it gets, and the viewBox keeps its shape
    return f'<svg {view[0]} role="img" aria-label="{html.escape(description, quote=True)}">{body.strip()}'
