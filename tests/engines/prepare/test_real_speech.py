"""Real recordings, put into the layouts in which their corpora are handed out.

Run with SPEECHFT_SHARED_DATA naming a folder with `dev-read/asr-libri`, `dev-words/emotion-emodb` and
`dev-words/kws-fsdd`, each with a `manifest.jsonl` of `audio`, `text`, `speaker`, `split` and what else it has.
"""

import json
import os
from pathlib import Path

import pytest
import soundfile

from speechft_cli.config.schema import Config
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.utterance import SPLITS, Utterance
from speechft_cli.engines.prepare import run
from speechft_cli.events import Result, ignore
from tests.data.corpora.replicas import noise, text

SHARED = os.environ.get("SPEECHFT_SHARED_DATA")
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED, reason="SPEECHFT_SHARED_DATA does not name the recordings"),
]
Lines = list[dict[str, str]]


def lines(package: str, count: int) -> Lines:
    """Returns the first `count` recordings of each speaker."""
    folder = Path(SHARED or "") / package
    found: dict[str, Lines] = {}
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        found.setdefault(each["speaker"], []).append({**each, "audio": str(folder / each["audio"])})
    return [each for speaker in found.values() for each in speaker[:count]]


def put(line: dict[str, str], path: Path) -> None:
    """Copies a recording in the format of the suffix; a SPHERE file gets a header of its own."""
    samples, rate = soundfile.read(line["audio"], dtype="int16")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".sph":
        noise(path, seconds=len(samples) / rate, sample_rate=rate)
        path.write_bytes(path.read_bytes()[:1024] + samples.astype("<i2").tobytes())
    else:
        soundfile.write(path, samples, rate)


def prepared(corpus: str, root: Path) -> tuple[Result, dict[str, list[Utterance]]]:
    out = root / "manifests"
    result = run(Config.model_validate({"prepare": {"corpus": corpus, "root": root, "out": out}}), ignore)
    return result, {split: list(read_manifest(out, split)) for split in SPLITS}


def test_librispeech(tmp_path: Path) -> None:
    parts = {"train": "train-clean-5", "valid": "dev-clean", "test": "test-clean"}
    wanted = lines("dev-read/asr-libri", 4)
    for each in wanted:
        chapter = tmp_path / "LibriSpeech" / parts[each["split"]] / each["speaker"] / each["chapter"]
        put(each, chapter / f"{each['id']}.flac")
        with (chapter / f"{each['speaker']}-{each['chapter']}.trans.txt").open("a") as file:
            file.write(f"{each['id']} {each['text']}\n")
    result, found = prepared("librispeech", tmp_path)
    assert result.data["rejected"] == {}
    everything = {each.id: each for utterances in found.values() for each in utterances}
    assert {name: each.text for name, each in everything.items()} == {each["id"]: each["text"] for each in wanted}
    for each in wanted:
        assert everything[each["id"]].duration == pytest.approx(float(each["duration"]), abs=0.02)


def test_an4(tmp_path: Path) -> None:
    wanted = lines("dev-read/asr-libri", 2)
    names = {each["id"]: f"an{number}-m{each['speaker']}-b" for number, each in enumerate(wanted)}
    for part in ("train", "test"):
        mine = [each for each in wanted if (each["split"] == "test") == (part == "test")]
        for each in mine:
            folder = "an4_clstk" if part == "train" else "an4test_clstk"
            put(each, tmp_path / "an4" / "wav" / folder / f"m{each['speaker']}" / f"{names[each['id']]}.sph")
        marked = [f"<s> {each['text']} </s> ({names[each['id']]})" for each in mine]
        text(tmp_path / "an4" / "etc" / f"an4_{part}.transcription", *marked)
    result, found = prepared("an4", tmp_path)
    assert result.data["rejected"] == {}
    assert {each.text for each in found["test"]} == {each["text"] for each in wanted if each["split"] == "test"}
    assert sum(map(len, found.values())) == len(wanted)


def test_emodb(tmp_path: Path) -> None:
    wanted = lines("dev-words/emotion-emodb", 1000)
    for each in wanted:
        put(each, tmp_path / "wav" / f"{each['id']}.wav")
    result, found = prepared("emodb", tmp_path)
    assert result.data["rejected"] == {}
    everything = {each.id: each for utterances in found.values() for each in utterances}
    for each in wanted:
        mine = everything[each["id"]]
        gender = {"m": "male", "f": "female"}[each["gender"]]
        assert (mine.labels["emotion"], mine.text, mine.speaker) == (each["label"], each["text"], each["speaker"])
        assert mine.labels["gender"] == gender


def test_fsdd(tmp_path: Path) -> None:
    wanted = lines("dev-words/kws-fsdd", 1000)
    for each in wanted:
        put(each, tmp_path / "recordings" / f"{each['id']}.wav")
    result, found = prepared("fsdd", tmp_path)
    assert set(result.data["rejected"]) <= {"shorter than min_seconds", "duplicate by content"}  # type: ignore[call-overload]
    everything = {each.id: (split, each) for split, utterances in found.items() for each in utterances}
    for each in (each for each in wanted if each["id"] in everything):
        split, mine = everything[each["id"]]
        assert (mine.labels["digit"], mine.speaker) == (each["label"], each["speaker"])
        assert (split == "test") == (each["split_official"] == "test")
    assert len(everything) > 0.99 * len(wanted)
