import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from speechft_cli.data.manifests import available_splits, manifest_hash, manifest_path, read_manifest, write_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError

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
)


def test_what_is_written_is_read_back_sorted_by_id(tmp_path: Path) -> None:
    write_manifest(tmp_path, "dev", [SPARSE, FULL])
    assert list(read_manifest(tmp_path, "dev")) == [FULL, SPARSE]
    assert available_splits(tmp_path) == ("dev",)


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
    with pytest.raises(RequestError, match=r"must hold cuts-test\.jsonl\.gz, has train"):
        list(read_manifest(tmp_path, "test"))


def test_an_interrupted_writer_leaves_the_old_manifest(tmp_path: Path) -> None:
    write_manifest(tmp_path, "train", [FULL])
    unserialisable = Utterance("x", Path("x.wav"), duration=1.0, sample_rate=16_000, labels={"label": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        write_manifest(tmp_path, "train", [SPARSE, unserialisable])
    assert list(read_manifest(tmp_path, "train")) == [FULL]
    assert list(tmp_path.iterdir()) == [manifest_path(tmp_path, "train")]


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda _: b"junk", lambda _: gzip.compress(b"[1]\n")])
def test_a_damaged_manifest_is_named(tmp_path: Path, manifests: Path, damage: Callable[[bytes], bytes]) -> None:
    path = manifest_path(tmp_path, "train")
    path.write_bytes(damage(manifest_path(manifests, "train").read_bytes()))
    with pytest.raises(RequestError, match=r"cuts-train\.jsonl\.gz: must be a manifest, can't be read"):
        list(read_manifest(tmp_path, "train"))
