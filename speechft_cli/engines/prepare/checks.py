"""What only a task can say of an utterance: is its target one that the task can learn?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from speechft_cli.data.columns import Row
from speechft_cli.data.preparing.collation import Check, Judge, ReadRows
from speechft_cli.data.utterance import field_in_words
from speechft_cli.data.utterances import row_target
from speechft_cli.events import Note, Report

if TYPE_CHECKING:  # without a task nothing here needs torch
    from speechft_cli.tasks.base import Task


def vocabulary_check(task: Task, report: Report) -> Check:
    """Returns a check that leaves out targets with symbols that are not in the task's vocabulary.

    An utterance without a target passes: the task leaves it alone. Where no training utterance has one, that is said:
    then there is no vocabulary, and all pass.
    """

    def check(rows: ReadRows) -> Judge:
        def targets() -> Iterator[str]:
            for split, row in rows():
                if split == "train" and (target := row_target(row, task.needs)) is not None:
                    yield task.normalise(target)

        if next(targets(), None) is None:
            nothing = f"no training utterance has {field_in_words(task.needs)!r}, which task {task.name} needs"
            report(Note(f"{nothing}: nothing is checked for it", important=True))
            return lambda split, _: split
        vocabulary = task.vocabulary(targets())

        def judge(split: str, row: Row) -> str | tuple[str, str]:
            raw = row_target(row, task.needs)
            if raw is None:
                return split
            target = task.normalise(raw)
            if not target:
                return f"nothing usable in {field_in_words(task.needs)}", repr(raw)
            try:
                task.encode(target, vocabulary)
            except KeyError as error:
                return f"outside the vocabulary of {task.name}", repr(error.args[0])
            return split

        return judge

    return check
