"""`speechft data stats` and `speechft data show`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

PNG = b"\x89PNG\r\n\x1a\n"


def test_stats_are_hours_per_split_speaker_and_length(speechft, manifests: Path) -> None:
    result = speechft("data", "stats", manifests)
    assert result.exit_code == 0
    tables = result.stdout.split("\n\n")
    assert tables[0].splitlines() == [
        "splits",
        "split  utterances  hours  speakers  shortest [s]  median [s]  longest [s]",
        "─" * 73,
        "train          12  0.004         2          1.00        1.15         1.30",
        "dev             4  0.001         2          1.00        1.15         1.30",
        "test            4  0.001         2          1.00        1.15         1.30",
    ]
    assert tables[1].splitlines() == [
        "durations",
        "seconds  utterances",
        "─" * 61,
        *(f"{seconds}           5  {'#' * 40}" for seconds in ("1-1.1  ", "1.1-1.2", "1.2-1.3", "1.3-1.4")),
    ]
    assert tables[2].splitlines()[0] == "hours per speaker"
    assert [line.split()[0] for line in tables[2].splitlines()[3:]] == ["speaker1", "speaker0"]
    assert tables[-1].startswith("20 utterances, 0.01 h in train, dev, test → ")


def test_what_is_each_utterances_own_has_no_table(speechft, manifests: Path, tmp_path: Path) -> None:
    recordings = sorted((manifests / "audio").glob("*.wav"))[:12]
    lines = [
        {"audio": str(path), "note": f"note {number}", "room": f"room {number % 2}"}
        for number, path in enumerate(recordings)
    ]
    (tmp_path / "list.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    assert speechft("prepare", "manifest", "--root", tmp_path / "list.jsonl", "--out", tmp_path / "data").exit_code == 0
    result = speechft("data", "stats", tmp_path / "data")
    assert "hours per room" in result.stdout
    assert "hours per note" not in result.stdout
    assert "note: 12 values in 12 utterances, without a table" in result.stderr


def test_stats_are_json_and_a_picture(speechft, manifests: Path, tmp_path: Path) -> None:
    result = speechft("data", "stats", manifests, "--json", "--png", tmp_path / "durations.png")
    document = json.loads(result.stdout)
    dev = document["splits"]["dev"]
    assert dev["utterances"] == 4
    assert dev["seconds"] == {"min": 1.0, "p10": 1.03, "median": 1.15, "p90": 1.27, "max": 1.3}
    assert dev["hours_per"]["speaker"] == {"speaker0": round(2.2 / 3600, 6), "speaker1": round(2.4 / 3600, 6)}
    assert (tmp_path / "durations.png").read_bytes().startswith(PNG)


def test_show_gives_ten_utterances_with_their_texts(speechft, manifests: Path) -> None:
    result = speechft("data", "show", manifests)
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["id", "split", "seconds", "speaker", "text", "or", "labels"]
    assert len([line for line in lines if line.endswith(("ONE", "TWO", "THREE", "FOUR"))]) == 10
    assert lines[-1].startswith("10 of 20 utterances → ")


def test_show_draws_the_utterances_asked_for(speechft, manifests: Path, tmp_path: Path) -> None:
    result = speechft("data", "show", manifests, "dev-01", "train-00", "--json", "--png", tmp_path / "two.png")
    utterances = json.loads(result.stdout)["utterances"]
    assert [(each["id"], each["split"], each["text"]) for each in utterances] == [
        ("dev-01", "dev", "TWO"),
        ("train-00", "train", "ONE"),
    ]
    assert utterances[0]["audio"] == str(manifests / "audio" / "dev-1.wav")
    assert (tmp_path / "two.png").read_bytes().startswith(PNG)


def test_mistakes_are_one_message_and_exit_2(speechft, manifests: Path, tmp_path: Path) -> None:
    for arguments, problem in (
        (("stats", tmp_path / "nothing"), "must be a folder of manifests, but there is no such folder"),
        (("show", manifests, "who"), "has no utterance who"),
    ):
        result = speechft("data", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert problem in result.stderr


def test_a_recording_that_is_gone_is_named(speechft, manifests: Path, tmp_path: Path) -> None:
    shutil.copytree(manifests, tmp_path / "data")
    (tmp_path / "data" / "audio" / "dev-1.wav").unlink()
    result = speechft("data", "show", tmp_path / "data", "dev-01", "--png", tmp_path / "x.png")
    assert result.exit_code == 1
    assert "dev-1.wav: must be a recording, but there is no such file" in result.stderr
    assert not (tmp_path / "x.png").exists()


def test_prepare_joins_and_divides_from_the_command_line(speechft, manifests: Path, tmp_path: Path) -> None:
    shares = ("--split", "train=0.5,test=0.5", "--by", "speaker")
    result = speechft("prepare", "--join", manifests, "--out", tmp_path / "out", *shares)
    assert result.exit_code == 0, result.stderr
    assert "join: prepared: train 10 (0.00 h), test 10 (0.00 h)" in result.stdout.replace("\n", " ")
    wrong = speechft("prepare", "--join", manifests, "--out", tmp_path / "wrong", "--split", "train:1")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "--split: must be NAME=SHARE" in wrong.stderr


def test_a_command_that_no_processes_share_speaks_in_each_of_them(
    speechft, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")  # as in every pod of a cluster's job
    monkeypatch.setenv("RANK", "1")
    result = speechft("data", "stats", manifests, "--json")
    assert json.loads(result.stdout)["output"] == str(manifests)


def test_one_process_of_one_speaks_whatever_its_rank_is_said_to_be(
    speechft, manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    for world in ("", "1"):
        monkeypatch.setenv("WORLD_SIZE", world)
        result = speechft("extract", "logmel", manifests, "--out", tmp_path / "features", "--json")
        assert json.loads(result.stdout)["output"] == str(tmp_path / "features")
