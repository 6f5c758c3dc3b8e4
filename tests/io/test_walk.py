"""Every folder below another one, whichever way it got there."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechft_cli.io.walk import walk


def seen(folder: Path) -> list[str]:
    return sorted(str((place / name).relative_to(folder)) for place, _, names in walk(folder) for name in names)


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    (tmp_path / "disk" / "speaker" / "book").mkdir(parents=True)
    (tmp_path / "disk" / "speaker" / "book" / "a.wav").touch()
    (tmp_path / "corpus" / "train").mkdir(parents=True)
    (tmp_path / "corpus" / "train" / "speaker").symlink_to(tmp_path / "disk" / "speaker")
    (tmp_path / "corpus" / "gone").symlink_to("nowhere")
    assert seen(tmp_path / "corpus") == ["gone", "train/speaker/book/a.wav"]


def test_links_in_circles_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.wav").touch()
    (tmp_path / "a" / "b").symlink_to("../b")
    (tmp_path / "b" / "a").symlink_to("../a")
    (tmp_path / "here").symlink_to(".")
    (tmp_path / "above").symlink_to("..")
    everything = ["a/a.wav", "a/b/b.wav", "b/a/a.wav", "b/b.wav"]
    assert seen(tmp_path) == everything
    monkeypatch.chdir(tmp_path)
    assert seen(Path()) == everything
