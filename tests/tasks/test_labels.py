from __future__ import annotations

import pytest

from speechft_cli.errors import RequestError
from speechft_cli.tasks.asr import ASR
from speechft_cli.tasks.asv import ASV
from speechft_cli.tasks.ic import IC
from speechft_cli.tasks.ks import KS
from speechft_cli.tasks.labels import with_label


def test_a_class_may_have_another_name_in_the_manifests() -> None:
    assert with_label(KS, "label", key="k").needs == "label"
    assert with_label(ASR, "lyrics", key="k").needs == "lyrics"
    assert with_label(KS, None, key="k") is KS


def test_an_intent_may_have_any_number_of_slots() -> None:
    task = with_label(IC, "intent", key="k")
    assert task.vocabulary(["b", "a"]).symbols == ("a", "b")
    assert with_label(IC, "verb+noun", key="k").vocabulary(["go\thome"]).symbols == ("verb=go", "noun=home")


def test_a_target_of_several_fields_can_not_be_renamed_at_once() -> None:
    with pytest.raises(RequestError, match=r"evaluate\.labels\.asv: must be of a task with one field"):
        with_label(ASV, "who", key="evaluate.labels.asv")
    with pytest.raises(RequestError, match="must be of a task with one field"):
        with_label(ASR, "text+notes", key="evaluate.labels.asr")
