"""Many utterances as a sequence that makes each object when it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np
import orjson
from numpy.typing import NDArray

from speechft_cli.data.columns import NUMBERS, TEXTS, Columns, ColumnsBuilder, Row, parse_labels, slices
from speechft_cli.data.stacked import StackedColumns
from speechft_cli.data.utterance import TARGETS, Utterance, duration_text, join_targets, target_of


class Utterances(Sequence[Utterance]):
    """A split, or some rows of it, in the order of the ids.

    `durations` and `targets` answer for all rows without making an object of each.
    """

    def __init__(self, columns: Columns | StackedColumns, folder: Path, rows: NDArray[np.int64] | None = None) -> None:
        """
        Args:
            columns: What is known.
            folder: What relative audio paths are relative to.
            rows: Which rows, all by default.
        """
        self._columns = columns
        self._folder = folder
        self._rows = np.arange(columns.length) if rows is None else rows

    @classmethod
    def of(cls, utterances: Iterable[Utterance]) -> Self:
        """Returns some utterances as columns in memory, in their order."""
        builder = ColumnsBuilder()
        for each in utterances:
            builder.add(row_of(each, str(each.audio)))
        return cls(builder.columns(), Path())

    @classmethod
    def joined(cls, parts: Sequence[Utterances]) -> Self:
        """Returns the utterances of some parts of a manifest folder, one part after the other."""
        (folder,) = {part._folder for part in parts}
        columns = [part._columns for part in parts]
        begins = np.cumsum([0, *(each.length for each in columns)])
        rows = [part._rows + begin for part, begin in zip(parts, begins[:-1], strict=True)]
        return cls(StackedColumns(columns), folder, np.concatenate(rows))

    @property
    def durations(self) -> NDArray[np.float64]:
        """Length of each utterance [s], (len(self),)."""
        return np.asarray(self._columns.numbers["duration"][self._rows], dtype=np.float64)

    def targets(self, field: str) -> Iterator[str | None]:
        """Yields what `Utterance.target(field)` gives for each utterance."""
        columns = [self._targets(name) for name in field.split("+")]
        return columns[0] if len(columns) == 1 else map(join_targets, zip(*columns, strict=True))

    def _targets(self, field: str) -> Iterator[str | None]:
        if field.endswith("?"):
            yield from (value or "" for value in self._targets(field.removesuffix("?")))
        elif field == "duration":
            yield from map(duration_text, self.durations.tolist())
        elif field == "text":
            pairs = zip(self._texts("text"), self._texts("normalised"), strict=True)
            yield from (text if normalised is None else normalised for text, normalised in pairs)
        elif field in TARGETS:
            yield from self._texts(field)
        else:
            for labels in self._texts("labels"):
                yield None if labels is None else parse_labels(labels).get(field)

    def labels(self) -> Iterator[Mapping[str, str]]:
        """Yields the labels of each utterance."""
        for labels in self._texts("labels"):
            yield {} if labels is None else parse_labels(labels)

    def task_splits(self, task: str) -> Iterator[str | None]:
        """Yields the split of each utterance for a task; None where it has none of its own."""
        if self._columns.is_absent("task_splits"):
            yield from (None for _ in range(len(self)))
            return
        for splits in self._texts("task_splits"):
            yield None if splits is None else parse_labels(splits).get(task)

    def order_by_id(self) -> NDArray[np.int64]:
        """Returns the places of this sequence in the order of their ids."""
        ids = [each or "" for each in self._texts("id")]
        return np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)

    def order_by_hash(self) -> NDArray[np.int64]:
        """Returns the places in the order of a hash of the ids: one more utterance in a corpus moves no other."""
        hashes = b"".join(hashlib.sha256((each or "").encode()).digest()[:8] for each in self._texts("id"))
        return np.argsort(np.frombuffer(hashes, dtype=">u8"), kind="stable")

    def select(self, rows: Sequence[int] | NDArray[np.int64]) -> Utterances:
        """Returns the utterances at some places of this sequence."""
        return Utterances(self._columns, self._folder, self._rows[np.asarray(rows, dtype=np.int64)])

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...

    @overload
    def __getitem__(self, index: slice) -> Utterances: ...

    def __getitem__(self, index: int | slice) -> Utterance | Utterances:
        """Returns one utterance, or a part of the sequence."""
        if isinstance(index, slice):
            return Utterances(self._columns, self._folder, self._rows[index])
        (utterance,) = self._make(self._rows[[index]])
        return utterance

    def __iter__(self) -> Iterator[Utterance]:
        return (utterance for piece in slices(self._rows) for utterance in self._make(piece))

    def _make(self, rows: NDArray[np.int64]) -> Iterator[Utterance]:
        columns = self._columns
        numbers = (columns.numbers[name][rows].tolist() for name in NUMBERS)
        texts = (columns.some_texts(name, rows) for name in TEXTS)
        for row in map(Row._make, zip(*numbers, *texts, strict=True)):
            yield utterance_of(row, self._folder)

    def _texts(self, name: str) -> Iterator[str | None]:
        for piece in slices(self._rows):
            yield from self._columns.some_texts(name, piece)


def utterance_of(row: Row, folder: Path) -> Utterance:
    """Returns the utterance of a row, its recording relative to a folder."""
    return Utterance(
        row.id,
        folder / row.audio,
        row.start,
        row.duration,
        row.sample_rate,
        row.text,
        row.phones,
        row.speaker,
        parse_labels(row.labels) if row.labels else {},
        parse_labels(row.task_splits) if row.task_splits else {},
        row.normalised,
        row.language,
        row.licence,
        row.offset,
        row.size,
    )


def row_of(utterance: Utterance, audio: str) -> Row:
    """Returns an utterance as a row of columns, its recording called `audio`."""
    return Row(
        utterance.start,
        utterance.duration,
        utterance.sample_rate,
        utterance.offset,
        utterance.size,
        utterance.id,
        audio,
        utterance.text,
        utterance.normalised,
        utterance.phones,
        utterance.speaker,
        utterance.language,
        utterance.licence,
        labels_text(utterance.labels),
        labels_text(utterance.task_splits),
    )


def row_target(row: Row, field: str) -> str | None:
    """Returns what `Utterance.target(field)` gives for the utterance of a row."""
    return target_of(row, field, lambda name: parse_labels(row.labels).get(name) if row.labels else None)


def labels_text(labels: Mapping[str, str]) -> str | None:
    """Returns labels as JSON with sorted names, None when there are none."""
    return orjson.dumps(dict(labels), option=orjson.OPT_SORT_KEYS).decode() if labels else None
