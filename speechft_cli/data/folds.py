"""Cross-validation: every value of a field is tested on once, by probes that never met it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from speechft_cli.data.subset import Most, subset
from speechft_cli.data.task_splits import TaskSplits, counted, without_unknown_classes
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.errors import RequestError

#: Share of the utterances that a fold does not test on which choose its probes; SUPERB's for IEMOCAP.
DEV_SHARE = 0.2


def folds_for_task(
    manifests: Mapping[str, Sequence[Utterance]],
    *,
    task: str,
    field: str,
    fold_field: str,
    is_closed_set: bool,
    normalise: Callable[[str], str] = str.strip,
    most: Most | None = None,
) -> dict[str, TaskSplits]:
    """Divides the utterances of all manifests into folds, whatever splits they are in.

    Args:
        manifests: Split → utterances.
        task: Its name, for messages.
        field: The field that holds its target.
        fold_field: The field that says which fold tests on an utterance.
        is_closed_set: Whether every class of dev and test must occur in train; others are left out.
        normalise: Target → what is trained on and scored; an utterance of which nothing is left is not used.
        most: Utterances of each fold to keep; None for all.

    Returns:
        Value of the fold field → splits, by value; nothing where there are no two values.

    Raises:
        RequestError: A fold has no utterance in one of train, dev and test.
    """
    everything = [each for split in SPLITS for each in manifests.get(split, ())]
    labelled = [each for each in everything if normalise(each.target(field) or "")]
    usable = [each for each in labelled if each.target(fold_field)]
    missing = counted(f"no {field}", len(everything) - len(labelled))
    missing |= counted(f"no {fold_field}", len(labelled) - len(usable))
    names = sorted({each.target(fold_field) or "" for each in usable})
    if len(names) < 2:
        return {}
    trained_on = {each.id for each in manifests.get("train", ())}
    # a hash instead of a draw: one more utterance in the corpus moves few others
    in_order = sorted(usable, key=lambda each: hashlib.sha256(each.id.encode()).digest())
    folds = {}
    for name in names:
        rest = [each for each in in_order if each.target(fold_field) != name]
        held_out = max(1, round(DEV_SHARE * len(rest)))
        splits: Mapping[str, list[Utterance]] = {
            "train": rest[held_out:],
            "dev": rest[:held_out],
            "test": [each for each in in_order if each.target(fold_field) == name],
        }
        left_out = dict(missing)
        if is_closed_set:
            splits, unknown = without_unknown_classes(splits, field)
            left_out |= counted(f"{field} never in train", unknown)
        if most is not None and all(splits.values()):
            before = sum(map(len, splits.values()))
            splits = subset(splits, most, field=field, is_closed_set=is_closed_set)
            left_out |= counted("beyond the preset's subset", before - sum(map(len, splits.values())))
        if not all(splits.values()):
            counts = ", ".join(f"{len(members)} in {split}" for split, members in splits.items())
            raise RequestError(
                f"task {task}: must have utterances in train, dev and test of every fold by {fold_field}, "
                f"fold {name} has {counts}",
                f"evaluate.folds: {{{task}: null}} takes the manifests' splits"
                + (f"; every fold must share its {field}s with others" if is_closed_set else ""),
            )
        folds[name] = TaskSplits(
            "folds",
            {split: tuple(sorted(members, key=lambda each: each.id)) for split, members in splits.items()},
            left_out,
            sum(each.id in trained_on for each in splits["test"]),
        )
    return folds
