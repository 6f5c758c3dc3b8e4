"""What the next command after a merge scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechft_cli.data.utterance import Utterance
from speechft_cli.engines.merge.outcome import suggested_task
from tests.manifest_files import write_manifest

CLASSES = {"task": "ks", "labels": {"ks": "label"}}


@pytest.mark.parametrize(
    ("speaker", "record", "flags"),
    [
        ("ann", CLASSES, "--task sid"),
        (None, CLASSES, "--task ks --label ks=label"),
        (None, {"task": "asr", "labels": {}}, "--task asr"),
        (None, {"task": "hubert", "labels": {}}, "--task sid"),
        (None, {}, "--task sid"),
    ],
)
def test_the_task_suggested_is_one_that_the_data_has(
    tmp_path: Path, speaker: str | None, record: dict[str, object], flags: str
) -> None:
    utterance = Utterance("u", tmp_path / "u.wav", duration=1.0, sample_rate=16_000, speaker=speaker)
    write_manifest(tmp_path, "train", [utterance])
    assert " ".join(suggested_task(record, tmp_path)) == flags


def test_without_manifests_speakers_are_suggested(tmp_path: Path) -> None:
    assert suggested_task(CLASSES, tmp_path / "MANIFESTS") == ["--task", "sid"]
