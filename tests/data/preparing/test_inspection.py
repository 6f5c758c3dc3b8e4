import os
import struct
import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.columns import Row
from speechft_cli.data.headers import parse_wave
from speechft_cli.data.preparing.inspection import Limits, Task, inspect
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import row_of
from speechft_cli.data.verdicts import Bad, Good, Verdict, pack, unpack_verdicts
from tests.data.conftest import WriteWave

LIMITS = Limits(0.1, 2.0)
DECODE = Limits(0.1, 2.0, decode=True)


def look(path: Path, limits: Limits = LIMITS, **known: object) -> Verdict:
    row = row_of(Utterance("u", path, **known), str(path))  # type: ignore[arg-type]
    (verdict,) = unpack_verdicts(inspect(Task(pack([("dev", row)]), limits)).verdicts or b"")
    return verdict


def good(path: Path, limits: Limits = LIMITS, **known: object) -> Row:
    verdict = look(path, limits, **known)
    assert isinstance(verdict, Good)
    return verdict.row


def reason(path: Path, limits: Limits = LIMITS, **known: object) -> str:
    verdict = look(path, limits, **known)
    assert isinstance(verdict, Bad)
    assert (verdict.id, verdict.audio, verdict.split) == ("u", str(path), "dev")
    return verdict.reason


def noise(seconds: float, *, level: float = 0.5, sample_rate: int = 16_000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-level, level, round(seconds * sample_rate))


def test_duration_and_rate_come_from_the_file(tmp_path: Path, write_wave: WriteWave) -> None:
    row = good(write_wave(tmp_path / "with blanks" / "ä b.wav", seconds=0.5, sample_rate=44_100, channels=2))
    assert (row.duration, row.sample_rate) == (0.5, 44_100)


def test_a_stretch_keeps_its_start_and_reaches_to_the_end_unless_it_says_how_long_it_is(
    tmp_path: Path, write_wave: WriteWave
) -> None:
    path = write_wave(tmp_path / "a.wav", seconds=1.0)
    assert good(path, start=0.25)[:2] == (0.25, 0.75)
    assert good(path, start=0.25, duration=0.5)[:2] == (0.25, 0.5)


def test_a_duration_rounded_up_is_corrected(tmp_path: Path, write_wave: WriteWave) -> None:
    assert good(write_wave(tmp_path / "a.wav", seconds=0.996), duration=1.0).duration == pytest.approx(0.996)


