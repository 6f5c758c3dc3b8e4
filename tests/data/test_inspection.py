from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechft_cli.data.corpus import Rejected
from speechft_cli.data.inspection import inspect_utterance
from speechft_cli.data.utterance import Utterance

WriteWave = Callable[..., Path]


def inspect(path: Path, *, start: float = 0.0, duration: float = 0.0) -> Utterance | Rejected:
    utterance = Utterance("u", path, start=start, duration=duration)
    return inspect_utterance(utterance, "dev", min_seconds=0.1, max_seconds=2.0)


def test_duration_and_rate_come_from_the_file(tmp_path: Path, write_wave: WriteWave) -> None:
    path = write_wave(tmp_path / "with blanks" / "ä b.wav", seconds=0.5, sample_rate=44_100, channels=2)
    assert inspect(path) == Utterance("u", path, duration=0.5, sample_rate=44_100)


def test_a_stretch_keeps_its_start_and_reaches_to_the_end_unless_it_says_how_long_it_is(
    tmp_path: Path, write_wave: WriteWave
) -> None:
    path = write_wave(tmp_path / "a.wav", seconds=1.0)
    assert inspect(path, start=0.25) == Utterance("u", path, start=0.25, duration=0.75, sample_rate=16_000)
    assert inspect(path, start=0.25, duration=0.5) == Utterance("u", path, start=0.25, duration=0.5, sample_rate=16_000)


def test_a_duration_rounded_up_is_corrected(tmp_path: Path, write_wave: WriteWave) -> None:
    path = write_wave(tmp_path / "a.wav", seconds=0.996)
    checked = inspect(path, duration=1.0)
    assert isinstance(checked, Utterance)
    assert checked.duration == pytest.approx(0.996)


def test_a_flac_that_was_cut_short_is_found_though_its_header_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    soundfile.write(path, noise, 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert soundfile.info(path).frames == 16_000
    checked = inspect(path)
    assert isinstance(checked, Rejected)
    assert checked.reason == "cut short"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "no such file"), (b"", "file of 0 bytes"), (b"this is no wave" * 9, "can't be decoded")],
)
def test_a_file_that_is_no_recording_is_rejected(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    checked = inspect(path)
    assert isinstance(checked, Rejected)
    assert (checked.id, checked.audio, checked.split, checked.reason) == ("u", path, "dev", reason)


@pytest.mark.parametrize(
    ("seconds", "start", "duration", "reason"),
    [
        (0.0, 0.0, 0.0, "no audio in the file"),
        (0.05, 0.0, 0.0, "shorter than min_seconds"),
        (2.5, 0.0, 0.0, "longer than max_seconds"),
        (1.0, 0.5, 1.0, "shorter than start + duration"),
        (1.0, 1.5, 0.0, "shorter than start + duration"),
    ],
)
def test_a_recording_of_the_wrong_length_is_rejected(
    tmp_path: Path, write_wave: WriteWave, seconds: float, start: float, duration: float, reason: str
) -> None:
    checked = inspect(write_wave(tmp_path / "a.wav", seconds=seconds), start=start, duration=duration)
    assert isinstance(checked, Rejected)
    assert checked.reason == reason
