from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from speechft_cli.data.splits.task_splits import TaskSplits, split_for_task
from speechft_cli.data.utterance import Utterance, field_in_words
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import RequestError


def utterance(name: str, speaker: str | None = None, **more: object) -> Utterance:
    return Utterance(name, Path(f"{name}.wav"), duration=2.0, sample_rate=16_000, speaker=speaker, **more)  # type: ignore[arg-type]


def divide(
    manifests: Mapping[str, Sequence[Utterance]], *, task: str, field: str, is_closed_set: bool = False
) -> TaskSplits:
    columns = {split: Utterances.of(members) for split, members in manifests.items()}
    return split_for_task(columns, task=task, field=field, is_closed_set=is_closed_set)


def speakers(manifests: Mapping[str, Sequence[Utterance]]) -> TaskSplits:
    return divide(manifests, task="sid", field="speaker", is_closed_set=True)


def ids(splits: TaskSplits, split: str) -> list[str]:
    return [each.id for each in splits.splits[split]]


def test_an_open_set_task_uses_the_manifests_splits_and_leaves_out_what_has_no_target() -> None:
    manifests = {
        "train": [utterance("b", text="YES"), utterance("a", text="NO"), utterance("c")],
        "dev": [utterance("d", text="YES")],
        "test": [utterance("e", text="YES"), utterance("f", text=" ")],
    }
    splits = divide(manifests, task="asr", field="text")
    assert splits.rule == "manifest"
    assert [ids(splits, split) for split in ("train", "dev", "test")] == [["a", "b"], ["d"], ["e"]]
    assert splits.left_out == {"no text": 2}
    assert splits.duration("train") == 4.0


def test_a_label_can_be_the_target() -> None:
    manifests = {split: [utterance(split, labels={"emotion": "sad"})] for split in ("train", "dev", "test")}
    splits = divide(manifests, task="er", field="emotion")
    assert ids(splits, "test") == ["test"]


def test_assigned_splits_win_and_reach_over_all_manifests() -> None:
    manifests = {
        "train": [utterance("a", "x", task_splits={"sid": "test"}), utterance("b", "x", task_splits={"sid": "train"})],
        "dev": [utterance("c", "x", task_splits={"sid": "dev"}), utterance("d", "y", task_splits={"sid": "test"})],
        "test": [utterance("e", "x"), utterance("f"), utterance("g", "x", task_splits={"sid": ""})],
    }
    splits = speakers(manifests)
    assert splits.rule == "assigned"
    assert splits.from_train == 1  # an encoder that was fine-tuned on these manifests has heard it
    assert [ids(splits, split) for split in ("train", "dev", "test")] == [["b"], ["c"], ["a"]]
    assert splits.left_out == {"no speaker": 1, "no split for sid": 2, "speaker never in train": 1}


def test_assigned_splits_of_an_open_set_task_may_have_classes_that_train_lacks() -> None:
    manifests = {
        "train": [utterance("a", "x", task_splits={"asv": "train"}), utterance("b", "y", task_splits={"asv": "test"})],
        "dev": [utterance("c", "z", task_splits={"asv": "dev"})],
    }
    splits = divide(manifests, task="asv", field="speaker")
    assert splits.rule == "assigned"
    assert [ids(splits, split) for split in ("train", "dev", "test")] == [["a"], ["c"], ["b"]]


def test_the_manifests_splits_serve_a_closed_set_when_they_are_closed() -> None:
    manifests = {
        split: [utterance(f"{split}-{name}", name) for name in ("x", "y")] for split in ("train", "dev", "test")
    }
    assert speakers(manifests).rule == "manifest"
    assert speakers({"train": manifests["train"] + manifests["test"], "dev": manifests["dev"]}).rule == "derived"


def test_a_class_is_the_same_whatever_blanks_are_around_it_and_blanks_alone_are_none() -> None:
    manifests = {
        "train": [utterance("a", "x"), utterance("b", "y"), utterance("c", " ")],
        "dev": [utterance("d", "x ")],
        "test": [utterance("e", "\ty")],
    }
    splits = speakers(manifests)
    assert splits.rule == "manifest"
    assert [ids(splits, split) for split in ("train", "dev", "test")] == [["a", "b"], ["d"], ["e"]]
    assert splits.left_out == {"no speaker": 1}