def test_the_decoder_of_mp3_is_not_heard_when_it_starts_in_the_middle(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp3"
    swelling = noise(2.0) * np.abs(np.sin(np.arange(32_000) / 2000))  # quiet frames lend bits to loud ones
    soundfile.write(path, swelling, 16_000, format="MP3")
    with soundfile.SoundFile(path) as audio:
        audio.seek(28_000)
        audio.read(1)
    assert "error" in capfd.readouterr().err  # else this would test nothing
    assert good(path, DECODE, start=1.75, duration=0.2).duration == 0.2
    waveform = read_waveform(Utterance("u", path, start=1.75, duration=0.2))
    assert np.abs(waveform.numpy() - soundfile.read(path)[0][28_000:31_200]).max() < 1e-3
    os.write(2, b"others are heard\n")
    assert capfd.readouterr().err == "others are heard\n"


def test_backslashes_are_told_where_no_file_is_found(tmp_path: Path) -> None:
    verdict = look(tmp_path / "wavs\\a.wav")
    assert isinstance(verdict, Bad)
    assert (verdict.reason, verdict.detail) == ("no such file", "its path has \\, as on Windows; here it takes /")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_whose_letters_are_composed_otherwise_is_told(
    tmp_path: Path, form: Literal["NFC", "NFD"], write_wave: WriteWave
) -> None:
    write_wave(tmp_path / unicodedata.normalize(form, "Käse 한국어.wav"))
    other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "Käse 한국어.wav")
    verdict = look(tmp_path / other)
    assert isinstance(verdict, Bad)
    assert verdict.reason == "no such file"
    assert "letters composed otherwise" in verdict.detail
    assert reason(tmp_path / "Kœse.wav") == "no such file"


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_file_that_was_cut_short_is_found_though_its_header_is_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, noise(1.0), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reason(path) == "cut short"
    assert reason(path, start=0.6, duration=0.3) == "cut short"
    assert good(path, start=0.05, duration=0.2).duration == 0.2  # what is there can be used


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "no such file"), (b"", "file of 0 bytes"), (b"this is no wave" * 9, "can't be decoded")],
)
def test_a_file_that_is_no_recording_is_rejected(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    assert reason(path) == expected


@pytest.mark.parametrize(
    ("head", "way_out"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "MPEG-4 is not read; ffmpeg -i IN OUT.flac makes a recording of it that is"),
        (b"\xff\xf1\x50\x80", "AAC is not read; ffmpeg"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "Git LFS; git lfs pull fetches the recording"),
        (b"NIST_1A\n   1024\nsample_count -i 9\nsample_coding -s26 pcm,embedded-shorten-v2.00\n", "sph2pipe"),
        (b"this is no wave", "Format not recognised"),
    ],
)
def test_a_recording_of_a_kind_that_is_not_read_comes_with_the_way_out(
    tmp_path: Path, head: bytes, way_out: str
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(head.ljust(2048, b"\1"))
    verdict = look(path)
    assert isinstance(verdict, Bad)
    assert verdict.reason == "can't be decoded"
    assert way_out in verdict.detail


@pytest.mark.parametrize(
    ("seconds", "start", "duration", "expected"),
    [
        (0.0, 0.0, 0.0, "no audio in the file"),
        (0.05, 0.0, 0.0, "shorter than min_seconds"),
        (2.5, 0.0, 0.0, "longer than max_seconds"),
        (1.0, 0.5, 1.0, "shorter than start + duration"),
        (1.0, 1.5, 0.0, "shorter than start + duration"),
    ],
)
def test_a_recording_of_the_wrong_length_is_rejected(
    tmp_path: Path, write_wave: WriteWave, seconds: float, start: float, duration: float, expected: str
) -> None:
    assert reason(write_wave(tmp_path / "a.wav", seconds=seconds), start=start, duration=duration) == expected


def test_other_sample_rates_than_those_wanted_are_rejected(tmp_path: Path, write_wave: WriteWave) -> None:
    path = write_wave(tmp_path / "a.wav", sample_rate=8_000)
    assert good(path, Limits(0.1, 2.0, sample_rates=(8_000, 16_000))).sample_rate == 8_000
    assert reason(path, Limits(0.1, 2.0, sample_rates=(16_000,))) == "sample rate not in sample_rates"


def test_what_is_no_file_is_rejected_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    assert reason(tmp_path / "pipe.wav") == "not a regular file"
    assert reason(tmp_path / "folder.wav") == "not a regular file"
    assert reason(Path("/dev/full")) == "not a regular file"
    assert reason(tmp_path / "loop.wav") == "no name of a file"
    assert reason(tmp_path / ("x" * 300)) == "no name of a file"
    assert reason(tmp_path / "nul\0.wav") == "no name of a file"


def test_ten_hours_are_judged_by_their_header(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    size = 10 * 3600 * 16_000 * 2
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16, b"data", size
    )
    path.write_bytes(header)
    os.truncate(path, 44 + size)  # sparse: takes no room
    assert reason(path, DECODE) == "longer than max_seconds"
    assert good(path, start=35_000, duration=1.5).duration == 1.5


def test_decoding_finds_what_a_header_hides(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(8_000), 16_000)
    soundfile.write(tmp_path / "loud.wav", np.clip(noise(0.5, level=4.0), -1, 1), 16_000)
    samples = noise(0.5)
    samples[4_000] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "good.flac", noise(1.5), 16_000)
    damaged = bytearray((tmp_path / "good.flac").read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 400] = bytes(400)
    (tmp_path / "damaged.flac").write_bytes(damaged)
    assert reason(tmp_path / "silent.wav", DECODE) == "silent"
    assert reason(tmp_path / "loud.wav", DECODE) == "clipped"
    assert reason(tmp_path / "nan.wav", DECODE) == "NaN or Inf samples"
    assert reason(tmp_path / "damaged.flac", DECODE) in ("can't be decoded", "cut short")
    assert good(tmp_path / "good.flac", DECODE).duration == 1.5
    assert all(good(tmp_path / name) for name in ("silent.wav", "loud.wav", "nan.wav"))  # headers say nothing of it


def test_only_the_stretch_of_an_utterance_is_decoded(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "half.wav", np.concatenate([np.zeros(16_000), noise(0.9)]), 16_000)
    assert reason(tmp_path / "half.wav", DECODE, duration=0.9) == "silent"
    assert good(tmp_path / "half.wav", DECODE, start=1.0, duration=0.9).start == 1.0


def test_96_khz_stereo_24_bit_is_good(tmp_path: Path) -> None:
    path = tmp_path / "studio.wav"
    soundfile.write(path, noise(1.0, sample_rate=96_000).repeat(2).reshape(-1, 2), 96_000, subtype="PCM_24")
    assert good(path, DECODE)[1:3] == (1.0, 96_000)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "MS_ADPCM"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_our_reading_of_a_wave_header_agrees_with_libsndfile(tmp_path: Path, subtype: str, kind: str) -> None:
    if not soundfile.check_format(kind, subtype):
        return
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.3).reshape(-1, 2), 22_050, format=kind, subtype=subtype)
    header = parse_wave(path.read_bytes()[:4096], path.stat().st_size)
    info = soundfile.info(path)
    assert header is None or (header.sample_rate, header.frames) == (info.samplerate, info.frames)
    assert (header is None) == (subtype in ("ULAW", "MS_ADPCM"))


def test_a_wave_written_into_a_pipe_does_not_know_its_length(tmp_path: Path, write_wave: WriteWave) -> None:
    path = write_wave(tmp_path / "a.wav", seconds=0.5)
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert good(path).duration == 0.5


def test_a_transcript_is_normalised_where_that_changes_it(tmp_path: Path, write_wave: WriteWave) -> None:
    path = write_wave(tmp_path / "a.wav")
    assert good(path, text="IT'S FINE").normalised is None
    assert good(path, text="it’s  u\u0308ber\n").normalised == "it's über"
    assert good(path, text="<unk> yes", normalised="yes").normalised == "yes"
