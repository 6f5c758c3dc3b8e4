"""`speechft doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.cli.checks import PAIR_CURE, checks, torch_pair

NAMES = [
    "Python",
    "speechft",
    "free disk",
    "free memory",
    "cores",
    "network",
    "audio formats",
    "espeak-ng",
    "libraries",
    "torch, torchaudio",
    "s3prl",
    "GPU",
]


@pytest.mark.parametrize(
    ("torch", "torchaudio", "text"),
    [
        (None, "2.11.0", "torch not installed"),
        (None, None, "torch and torchaudio not installed"),
        ("2.15.0", "2.11.0", "2.15.0, 2.11.0: must come from the same release, and do not"),
        ("2.11.0+cpu", "2.11.0+cu130", "2.11.0+cpu, 2.11.0+cu130: must be built for the same device, and are not"),
    ],
)
def test_a_pair_that_does_not_match_is_a_problem_with_a_cure(
    torch: str | None, torchaudio: str | None, text: str
) -> None:
    check = torch_pair(torch, torchaudio)
    assert (check.status, check.text, check.cure) == ("problem", text, PAIR_CURE)


def test_a_library_that_another_package_has_replaced_is_a_problem_with_a_cure(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "safetensors-0.4.dist-info").mkdir()
    (tmp_path / "safetensors-0.4.dist-info" / "METADATA").write_text("Name: safetensors\nVersion: 0.4\n")
    monkeypatch.syspath_prepend(tmp_path)
    (check,) = (each for each in checks() if each.name == "libraries")
    assert (check.status, check.text, check.cure) == ("problem", "safetensors 0.4", 'pip install "safetensors>=0.5"')


def test_the_doctor_says_how_everything_is(speechft) -> None:
    result = speechft("doctor", "--json")
    report = json.loads(result.stdout)
    assert [check["name"] for check in report["checks"]] == NAMES
    assert all(check["cure"] for check in report["checks"] if check["status"] != "ok")
    has_problem = any(check["status"] == "problem" for check in report["checks"])
    assert (result.exit_code, report["healthy"]) == ((1, False) if has_problem else (0, True))


def test_the_doctor_speaks_in_lines(speechft) -> None:
    lines = speechft("doctor").stdout.splitlines()
    assert [line[9:].split(":")[0] for line in lines if not line.startswith(" ")] == NAMES
    assert "ok       audio formats: WAV, FLAC, OGG/Opus, MP3, NIST SPHERE" in "\n".join(lines)
