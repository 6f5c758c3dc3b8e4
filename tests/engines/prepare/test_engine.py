import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.manifests.folder import available_splits, manifest_hash, read_manifest
from speechft_cli.engines.prepare import run
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Advanced, Event, Finished, Note, Started, Table, ignore
from tests.data.corpora.replicas import snips


def write_wave(path: Path, *, seconds: float = 0.5, sample_rate: int = 16_000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(list(path.name.encode())).uniform(-0.5, 0.5, (round(seconds * sample_rate), channels))
    soundfile.write(path, noise, sample_rate)
    return path


def write_list(root: Path, *lines: dict[str, object]) -> Path:
    root.mkdir(exist_ok=True)
    (root / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def request(root: Path | None, out: Path, **settings: object) -> Config:
    section: dict[str, object] = {"corpus": "manifest", "root": root, "out": out, **settings}
    return Config(prepare=PrepareSection.model_validate(section), seed=7)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two good recordings, one of them stereo at 44.1 kHz in a folder with blanks."""
    root = tmp_path / "corpus"
    write_wave(root / "a.wav")
    write_wave(root / "with blanks" / "b b.flac", seconds=1.0, sample_rate=44_100, channels=2)
    return write_list(
        root,
        {"audio": "with blanks/b b.flac", "text": "B", "speaker": "s2"},
        {"audio": "a.wav", "text": "A", "speaker": "s1", "split": "dev"},
    )


def test_manifests_hold_what_the_files_say(small: Path, tmp_path: Path) -> None:
    result = run(request(small, tmp_path / "out"), ignore)
    (train,) = read_manifest(tmp_path / "out", "train")
    (dev,) = read_manifest(tmp_path / "out", "dev")
    assert (train.id, train.audio, train.duration, train.sample_rate) == (
        "with blanks/b b",
        small / "with blanks" / "b b.flac",
        1.0,
        44_100,
    )
    assert (dev.id, dev.text, dev.speaker, dev.duration, dev.sample_rate) == ("a", "A", "s1", 0.5, 16_000)
    assert result.summary == "manifest: prepared: train 1 (0.00 h), dev 1 (0.00 h)"
    assert result.data["manifest_hash"] == manifest_hash(tmp_path / "out")
    assert result.data["splits"] == {
        "train": {
            "utterances": 1,
            "hours": 0.000278,
            "speakers": 1,
            "sample_rates": [44_100],
            "rejected": 0,
            "beyond_hours": 0,
        },
        "dev": {
            "utterances": 1,
            "hours": 0.000139,
            "speakers": 1,
            "sample_rates": [16_000],
            "rejected": 0,
            "beyond_hours": 0,
        },
    }


def test_every_bad_recording_is_listed_with_its_reason_and_the_good_ones_stay(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write_wave(root / "good.wav")
    write_wave(root / "short.wav", seconds=0.05)
    write_wave(root / "cut.flac", seconds=2.0)
    (root / "cut.flac").write_bytes((root / "cut.flac").read_bytes()[:9_000])
    (root / "text.wav").write_text("this is no wave")
    (root / "empty.wav").touch()
    write_list(
        root,
        *({"audio": name} for name in ("good.wav", "short.wav", "cut.flac", "text.wav", "empty.wav", "gone.wav")),
        {"audio": "good.wav"},
        {"id": "claims", "audio": "good.wav", "duration": 3},
    )
    events: list[Event] = []
    result = run(request(root, tmp_path / "out"), events.append)
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert [(line["id"], line["split"], line["reason"]) for line in lines] == [
        ("short", "train", "shorter than min_seconds"),
        ("cut", "train", "cut short"),
        ("text", "train", "can't be decoded"),
        ("empty", "train", "file of 0 bytes"),
        ("gone", "train", "no such file"),
        ("good", "train", "duplicate id"),
        ("claims", "train", "shorter than start + duration"),
    ]
    assert lines[4]["audio"] == str(root / "gone.wav")
    assert [each.id for each in read_manifest(tmp_path / "out", "train")] == ["good"]
    assert result.data["rejected"] == {
        "shorter than min_seconds": 1,
        "cut short": 1,
        "can't be decoded": 1,
        "file of 0 bytes": 1,
        "no such file": 1,
        "duplicate id": 1,
        "shorter than start + duration": 1,
    }
    notes = [event.text for event in events if isinstance(event, Note) and event.important]
    assert any(note.startswith(f"rejected: can't be decoded: 1, e.g. {root / 'text.wav'} (") for note in notes)
    assert f"rejected: file of 0 bytes: 1, e.g. {root / 'empty.wav'}" in notes
    assert len(notes) == 7


def test_progress_is_told_and_ends_in_a_table(small: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    run(request(small, tmp_path / "out"), events.append)
    kinds = [Started, Finished, Started, Advanced, Finished, Started, Finished, Table]
    assert [type(event) for event in events] == kinds
    assert events[1:3] == [Finished("2 found"), Started("checking recordings", 2, "utterances")]
    assert isinstance(events[3], Advanced)
    assert events[3].done == 2
    assert events[6] == Finished("2 good, 0 rejected")
    assert isinstance(events[-1], Table)
    assert events[-1].rows == (("train", "1", "0.000", "1", "44100", "0"), ("dev", "1", "0.000", "1", "16000", "0"))


def test_a_second_run_is_skipped_and_says_so(small: Path, tmp_path: Path) -> None:
    first = run(request(small, tmp_path / "out"), ignore)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    start = time.perf_counter()
    second = run(request(small, tmp_path / "out"), ignore)
    assert time.perf_counter() - start < 0.5
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert second.summary == "manifest: already prepared, skipped: train 1 (0.00 h), dev 1 (0.00 h)"
    assert second.data == {**first.data, "skipped": True}


@pytest.mark.parametrize("name", ["cuts-train.jsonl.gz", "prepare.json", "rejected.jsonl"])
def test_a_folder_that_lost_a_file_is_prepared_again(small: Path, tmp_path: Path, name: str) -> None:
    run(request(small, tmp_path / "out"), ignore)
    before = contents(tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    assert run(request(small, tmp_path / "out"), ignore).data["skipped"] is False
    assert contents(tmp_path / "out") == before


def test_a_repaired_recording_is_another_request(small: Path, tmp_path: Path) -> None:
    recording = (small / "a.wav").read_bytes()
    (small / "a.wav").write_bytes(b"")
    run(request(small, tmp_path / "out"), ignore)
    assert available_splits(tmp_path / "out") == ("train",)
    (small / "a.wav").write_bytes(recording)
    run(request(small, tmp_path / "out"), ignore)
    assert available_splits(tmp_path / "out") == ("train", "dev")


def test_two_runs_give_the_same_bytes(small: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(request(small, tmp_path / name), ignore)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_request_replaces_all_manifests_of_the_folder(small: Path, tmp_path: Path) -> None:
    run(request(small, tmp_path / "out"), ignore)
    run(request(small, tmp_path / "out", splits={"test": ["dev"]}), ignore)
    assert available_splits(tmp_path / "out") == ("test",)
    assert [each.id for each in read_manifest(tmp_path / "out", "test")] == ["a"]
    assert json.loads((tmp_path / "out" / "prepare.json").read_text())["request"]["splits"] == {"test": ["dev"]}


def test_hours_keep_the_beginning_of_each_split_in_corpus_order(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    names = ["z", "b", "y", "a"]
    for name in names:
        write_wave(root / f"{name}.wav", seconds=0.9)
    write_list(root, *({"audio": f"{name}.wav"} for name in names))
    result = run(request(root, tmp_path / "out", hours=2 / 3600), ignore)
    assert [each.id for each in read_manifest(tmp_path / "out", "train")] == ["b", "z"]
    splits = result.data["splits"]
    assert isinstance(splits, dict)
    assert splits["train"]["beyond_hours"] == 2


def test_nothing_usable_fails_with_the_reasons_and_writes_nothing(tmp_path: Path) -> None:
    root = write_list(tmp_path / "corpus", {"audio": "gone.wav"}, {"audio": "lost.wav"})
    with pytest.raises(
        SpeechftError, match=f"not a single utterance.*\n  no such file: 2, e.g. {root}/gone.wav"
    ) as caught:
        run(request(root, tmp_path / "out"), ignore)
    assert caught.value.exit_code == 1
    assert "relative to the list" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_corpus_that_leaves_all_of_itself_out_says_so(tmp_path: Path) -> None:
    snips(tmp_path / "corpus")
    splits = {"test": ["test"]}
    (tmp_path / "corpus/SNIPS/test/Brian-snips-test-0.wav").unlink()
    said = r"not a single utterance can be used\n  left out .*: speaker of another split: 1"
    with pytest.raises(SpeechftError, match=said):
        run(request(tmp_path / "corpus", tmp_path / "out", corpus="snips", splits=splits), ignore)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"corpus": "librispeach"}, "did you mean 'librispeech'"),
        ({"root": None}, "prepare.root: must be where the corpus 'manifest' lies, got nothing"),
        ({"root": Path("/no/such/folder")}, "got /no/such/folder, which does not exist"),
        ({"splits": {"valid": ["a"]}}, "prepare.splits: must be one of dev, test, train, got 'valid'"),
        ({"splits": {"train": ["a"], "dev": ["a"]}}, "must name each part once, names a again"),
        ({"splits": {"train": ["nothing"]}}, "must have the splits nothing, has dev, train"),
        ({"min_seconds": 2, "max_seconds": 1}, "prepare.min_seconds: must be at most max_seconds, got 2 > 1"),
    ],
)
def test_a_wrong_request_writes_nothing(small: Path, tmp_path: Path, settings: dict[str, object], problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        run(request(**{"root": small, "out": tmp_path / "out", **settings}), ignore)  # type: ignore[arg-type]
    assert problem in caught.value.message
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_config_without_the_section_is_a_wrong_request() -> None:
    with pytest.raises(RequestError, match="prepare: must be a section"):
        run(Config(), ignore)


@pytest.mark.parametrize("corpus", ["librispeech", "folder"])
def test_a_file_is_no_root_for_a_folder_layout(small: Path, tmp_path: Path, corpus: str) -> None:
    with pytest.raises(RequestError, match="must be a folder"):
        run(request(small / "a.wav", tmp_path / "out", corpus=corpus), ignore)


def test_synthetic_is_generated_once_and_can_be_moved(tmp_path: Path) -> None:
    wanted = {"corpus": "synthetic", "hours": 0.002}
    first = run(request(None, tmp_path / "out", **wanted), ignore)
    assert run(request(None, tmp_path / "out", **wanted), ignore).data["skipped"] is True
    (tmp_path / "out").rename(tmp_path / "moved")
    for split in ("train", "dev", "test"):
        assert all(each.audio.is_file() for each in read_manifest(tmp_path / "moved", split))
    lost = next((tmp_path / "moved" / "audio").rglob("*.flac"))
    lost.unlink()
    again = run(request(None, tmp_path / "moved", **wanted), ignore)
    assert again.data == first.data
    assert lost.is_file()


@pytest.mark.shared
def test_real_recordings_are_prepared_whole(tmp_path: Path) -> None:
    if "SPEECHFT_SHARED_DATA" not in os.environ:
        pytest.skip("SPEECHFT_SHARED_DATA does not name the recordings")
    root = Path(os.environ["SPEECHFT_SHARED_DATA"]) / "dev-mini" / "asr-libri"
    result = run(request(root, tmp_path / "out"), ignore)
    splits = result.data["splits"]
    assert isinstance(splits, dict)
    assert {split: (facts["utterances"], facts["speakers"]) for split, facts in splits.items()} == {
        "train": (207, 16),
        "dev": (13, 2),
        "test": (28, 2),
    }
    assert result.data["rejected"] == {}


@pytest.mark.parametrize("settings", [{"root": Path()}, {"splits": {"train": ["a"]}}])
def test_a_generated_corpus_takes_no_root_and_no_parts_and_leaves_nothing(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    config = Config(prepare=PrepareSection.model_validate({"out": tmp_path / "out", **settings}))
    with pytest.raises(RequestError, match=r"prepare\.\w+: must be absent for 'synthetic'"):
        run(config, ignore)
    assert not (tmp_path / "out").exists()
