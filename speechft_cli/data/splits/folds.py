"""Cross-validation: every value of a field is tested on once, by probes that never met it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from speechft_cli.data.splits.subset import Most, subset
from speechft_cli.data.splits.task_splits import (
    TaskSplits,
    counted,
    number_classes,
    rows_of,
    sorted_splits,
    together,
    without_unknown_classes,
)
from speechft_cli.data.utterance import SPLITS, field_in_words
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import RequestError

#: Share of the utterances that a fold does not test on which choose its probes; SUPERB's for IEMOCAP.
DEV_SHARE = 0.2


def folds_for_task(
    manifests: Mapping[str, Utterances],
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
    everything, own = together(manifests)
    classes = number_classes(everything.targets(field), normalise, is_closed_set=is_closed_set)
    values = list(everything.targets(fold_field))
    names = sorted({value for value, its in zip(values, classes, strict=True) if value and its >= 0})
    if len(names) < 2:
        return {}
    number = {name: place for place, name in enumerate(names)}
    fold_of = np.array([number.get(value or "", -1) for value in values], dtype=np.int64)
    fold_of[classes < 0] = -1
    missing = counted(f"no {field_in_words(field)}", int((classes < 0).sum()))
    missing |= counted(f"no {fold_field}", int(((classes >= 0) & (fold_of < 0)).sum()))
    # a hash instead of a draw: one more utterance in the corpus moves few others
    by_hash = everything.order_by_hash()
    in_order = by_hash[fold_of[by_hash] >= 0]
    folds = {}
    for place, name in enumerate(names):
        chosen = _divide(in_order, fold_of, place)
        left_out = dict(missing)
        if is_closed_set:
            chosen, unknown = without_unknown_classes(chosen, classes)
            left_out |= counted(f"{field_in_words(field)} never in train", unknown)
        rows = rows_of(chosen)
        if most is not None:
            before = sum(map(len, rows.values()))
            rows = subset(everything, rows, most, field=field, is_closed_set=is_closed_set)
            left_out |= counted("beyond the preset's subset", before - sum(map(len, rows.values())))
        if not all(map(len, rows.values())):
            counts = ", ".join(f"{len(members)} in {split}" for split, members in rows.items())
            raise RequestError(
                f"task {task}: must have utterances in train, dev and test of every fold by {fold_field}, "
                f"fold {name} has {counts}",
                f"evaluate.folds: {{{task}: null}} takes the manifests' splits"
                + (f"; every fold must share its {field}s with others" if is_closed_set else ""),
            )
        folds[name] = TaskSplits(
            "folds", sorted_splits(everything, rows), left_out, int((own[rows["test"]] == 0).sum())
        )
    return folds


def _divide(in_order: NDArray[np.int64], fold_of: NDArray[np.int64], tested: int) -> NDArray[np.int64]:
    """Returns the place of each utterance's split in the fold `tested`, -1 for those that are in no fold."""
    rest = in_order[fold_of[in_order] != tested]
    held_out = max(1, round(DEV_SHARE * len(rest)))
    chosen = np.full(len(fold_of), -1)
    chosen[in_order] = SPLITS.index("test")
    chosen[rest[:held_out]] = SPLITS.index("dev")
    chosen[rest[held_out:]] = SPLITS.index("train")
    return chosen
