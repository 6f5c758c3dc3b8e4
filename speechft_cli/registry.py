"""Catalogues: names known now, code imported on first use."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from speechft_cli.errors import RequestError

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One catalogue line.

    Attributes:
        target: `module:attribute`, imported on first use.
        summary: One line for `speechft list`.
        source: Where it comes from: a paper, a corpus page, a tool.
    """

    target: str
    summary: str
    source: str


class Registry(Generic[T]):
    """A catalogue of one kind of thing, for example merge methods."""

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, name: str) -> Entry:
        """Returns the catalogue line of `name` without importing anything.

        Raises:
            RequestError: There is no such name; the message gives the nearest one.
        """
        if name not in self._entries:
            raise RequestError(f"{self.kind}: {unknown_name(name, self._entries)}", "speechft list shows every name")
        return self._entries[name]

    def get(self, name: str) -> T:
        """Imports and returns the thing called `name`.

        Raises:
            RequestError: There is no such name; the message gives the nearest one.
        """
        module, attribute = self.entry(name).target.split(":")
        return cast(T, getattr(importlib.import_module(module), attribute))


def unknown_name(name: str, known: Iterable[str]) -> str:
    """Says that `name` is none of `known`, with the nearest valid name when there is one."""
    near = nearest_name(name, known)
    suggestion = f"; did you mean {near!r}?" if near else ""
    return f"must be one of {', '.join(sorted(known))}, got {name!r}{suggestion}"


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Returns the one of `known` that `name` is probably a slip of, or has the initials of, if there is one."""
    names = list(known)
    shortened = [each for each in names if "".join(word[:1] for word in each.split("_")) == name]  # lr
    return next(iter([*shortened, *difflib.get_close_matches(name, names, n=1, cutoff=0.5)]), None)
