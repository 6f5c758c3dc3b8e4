"""Small replicas of the corpora's official layouts, with noise for speech: what a user's disk holds, in seconds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile


def noise(path: Path, *, seconds: float = 0.4, sample_rate: int = 16_000) -> Path:
    """Writes noise that is its own for every file; the format follows the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(zlib.crc32("/".join(path.parts[-4:]).encode()))
    samples = (draw.normal(scale=1500, size=round(seconds * sample_rate))).astype("<i2")
    if path.suffix.lower() == ".sph":
        path.write_bytes(_sphere_header(len(samples), sample_rate) + samples.tobytes())
    else:
        soundfile.write(path, samples, sample_rate)
    return path


def text(path: Path, *lines: str, end: str = "\n") -> Path:
    """Writes lines as a UTF-8 file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def _sphere_header(samples: int, sample_rate: int) -> bytes:
    """Returns the header of a NIST SPHERE file as TED-LIUM and AN4 have it."""
    fields = (
        f"sample_count -i {samples}",
        "sample_n_bytes -i 2",
        "channel_count -i 1",
        "sample_byte_format -s2 01",
        f"sample_rate -i {sample_rate}",
        "sample_coding -s3 pcm",
        "end_head",
    )
    return "\n".join(("NIST_1A", "   1024", *fields, "")).encode().ljust(1024, b" ")


def tedlium(root: Path) -> None:
    for part, talk in (("train", "AdaLovelace_2010"), ("dev", "AlanTuring_2011"), ("test", "GraceHopper_2012")):
        folder = root / "TEDLIUM_release-3" / "legacy" / part
        noise(folder / "sph" / f"{talk}.sph", seconds=8)
        text(
            folder / "stm" / f"{talk}.stm",
            f"{talk} 1 {talk} 0.50 2.00 <o,f0,female> it 's a well-known fact in 1843",
            f"{talk} 1 {talk} 2.00 2.75 <o,f0,female> too short",
            f"{talk} 1 {talk} 2.75 4.25 <o,f0,female> the <unk> engine",
            f"{talk} 1 inter_segment_gap 4.25 6.25 <o,,unknown> ignore_time_segment_in_scoring",
            f"{talk} 1 {talk} 6.25 7.75 <o,f0,female> we weave patterns",
        )


def librispeech(root: Path) -> None:
    for part, speaker in (("train-clean-100", "103"), ("dev-clean", "84"), ("test-clean", "61")):
        chapter = root / "LibriSpeech" / part / speaker / "70968"
        for number in range(2):
            noise(chapter / f"{speaker}-70968-000{number}.flac")
        lines = (f"{speaker}-70968-0000 HELLO WORLD", f"{speaker}-70968-0001 THE CAT'S MODEL")
        text(chapter / f"{speaker}-70968.trans.txt", *lines)
    text(
        root / "LibriSpeech" / "SPEAKERS.TXT",
        ";ID  |SEX| SUBSET           |MINUTES| NAME",
        "61   | M | test-clean       | 8.08  | Paul-Gabriel Wiener",
        "103  | F | train-clean-100  | 25.15 | Karen Savage",
    )


def voxceleb1(root: Path) -> None:
    lines = []
    for speaker, part in (("id10001", "dev"), ("id10002", "dev"), ("id10270", "test"), ("id10271", "test")):
        for code, video in ((1, "aAbBcC-1234"), (2, "dDeEfF_5678"), (3, "gGhHiI90123")):
            noise(root / part / "wav" / speaker / video / "00001.wav")
            lines.append(f"{code} {speaker}/{video}/00001.wav")
    noise(root / "dev" / "wav" / "id10001" / "dDeEfF_5678" / "00002.wav")  # so that dev has two of one speaker
    lines.append("2 id10001/dDeEfF_5678/00002.wav")
    text(root / "iden_split.txt", *lines)
    same = "1 id10270/aAbBcC-1234/00001.wav id10270/dDeEfF_5678/00001.wav"
    other = "0 id10270/aAbBcC-1234/00001.wav id10271/dDeEfF_5678/00001.wav"
    text(root / "voxceleb1_test_v2.txt", same, other)
    header = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"
    text(root / "vox1_meta.csv", header, "id10001\tA.J._Buckley\tm\tIreland\tdev")


def iemocap(root: Path) -> None:
    for number in range(1, 6):
        session, name = root / "IEMOCAP_full_release" / f"Session{number}", f"Ses0{number}F_impro01"
        emotions = {"F000": "neu", "M000": "exc", "F001": "hap", "M001": "ang", "F002": "sad", "M002": "fru"}
        labels, turns = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""], []
        for place, (turn, emotion) in enumerate(emotions.items()):
            noise(session / "sentences" / "wav" / name / f"{name}_{turn}.wav")
            labels += [
                f"[{place}.0000 - {place}.5000]\t{name}_{turn}\t{emotion}\t[2.5000, 2.5000, 2.5000]",
                "C-E2:\tNeutral;\t()",
                "",
            ]
            turns.append(f"{name}_{turn} [00{place}.0000-00{place}.5000]: Excuse me.")
        text(session / "dialog" / "EmoEvaluation" / f"{name}.txt", *labels)
        (session / "dialog" / "EmoEvaluation" / f"._{name}.txt").write_bytes(b"\x00\x05\x16\x07Mac OS X")
        text(session / "dialog" / "transcriptions" / f"{name}.txt", *turns)


def speech_commands(root: Path) -> None:
    folder = root / "speech_commands_v0.01"
    for word in ("yes", "off", "bed"):
        for speaker in ("0a7c2a8d", "b4aa9fef", "c1d39ce8"):
            noise(folder / word / f"{speaker}_nohash_0.wav", seconds=1)
    noise(folder / "_background_noise_" / "white_noise.wav", seconds=20.5)
    text(folder / "_background_noise_" / "README.md", "made by hand")
    text(folder / "validation_list.txt", *(f"{word}/b4aa9fef_nohash_0.wav" for word in ("yes", "off", "bed")))
    text(folder / "testing_list.txt", *(f"{word}/c1d39ce8_nohash_0.wav" for word in ("yes", "off", "bed")))


def fluent_speech_commands(root: Path) -> None:
    folder = root / "fluent_speech_commands_dataset"
    for part, speaker in (("train", "2BqVo8kVB2Skwgyb"), ("valid", "4BrX8aDqK2cLZRYl"), ("test", "5o9BvRGEGvhaeBwA")):
        rows = []
        for number, slots in enumerate(("activate,lights,kitchen", '"change language",none,none')):
            path = f"wavs/speakers/{speaker}/{part}-{number}.wav"
            noise(folder / path)
            rows.append(f'{number},{path},{speaker},"Turn on the lights, please",{slots}')
        header = ",path,speakerId,transcription,action,object,location"
        text(folder / "data" / f"{part}_data.csv", header, *rows, end="\r\n")
    text(folder / "data" / "speaker_demographics.csv", "speakerId,gender,ageRange", "2BqVo8kVB2Skwgyb,female,22-40")


def snips(root: Path) -> None:
    lines = []
    for part, speaker, stranger in (("train", "Ivy", "Amy"), ("valid", "Amy", "Brian"), ("test", "Brian", "Ivy")):
        for name in (f"{speaker}-snips-{part}-0", f"{stranger}-snips-{part}-0"):
            noise(root / "SNIPS" / part / f"{name}.wav")
            lines.append(
                f"{name} BOS play Beyoncé & friends , now EOS\tO O B-artist I-artist I-artist O O PlayMusic",
            )
    text(root / "SNIPS" / "all.iob.snips.txt", *lines)


def aishell3(root: Path) -> None:
    for part in ("train", "test"):
        lines = []
        for number in range(1, 4):
            name = f"SSB0005{number + 10 * (part == 'test'):04d}.wav"
            noise(root / "data_aishell3" / part / "wav" / "SSB0005" / name)
            lines.append(f"{name}\t广 guang3 州 zhou1 话 hua4")
        text(root / "data_aishell3" / part / "content.txt", *lines)
    text(
        root / "data_aishell3" / "spk-info.txt", "# speaker age gender accent", "SSB0005\tB\tfemale \tnorth"
    )  # the blank is true


def an4(root: Path) -> None:
    folder = root / "an4"
    for part, home, speakers in (
        ("train", "an4_clstk", ("fash", "mblw", "fbbh")),
        ("test", "an4test_clstk", ("fcaw",)),
    ):
        ids, lines = [], []
        for speaker in speakers:
            for number, words in ((251, "YES"), (406, "RUBOUT Z EIGHT")):
                name = f"an{number}-{speaker}-b"
                noise(folder / "wav" / home / speaker / f"{name}.sph")
                ids.append(f"{home}/{speaker}/{name}")
                lines.append(f"<s> {words} </s> ({name})" if part == "test" else f" {words} ({name})")
        text(folder / "etc" / f"an4_{part}.fileids", *ids)
        text(folder / "etc" / f"an4_{part}.transcription", *lines)
    text(folder / "etc" / "an4.dic", "EIGHT\tEY T", "YES\tY EH S", "Z\tZ IY", "Z(2)\tZ EH D")


def crema_d(root: Path) -> None:
    for actor in range(1001, 1006):
        for name in ("DFA_ANG_XX", "IEO_HAP_HI"):
            noise(root / "AudioWAV" / f"{actor}_{name}.wav")
    text(root / "VideoDemographics.csv", "ActorID,Age,Sex,Race,Ethnicity", "1001,51,Male,Caucasian,Not Hispanic")


def emodb(root: Path) -> None:
    for speaker in ("03", "08", "09", "10", "16"):
        for name in ("a01Fa", "b10Wc"):
            noise(root / "wav" / f"{speaker}{name}.wav")


def fsdd(root: Path) -> None:
    for speaker in ("jackson", "theo"):
        for number in (0, 5, 10):
            noise(root / "recordings" / f"7_{speaker}_{number}.wav", sample_rate=8000)


#: Corpus → what builds its replica in a folder.
REPLICAS: Mapping[str, Callable[[Path], None]] = {
    "tedlium": tedlium,
    "librispeech": librispeech,
    "voxceleb1": voxceleb1,
    "iemocap": iemocap,
    "speech-commands": speech_commands,
    "fluent-speech-commands": fluent_speech_commands,
    "snips": snips,
    "aishell3": aishell3,
    "an4": an4,
    "crema-d": crema_d,
    "emodb": emodb,
    "fsdd": fsdd,
}
