"""Ways through weight space: a grid over methods or weights has several encoders at one alpha."""

from __future__ import annotations

from collections.abc import Iterable


def way_of(label: str, alpha: float | None) -> str:
    """Returns what a merged encoder's label says before its alpha: `ties` of `ties/alpha-0.5`; empty for one way."""
    return "" if alpha is None else label.rpartition("/")[0]


def ways(encoders: Iterable[tuple[str, float | None]]) -> list[str]:
    """Returns the ways of some (label, alpha), each once, in their order; one that is empty when nothing was merged."""
    return list(dict.fromkeys(way_of(label, alpha) for label, alpha in encoders if alpha is not None)) or [""]


def file_name(stem: str, way: str) -> str:
    """Returns a picture's name: `alpha-sid` or `alpha-sid-ties`."""
    return f"{stem}-{way.replace('/', '-')}" if way else stem
