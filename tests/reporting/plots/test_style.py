"""Pictures as bytes: PNG on white, SVG in the page's colours."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from speechft_cli.reporting.plots.style import BLUE, INK, drawing, picture


def texts(svg: str) -> list[str]:
    """What is written in a picture."""
    root = ElementTree.fromstring(svg.replace("<svg", '<svg xmlns:xlink="http://www.w3.org/1999/xlink"', 1))
    return ["".join(each.itertext()).strip() for each in root.iter() if each.tag.endswith("text")]


def drawn(title: str = "t") -> tuple[bytes, str]:
    with drawing() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=BLUE)
        axes.set_title(title)
        made = picture(figure, "mine", f"About {title}")
    return made.png, made.svg


def test_the_png_is_one() -> None:
    assert drawn()[0].startswith(b"\x89PNG")


def test_the_svg_has_the_pages_colours_and_its_own_names() -> None:
    _, svg = drawn()
    assert BLUE not in svg
    assert INK not in svg
    assert "var(--one)" in svg
    assert {each.startswith("mine-") for each in re.findall(r'\bid="([^"]*)"', svg)} == {True}
    assert {each.startswith("mine-") for each in re.findall(r"(?:url\(#|href=\"#)([^)\"]*)", svg)} == {True}
    assert not re.search(r"<svg[^>]* (width|height)=", svg)


def test_a_label_is_neither_markup_nor_mathematics() -> None:
    _, svg = drawn('<script>"$x$ & y')
    assert '<script>"$x$ & y' in texts(svg)
    assert "<script>" not in svg


def test_the_same_picture_is_the_same_text() -> None:
    assert drawn()[1] == drawn()[1]
