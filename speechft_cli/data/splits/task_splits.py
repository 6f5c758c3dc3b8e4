"""Which utterances of a manifest folder a task trains on, is selected on and is tested on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.splits.subset import Most, subset
from speechft_cli.data.utterance import SPLITS, Seconds, field_in_words
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import RequestError

Rule = Literal["manifest", "assigned", "derived", "folds"]

#: What each rule means, for people.
RULES: Mapping[Rule, str] = {
    "manifest": "the manifests' own train, dev and test",
    "assigned": "the splits that the corpus assigns for this task",
    "derived": "80/10/10 of each class's utterances, in the order of a hash of their ids, over all manifests",
    "folds": "one fold per value, which is its test; of all other utterances a fifth, by a hash of their ids, is dev",
}

#: A class needs one utterance for each of train, dev and test.
_LEAST_PER_CLASS = len(SPLITS)
#: In place of a split's number: the utterance has no split of its own for the task.
_UNSAID = -2


@dataclass(frozen=True)
class TaskSplits:
    """The utterances of one task.

    Attributes:
        rule: Where the splits come from.
        splits: train, dev and test, each sorted by id.
        left_out: Reason → how many utterances, for those in no split.
        from_train: How many test utterances lie in the manifests' train split, so that an encoder fine-tuned on
            these manifests has heard them.
    """

    rule: Rule
    splits: Mapping[str, Utterances]
    left_out: Mapping[str, int]
    from_train: int = 0

    def duration(self, split: str) -> Seconds:
        """Returns how much audio a split has [s]."""
        return float(self.splits[split].durations.sum())


def split_for_task(
    manifests: Mapping[str, Utterances],
    *,
    task: str,
    field: str,
    is_closed_set: bool,
    normalise: Callable[[str], str] = str.strip,
    is_of: Callable[[str, str], bool] | None = None,
    most: Most | None = None,
) -> TaskSplits:
    """Chooses the utterances of a task.

    A task uses the splits that utterances carry for it, else the manifests' own. A closed-set task (every class of dev
    and test occurs in train) can't use speaker-disjoint manifests: where the manifests' own splits are not closed, it
    derives some.

    Args:
        manifests: Split → utterances.
        task: Its name, as in `Utterance.task_splits`.
        field: The field that holds its target: text, phones, speaker, or the name of a label.
        is_closed_set: Whether every class of dev and test must occur in train.
        normalise: Target → what is trained on and scored; an utterance of which nothing is left is not used.
        is_of: (split, normalised target) → whether the utterance can be in that split, where a task needs different
            ones in each.
        most: Utterances to keep; None for all.

    Raises:
        RequestError: One of train, dev and test has no utterance with the field.
    """
    everything, own = together(manifests)
    classes = number_classes(everything.targets(field), normalise, is_closed_set=is_closed_set)
    left_out = counted(f"no {field_in_words(field)}", int((classes < 0).sum()))
    chosen = np.where(classes < 0, -1, own)
    assigned = np.fromiter(map(_place, everything.task_splits(task)), dtype=np.int64, count=len(everything))
    rule: Rule = "manifest"
    if (assigned[classes >= 0] != _UNSAID).any():
        rule = "assigned"
        before = int((chosen >= 0).sum())
        chosen = np.where(classes < 0, -1, np.maximum(assigned, -1))
        left_out |= counted(f"no split for {task}", before - int((chosen >= 0).sum()))
        if is_closed_set:
            chosen, unknown = without_unknown_classes(chosen, classes)
            left_out |= counted(f"{field_in_words(field)} never in train", unknown)
    elif is_closed_set and not _is_closed(chosen, classes):
        rule = "derived"
        chosen = _derive(classes, everything.order_by_hash())
        rare = int((classes >= 0).sum() - (chosen >= 0).sum())
        left_out |= counted(f"{field_in_words(field)} with fewer than {_LEAST_PER_CLASS} utterances", rare)
    rows = rows_of(chosen)
    if is_of is not None:
        before = sum(map(len, rows.values()))
        for split, members in rows.items():
            targets = everything.select(members).targets(field)
            rows[split] = members[np.array([is_of(split, normalise(each or "")) for each in targets], dtype=bool)]
        left_out |= counted("not what that split needs", before - sum(map(len, rows.values())))
    if most is not None:
        before = sum(map(len, rows.values()))
        rows = subset(everything, rows, most, field=field, is_closed_set=is_closed_set)
        left_out |= counted("beyond the preset's subset", before - sum(map(len, rows.values())))
    _check_not_empty(everything, rows, task=task, field=field)
    return TaskSplits(rule, sorted_splits(everything, rows), left_out, int((own[rows["test"]] == 0).sum()))


def together(manifests: Mapping[str, Utterances]) -> tuple[Utterances, NDArray[np.int64]]:
    """Returns the utterances of all manifests, and for each the place of its manifest's split in `SPLITS`."""
    there = [(place, manifests[split]) for place, split in enumerate(SPLITS) if split in manifests]
    own = np.concatenate([np.full(len(members), place) for place, members in there])
    return Utterances.joined([members for _, members in there]), own


