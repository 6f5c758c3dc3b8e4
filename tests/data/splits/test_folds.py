from dataclasses import replace
from pathlib import Path

import pytest

from speechft_cli.data.splits.folds import folds_for_task
from speechft_cli.data.splits.subset import Most
from speechft_cli.data.splits.task_splits import TaskSplits
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import RequestError


def spoken(number: int, session: int) -> Utterance:
    labels = {"emotion": "anger" if number % 2 else "neutral", "session": f"0{session}"}
    name = f"s{session}-{number:02}"
    return Utterance(name, Path(f"{name}.wav"), duration=1.0, speaker=f"s{session}", labels=labels)


#: Session n has 8 + n utterances, whatever split they are in.
EVERYTHING = [spoken(number, session) for session in (1, 2, 3) for number in range(8 + session)]
MANIFESTS = {"train": EVERYTHING[9:], "dev": EVERYTHING[:4], "test": EVERYTHING[4:9]}


def divide(given: dict[str, list[Utterance]] | None = None, **changed: object) -> dict[str, TaskSplits]:
    asked = {"task": "er", "field": "emotion", "fold_field": "session", "is_closed_set": False, **changed}
    manifests = {split: Utterances.of(members) for split, members in (given or MANIFESTS).items()}
    return folds_for_task(manifests, **asked)  # type: ignore[arg-type]


def ids(splits: TaskSplits, split: str) -> set[str]:
    return {each.id for each in splits.splits[split]}


def test_every_utterance_is_tested_once_and_a_fifth_of_the_others_is_dev() -> None:
    folds = divide()
    assert list(folds) == ["01", "02", "03"]
    everything = {each.id for each in EVERYTHING}
    for name, splits in folds.items():
        assert ids(splits, "test") == {each.id for each in EVERYTHING if each.labels["session"] == name}
        assert ids(splits, "train") | ids(splits, "dev") | ids(splits, "test") == everything
        assert sum(len(members) for members in splits.splits.values()) == len(everything)
        assert len(ids(splits, "dev")) == round(0.2 * (len(everything) - len(ids(splits, "test"))))
        assert splits.left_out == {}
    # how many of them an encoder tuned on these manifests has heard: session 1 is their dev and test
    assert [each.from_train for each in folds.values()] == [0, 10, 11]


def test_the_division_does_not_depend_on_the_order() -> None:
    shuffled = {"train": EVERYTHING[::-1]}
    again = divide(shuffled)
    for name, splits in divide().items():
        assert all(list(again[name].splits[each]) == list(splits.splits[each]) for each in splits.splits)


def test_what_has_no_fold_or_no_target_is_counted_out() -> None:
    left = ("emotion", "session", "emotion")
    strange = {"train": [*EVERYTHING, *(replace(spoken(90 + n, 1), labels={name: "x"}) for n, name in enumerate(left))]}
    folds = divide(strange)
    for splits in folds.values():
        assert splits.left_out == {"no session": 2, "no emotion": 1}
        assert sum(map(len, splits.splits.values())) == len(EVERYTHING)


def test_one_value_or_none_is_no_cross_validation() -> None:
    assert divide(fold_field="nothing") == {}
    only = {"train": EVERYTHING[:9]}
    assert divide(only) == {}
    assert list(divide({"train": EVERYTHING[:12]})) == ["01", "02"]


def test_a_subset_is_taken_of_each_fold() -> None:
    for splits in divide(most=Most(10, 3)).values():
        assert {split: len(members) for split, members in splits.splits.items()} == {"train": 10, "dev": 3, "test": 3}
        assert splits.left_out == {"beyond the preset's subset": len(EVERYTHING) - 10 - 3 - 3}


def test_four_utterances_make_two_folds_with_a_dev_of_one() -> None:
    for splits in divide({"train": [spoken(number, session) for session in (1, 2) for number in (0, 1)]}).values():
        assert {split: len(members) for split, members in splits.splits.items()} == {"train": 1, "dev": 1, "test": 2}


def test_classes_that_a_folds_train_lacks_are_counted_out_of_a_closed_set() -> None:
    rare = replace(spoken(90, 3), labels={"emotion": "joy", "session": "03"})
    fold = divide({"train": [*EVERYTHING, rare]}, is_closed_set=True)["03"]
    assert fold.left_out == {"emotion never in train": 1}
    assert rare.id not in ids(fold, "test")


@pytest.mark.parametrize("most", [None, Most(10, 3)])
def test_a_closed_set_that_no_fold_can_close_is_refused_by_name(most: Most | None) -> None:
    with pytest.raises(RequestError, match=r"task sid: .* every fold by session, fold 01 has .* 0 in test"):
        divide(task="sid", field="speaker", is_closed_set=True, most=most)
