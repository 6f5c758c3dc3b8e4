import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.utils import fastcopy

from speechft_cli.data.manifests.folder import (
    available_splits,
    manifest_hash,
    manifest_path,
    read_manifest,
)
from speechft_cli.data.manifests.index import index_path
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError
from tests.data.conftest import WriteWave
from tests.manifest_files import write_manifest

SPARSE = Utterance("b", Path("/corpus/b.wav"), duration=0.5, sample_rate=8_000)
FULL = Utterance(
    id="a",
    audio=Path("/corpus/über a.wav"),
    start=0.25,
    duration=1.5,
    sample_rate=44_100,
    text="HELLO",
    phones="HH AH L OW",
    speaker="19",
    labels={"label": "yes", "emotion": "sad"},
    task_splits={"sid": "test", "ks": ""},
    normalised="hello",
    language="en",
    licence="CC0-1.0",
)


def test_what_is_written_is_read_back_sorted_by_id(tmp_path: Path) -> None:
    write_manifest(tmp_path, "dev", [SPARSE, FULL])
    assert list(read_manifest(tmp_path, "dev")) == [FULL, SPARSE]
    assert available_splits(tmp_path) == ("dev",)


def test_without_its_index_a_manifest_says_the_same(tmp_path: Path) -> None:
    write_manifest(tmp_path, "dev", [SPARSE, FULL])
    hash_ = manifest_hash(tmp_path)
    index_path(tmp_path, "dev").unlink()
    assert list(read_manifest(tmp_path, "dev")) == [FULL, SPARSE]
    assert manifest_hash(tmp_path) == hash_


def test_an_index_of_other_lines_or_a_damaged_one_is_not_believed(tmp_path: Path) -> None:
    write_manifest(tmp_path, "dev", [SPARSE])
    old = index_path(tmp_path, "dev").read_bytes()
    write_manifest(tmp_path, "dev", [FULL])
    for damaged in (old, old[:-8], b"", b"speechft columns 1\n{}"):
        index_path(tmp_path, "dev").write_bytes(damaged)
        assert list(read_manifest(tmp_path, "dev")) == [FULL]


def test_lhotse_reads_what_is_written(tmp_path: Path) -> None:
    write_manifest(tmp_path, "dev", [SPARSE, FULL])
    first, second = CutSet.from_file(manifest_path(tmp_path, "dev"))
    (supervision,) = first.supervisions
    assert (first.id, first.start, first.duration, first.sampling_rate) == ("a", 0.25, 1.5, 44_100)
    assert first.recording.sources[0].source == "/corpus/über a.wav"
    assert (supervision.text, supervision.speaker, supervision.language) == ("HELLO", "19", "en")
    assert supervision.custom["labels"] == {"emotion": "sad", "label": "yes"}
    assert (second.id, second.supervisions[0].text) == ("b", None)


def test_cuts_that_lhotse_wrote_are_read(tmp_path: Path, write_wave: WriteWave) -> None:
    recording = Recording.from_file(write_wave(tmp_path / "a.wav", seconds=2.0))
    cut = recording.to_cut()
    cut.supervisions.append(SupervisionSegment("s", recording.id, start=0.0, duration=2.0, text="YES", speaker="x"))
    CutSet.from_cuts([cut]).to_file(tmp_path / "cuts-train.jsonl")
    (read,) = read_manifest(tmp_path, "train")
    assert (read.audio, read.duration, read.text, read.speaker) == (tmp_path / "a.wav", 2.0, "YES", "x")


def lhotse_cuts(path: Path) -> CutSet:
    recording = Recording.from_file(path, recording_id="r")
    said = {"recording_id": "r", "text": "HELLO WORLD", "speaker": "ann"}
    halves = [SupervisionSegment(id=f"s{number}", start=number * 0.5, duration=0.5, **said) for number in range(2)]
    return CutSet.from_cuts([MonoCut("c", 0.0, 1.0, 0, supervisions=halves, recording=recording)])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda cuts: cuts, "must have one supervision, has 2; in lhotse CutSet.trim_to_supervisions()"),
        (lambda cuts: cuts.drop_supervisions(), "must have one supervision, has 0"),
        (
            lambda cuts: cuts.trim_to_supervisions().pad(2),
            "must be a cut of one recording, is one of several, or padded",
        ),
        (
            lambda cuts: cuts.trim_to_supervisions().perturb_speed(1.1),
            "must have its recording as it is, has Speed; in lhotse CutSet.save_audios(FOLDER)",
        ),
        (
            lambda cuts: cuts.trim_to_supervisions().truncate(0.3, "start"),
            "must hold all that its transcript is of, holds 0.3 s of 0.5 s",
        ),
    ],
)
def test_cuts_whose_transcript_is_not_of_their_audio_are_told(
    tmp_path: Path, write_wave: WriteWave, change: Callable[[CutSet], CutSet], problem: str
) -> None:
    change(lhotse_cuts(write_wave(tmp_path / "a.wav", seconds=1.0))).to_file(tmp_path / "cuts-train.jsonl.gz")
    with pytest.raises(RequestError, match=re.escape(problem)):
        list(read_manifest(tmp_path, "train"))