def number_classes(
    targets: Iterable[str | None], normalise: Callable[[str], str], *, is_closed_set: bool
) -> NDArray[np.int64]:
    """Returns a number for each target, equal ones for equal classes, -1 where nothing is left of it (targets,).

    Of an open set, which has as many targets as utterances, all that are there get 0.
    """
    if not is_closed_set:
        return np.array([0 if each is not None and normalise(each) else -1 for each in targets], dtype=np.int64)
    numbers: dict[str, int] = {}

    @functools.cache  # few of many targets are different
    def number(target: str) -> int:
        kept = normalise(target)
        return numbers.setdefault(kept, len(numbers)) if kept else -1

    return np.array([-1 if each is None else number(each) for each in targets], dtype=np.int64)


def rows_of(chosen: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Returns which utterances each split has, given the place of each utterance's split."""
    return {split: np.flatnonzero(chosen == place) for place, split in enumerate(SPLITS)}


def sorted_splits(everything: Utterances, rows: Mapping[str, NDArray[np.int64]]) -> dict[str, Utterances]:
    """Returns the utterances of each split, sorted by id."""
    splits = {split: everything.select(members) for split, members in rows.items()}
    return {split: members.select(members.order_by_id()) for split, members in splits.items()}


def counted(reason: str, count: int) -> dict[str, int]:
    """Returns an entry of `TaskSplits.left_out`, nothing for a count of 0."""
    return {reason: count} if count else {}


def without_unknown_classes(chosen: NDArray[np.int64], classes: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Returns the place of each utterance's split, -1 for classes that train lacks, and how many of these there are."""
    is_unknown = (chosen >= 0) & ~np.isin(classes, classes[chosen == 0])
    return np.where(is_unknown, -1, chosen), int(is_unknown.sum())


def _place(split: str | None) -> int:
    """Returns the place of a split that an utterance carries for a task; -1 when the task leaves it out."""
    if split is None:
        return _UNSAID
    return SPLITS.index(split) if split in SPLITS else -1


def _is_closed(chosen: NDArray[np.int64], classes: NDArray[np.int64]) -> bool:
    there = [classes[chosen == place] for place in range(len(SPLITS))]
    return all(map(len, there)) and without_unknown_classes(chosen, classes)[1] == 0


def _derive(classes: NDArray[np.int64], by_hash: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives dev and test a tenth of each class, at least one utterance; train has the rest."""
    grouped = by_hash[np.argsort(classes[by_hash], kind="stable")]
    _, begins, group_of, sizes = np.unique(classes[grouped], return_index=True, return_inverse=True, return_counts=True)
    place = np.arange(len(grouped)) - begins[group_of]  # of an utterance in its class
    tenth = np.maximum(1, np.rint(sizes / 10))[group_of]
    split = np.select([place < tenth, place < 2 * tenth], [SPLITS.index("dev"), SPLITS.index("test")], 0)
    chosen = np.full(len(classes), -1)
    chosen[grouped] = np.where((classes[grouped] < 0) | (sizes[group_of] < _LEAST_PER_CLASS), -1, split)
    return chosen


def _check_not_empty(everything: Utterances, rows: Mapping[str, NDArray[np.int64]], *, task: str, field: str) -> None:
    if all(map(len, rows.values())):
        return
    counts = ", ".join(f"{len(members)} in {split}" for split, members in rows.items())
    raise RequestError(
        f"task {task}: must have utterances with {field_in_words(field)!r} in train, dev and test, has {counts}",
        "speechft prepare --join DATA --split train=0.8,dev=0.1,test=0.1 --out ANOTHER divides them anew"
        if any(map(len, rows.values()))
        else other_fields(everything, task),
    )


def other_fields(utterances: Utterances, task: str) -> str:
    """Says what a task may take in place of the field that it needs and utterances don't have."""
    names = ("text", "phones", "speaker", *sorted({name for labels in utterances.labels() for name in labels}))
    present = [name for name in names if any(utterances.targets(name))]
    return (
        f"docs/tasks.md says what each task needs; --label {task}=FIELD takes another field, here there is "
        f"{', '.join(present) or 'none'}"
    )
