"""A user's own constants."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.reporting.superb.own import read_constants
from speechft_cli.reporting.superb.score import Constants, Reference


def test_a_set_is_read_by_task_and_metric(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("sid: {acc: [8.5e-4, 9e1]}\nsf:\n  f1: [69.64, 92]\n  cer: [52.94, 17.61]\n")
    assert read_constants(path) == Constants(
        "mine",
        {"sid": {"acc": Reference(8.5e-4, 90)}, "sf": {"f1": Reference(69.64, 92), "cer": Reference(52.94, 17.61)}},
    )


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "superb_leaderboard.yaml"
    path.write_text("sidd: {acc: [0, 1]}\npr: 3\nasr: {wer: [5, 5]}\nsid: {acc: [0, many]}\nks: {acc: [1]}\n")
    with pytest.raises(ConfigError) as caught:
        read_constants(path)
    assert [problem.removeprefix(f"{path}: ").partition(":")[0] for problem in caught.value.problems] == [
        "sidd", "pr", "asr.wer", "sid.acc", "ks.acc", "must not be called superb_leaderboard",
    ]  # fmt: skip
    assert "did you mean 'sid'" in caught.value.message


@pytest.mark.parametrize("text", ["", "- 1", "{", "\x00"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(RequestError, match=r"mine\.yaml: must"):
        read_constants(tmp_path / "mine.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"nothing\.yaml"):
        read_constants(tmp_path / "nothing.yaml")