def test_a_task_may_need_other_utterances_in_each_split() -> None:
    manifests = {
        "train": [utterance("a", text="a document"), utterance("b", text="query")],
        "dev": [utterance("c", text="query"), utterance("d")],
        "test": [utterance("e", text="query"), utterance("f", text="a document"), utterance("g", text="another")],
    }
    columns = {split: Utterances.of(members) for split, members in manifests.items()}
    splits = split_for_task(
        columns,
        task="qbe",
        field="text?",
        is_closed_set=False,
        normalise=lambda text: text or "query",
        is_of=lambda split, text: (text == "query") == (split != "train"),
    )
    assert [ids(splits, split) for split in ("train", "dev", "test")] == [["a"], ["c", "d"], ["e"]]
    assert splits.left_out == {"not what that split needs": 3}


def test_speaker_disjoint_manifests_are_split_anew_class_by_class() -> None:
    manifests = {
        "train": [utterance(f"x{number}", "x") for number in range(20)],
        "dev": [utterance(f"y{number}", "y") for number in range(3)],
        "test": [utterance(f"z{number}", "z") for number in range(2)],
    }
    splits = speakers(manifests)
    assert splits.rule == "derived"
    assert splits.left_out == {"speaker with fewer than 3 utterances": 2}
    counts = {
        split: [sum(each.speaker == name for each in splits.splits[split]) for name in "xyz"]
        for split in ("train", "dev", "test")
    }
    assert counts == {"train": [16, 1, 0], "dev": [2, 1, 0], "test": [2, 1, 0]}


def test_a_tenth_of_each_class_is_derived_for_dev_and_test_and_those_known_from_train_are_counted() -> None:
    manifests = {
        "train": [utterance(f"x{number:02}", "x") for number in range(60)],
        "dev": [utterance(f"y{number:02}", "y") for number in range(60)],
    }
    splits = speakers(manifests)  # they have no test split
    assert splits.rule == "derived"
    assert {split: len(members) for split, members in splits.splits.items()} == {"train": 96, "dev": 12, "test": 12}
    assert splits.from_train == 6


def test_derived_splits_depend_on_ids_only() -> None:
    utterances = [utterance(f"{name}{number}", name) for name in "xy" for number in range(10)]
    one = speakers({"train": utterances[:10], "dev": utterances[10:], "test": []})
    other = speakers({"train": utterances[::-1][:5], "dev": [], "test": utterances[::-1][5:]})
    assert other.rule == "derived"
    assert [ids(one, split) for split in one.splits] == [ids(other, split) for split in one.splits]
    assert {each.id for members in one.splits.values() for each in members} == {each.id for each in utterances}


def test_a_task_without_targets_is_refused_with_the_fields_there_are() -> None:
    manifests = {split: [utterance(split, "x", labels={"keyword": "go"})] for split in ("train", "dev", "test")}
    with pytest.raises(RequestError) as caught:
        divide(manifests, task="pr", field="phones")
    assert caught.value.exit_code == 2
    assert "'phones'" in caught.value.message
    assert caught.value.hint == (
        "docs/tasks.md says what each task needs; --label pr=FIELD takes another field, here there is speaker, keyword"
    )


def test_several_fields_make_one_target() -> None:
    utterance = Utterance("u1", Path("a.wav"), speaker="ann", labels={"action": "on", "object": "lamp"})

    assert utterance.target("action+object") == "on\tlamp"
    assert utterance.target("action+location") is None
    assert utterance.target("speaker+id+trials?") == "ann\tu1\t"
    assert Utterance("u2", Path("a.wav"), duration=1.23456).target("id+duration") == "u2\t1.235"


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("text", "text"),
        ("text+slots", "text and slots"),
        ("speaker+id+trials?", "speaker"),
        ("action+object+location", "action, object and location"),
        ("query?+terms?+text?", "query, terms or text"),
    ],
)
def test_what_a_task_needs_is_said_in_words(field: str, said: str) -> None:
    assert field_in_words(field) == said
