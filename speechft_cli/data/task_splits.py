"""Which utterances of a manifest folder a task trains on, is selected on and is tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from speechft_cli.data.subset import Most, subset
from speechft_cli.data.utterance import SPLITS, Seconds, Utterance
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
    splits: Mapping[str, tuple[Utterance, ...]]
    left_out: Mapping[str, int]
    from_train: int = 0

    def duration(self, split: str) -> Seconds:
        """Returns how much audio a split has [s]."""
        return sum(utterance.duration for utterance in self.splits[split])


def split_for_task(
    manifests: Mapping[str, Sequence[Utterance]],
    *,
    task: str,
    field: str,
    is_closed_set: bool,
    normalise: Callable[[str], str] = str.strip,
    is_of: Callable[[str, str], bool] = lambda *_: True,
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
    labelled = {
        split: [each for each in manifests.get(split, ()) if normalise(each.target(field) or "")] for split in SPLITS
    }
    everything = [each for split in SPLITS for each in labelled[split]]
    without = sum(map(len, manifests.values())) - len(everything)
    left_out = {f"no {field}": without} if without else {}
    rule: Rule = "manifest"
    if any(task in each.task_splits for each in everything):
        rule = "assigned"
        labelled = {split: [each for each in everything if each.task_splits.get(task) == split] for split in SPLITS}
        left_out |= counted(f"no split for {task}", len(everything) - sum(map(len, labelled.values())))
        if is_closed_set:
            labelled, unknown = without_unknown_classes(labelled, field)
            left_out |= counted(f"{field} never in train", unknown)
    elif is_closed_set and not _is_closed(labelled, field):
        rule = "derived"
        labelled, rare = _derive(everything, field)
        left_out |= counted(f"{field} with fewer than {_LEAST_PER_CLASS} utterances", rare)
    usable = {
        split: [each for each in labelled[split] if is_of(split, normalise(each.target(field) or ""))]
        for split in SPLITS
    }
    left_out |= counted("not what that split needs", sum(len(labelled[split]) - len(usable[split]) for split in SPLITS))
    labelled = usable
    _check_not_empty(manifests, labelled, task=task, field=field)
    if most is not None:
        few = subset(labelled, most, field=field, is_closed_set=is_closed_set)
        gone = sum(map(len, labelled.values())) - sum(map(len, few.values()))
        left_out |= counted("beyond the preset's subset", gone)
        labelled = few
    splits = {split: tuple(sorted(labelled[split], key=lambda each: each.id)) for split in SPLITS}
    trained_on = {each.id for each in manifests.get("train", ())}
    return TaskSplits(rule, splits, left_out, sum(each.id in trained_on for each in splits["test"]))


def counted(reason: str, count: int) -> dict[str, int]:
    """Returns an entry of `TaskSplits.left_out`, nothing for a count of 0."""
    return {reason: count} if count else {}


def _classes(utterances: Sequence[Utterance], field: str) -> set[str | None]:
    return {each.target(field) for each in utterances}


def _is_closed(labelled: Mapping[str, Sequence[Utterance]], field: str) -> bool:
    heard = _classes([*labelled["dev"], *labelled["test"]], field)
    return all(labelled.values()) and heard <= _classes(labelled["train"], field)


def without_unknown_classes(
    labelled: Mapping[str, list[Utterance]], field: str
) -> tuple[dict[str, list[Utterance]], int]:
    """Returns the splits without the classes that train lacks, and how many utterances that were."""
    known = _classes(labelled["train"], field)
    kept = {split: [each for each in labelled[split] if each.target(field) in known] for split in SPLITS}
    return kept, sum(map(len, labelled.values())) - sum(map(len, kept.values()))


def _derive(utterances: Sequence[Utterance], field: str) -> tuple[dict[str, list[Utterance]], int]:
    """Gives dev and test a tenth of each class, at least one utterance; train has the rest."""
    classes: dict[str, list[Utterance]] = {}
    # a hash instead of a shuffle: one more utterance in the corpus moves few others
    for each in sorted(utterances, key=lambda each: hashlib.sha256(each.id.encode()).digest()):
        classes.setdefault(each.target(field) or "", []).append(each)
    splits: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    rare = 0
    for members in classes.values():
        if len(members) < _LEAST_PER_CLASS:
            rare += len(members)
            continue
        tenth = max(1, round(len(members) / 10))
        splits["dev"] += members[:tenth]
        splits["test"] += members[tenth : 2 * tenth]
        splits["train"] += members[2 * tenth :]
    return splits, rare


def _check_not_empty(
    manifests: Mapping[str, Sequence[Utterance]],
    labelled: Mapping[str, Sequence[Utterance]],
    *,
    task: str,
    field: str,
) -> None:
    if all(labelled.values()):
        return
    everything = [each for utterances in manifests.values() for each in utterances]
    names = ("text", "phones", "speaker", *sorted({name for each in everything for name in each.labels}))
    present = [name for name in names if any(each.target(name) for each in everything)]
    counts = ", ".join(f"{len(utterances)} in {split}" for split, utterances in labelled.items())
    raise RequestError(
        f"task {task}: must have utterances with {field!r} in train, dev and test, has {counts}",
        f"docs/tasks.md says what each task needs; --label {task}=FIELD takes another field, here there is "
        f"{', '.join(present) or 'none'}",
    )
