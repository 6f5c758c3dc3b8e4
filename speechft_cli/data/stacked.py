"""Several manifests as if they were one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.columns import NUMBERS, Columns


class StackedColumns:
    """The rows of several columns, one after the other; texts stay where they are.

    Attributes:
        length: How many utterances.
        numbers: Name → values (length,).
    """

    def __init__(self, parts: Sequence[Columns | StackedColumns]) -> None:
        self._parts = tuple(parts)
        self._begins = np.cumsum([0, *(part.length for part in parts)])
        self.length: int = int(self._begins[-1])
        self.numbers: Mapping[str, NDArray[np.generic]] = {
            name: np.concatenate([part.numbers[name] for part in parts]) for name in NUMBERS
        }

    def some_texts(self, name: str, rows: NDArray[np.int64]) -> list[str | None]:
        """Returns the values of some rows of a text column."""
        texts: list[str | None] = [None] * len(rows)
        part_of = np.searchsorted(self._begins, rows, side="right") - 1
        for number, part in enumerate(self._parts):
            places = np.flatnonzero(part_of == number)
            found = part.some_texts(name, rows[places] - self._begins[number])
            for place, text in zip(places.tolist(), found, strict=True):
                texts[place] = text
        return texts

    def is_absent(self, name: str) -> bool:
        """Whether no row has a value in a text column."""
        return all(part.is_absent(name) for part in self._parts)