def test_one_channel_of_several_is_told_and_all_of_them_are_read(tmp_path: Path, write_wave: WriteWave) -> None:
    cuts = lhotse_cuts(write_wave(tmp_path / "a.wav", seconds=1.0, channels=2)).trim_to_supervisions()
    cuts.to_file(tmp_path / "cuts-train.jsonl.gz")
    with pytest.raises(RequestError, match=r"must have all channels of its recording, has 0 of \[0, 1\]"):
        list(read_manifest(tmp_path, "train"))


def test_windows_of_a_speaker_and_other_rates_are_read(tmp_path: Path, write_wave: WriteWave) -> None:
    cuts = lhotse_cuts(write_wave(tmp_path / "a.wav", seconds=1.0)).trim_to_supervisions().resample(8000)
    windows = cuts.map_supervisions(lambda each: fastcopy(each, text=None)).cut_into_windows(0.25)
    windows.to_file(tmp_path / "cuts-train.jsonl.gz")
    found = list(read_manifest(tmp_path, "train"))
    assert sorted((each.start, each.duration, each.speaker) for each in found) == [
        (start, 0.25, "ann") for start in (0.0, 0.25, 0.5, 0.75)
    ]


def test_a_part_of_a_manifest_is_a_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path, "dev", [SPARSE, FULL])
    utterances = read_manifest(tmp_path, "dev")
    assert list(utterances[1:]) == [SPARSE]
    assert list(utterances.select([1, 0])) == [SPARSE, FULL]
    assert utterances[-1] == SPARSE
    assert utterances.durations.tolist() == [1.5, 0.5]


@pytest.mark.parametrize(
    "field", ["text", "phones", "speaker", "language", "emotion", "emotion+label", "text+nothing", "nothing"]
)
def test_targets_are_those_of_each_utterance(tmp_path: Path, field: str) -> None:
    write_manifest(tmp_path, "dev", [SPARSE, FULL])
    utterances = read_manifest(tmp_path, "dev").select([1, 0, 1])
    assert list(utterances.targets(field)) == [each.target(field) for each in (SPARSE, FULL, SPARSE)]


def test_the_same_utterances_give_the_same_bytes_in_any_order_and_folder(tmp_path: Path) -> None:
    first = write_manifest(tmp_path / "one", "train", [SPARSE, FULL]).read_bytes()
    second = write_manifest(tmp_path / "two", "train", [FULL, SPARSE]).read_bytes()
    assert first == second
    assert first[3] == 0  # no optional gzip field, such as a file name
    assert first[4:8] == bytes(4)  # no time


def test_audio_inside_the_folder_moves_with_it(tmp_path: Path) -> None:
    inside = Utterance("c", tmp_path / "old" / "audio" / "c.wav", duration=1.0, sample_rate=16_000)
    path = write_manifest(tmp_path / "old", "train", [inside])
    assert json.loads(gzip.decompress(path.read_bytes()))["recording"]["sources"][0]["source"] == "audio/c.wav"
    shutil.move(tmp_path / "old", tmp_path / "new")
    (moved,) = read_manifest(tmp_path / "new", "train")
    assert moved.audio == tmp_path / "new" / "audio" / "c.wav"


def test_the_hash_depends_on_contents_and_splits(tmp_path: Path) -> None:
    hashes = set()
    for name, split, utterances in (("a", "dev", [FULL]), ("b", "test", [FULL]), ("c", "dev", [SPARSE])):
        write_manifest(tmp_path / name, split, utterances)
        hashes.add(manifest_hash(tmp_path / name))
    write_manifest(tmp_path / "d", "dev", [FULL])
    assert len(hashes) == 3
    assert manifest_hash(tmp_path / "d") in hashes


def test_a_missing_manifest_names_those_that_are_there(tmp_path: Path) -> None:
    write_manifest(tmp_path, "train", [FULL])
    with pytest.raises(RequestError, match=r"must hold cuts-test\.jsonl\.gz, has only train"):
        list(read_manifest(tmp_path, "test"))


def test_an_interrupted_writer_leaves_the_old_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path, "train", [FULL])
    unserialisable = Utterance("x", Path("x.wav"), duration=1.0, sample_rate=16_000, labels={"label": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        write_manifest(tmp_path, "train", [SPARSE, unserialisable])
    assert list(read_manifest(tmp_path, "train")) == [FULL]
    assert sorted(tmp_path.iterdir()) == [index_path(tmp_path, "train"), manifest_path(tmp_path, "train")]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-40], lambda _: b"junk", lambda _: b"", lambda _: gzip.compress(b"[1]\n")]
)
def test_a_damaged_manifest_is_named(tmp_path: Path, manifests: Path, damage: Callable[[bytes], bytes]) -> None:
    path = manifest_path(tmp_path, "train")
    path.write_bytes(damage(manifest_path(manifests, "train").read_bytes()))
    with pytest.raises(RequestError, match=r"cuts-train\.jsonl\.gz:\d+: must be a manifest, can't be read"):
        list(read_manifest(tmp_path, "train"))
