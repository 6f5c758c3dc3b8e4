"""`prepare --shards`: Shar archives that lhotse and everything here read."""

from __future__ import annotations

import gzip
import json
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio.backend import LibsndfileBackend, audio_backend

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import available_splits, manifest_hash, read_manifest
from speechft_cli.engines.prepare import run
from speechft_cli.errors import SpeechftError
from speechft_cli.events import ignore
from tests.scripts import run_script


def config(root: Path, out: Path, **settings: object) -> Config:
    section = {"corpus": "manifest", "root": root, "out": out, **settings}
    return Config(prepare=PrepareSection.model_validate(section))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five utterances: whole files of several formats, and stretches of one."""
    root = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    soundfile.write(root / "wav.wav", random.uniform(-0.5, 0.5, 8_000), 16_000)
    soundfile.write(root / "stereo.flac", random.uniform(-0.5, 0.5, (9_000, 2)), 22_050)
    soundfile.write(root / "long.wav", random.uniform(-0.5, 0.5, 48_000), 16_000, subtype="PCM_24")
    lines: list[dict[str, object]] = [
        {"audio": "wav.wav", "text": "ONE", "speaker": "x"},
        {"audio": "stereo.flac", "text": "TWO", "label": "yes"},
        *({"id": f"part.{n}", "audio": "long.wav", "start": n, "duration": 0.5, "text": "PART"} for n in range(2)),
        {"id": "far/away", "audio": "long.wav", "start": 2.0, "split": "dev"},
    ]
    (root / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def test_shards_give_the_same_utterances_and_the_same_samples(corpus: Path, tmp_path: Path) -> None:
    run(config(corpus, tmp_path / "plain"), ignore)
    result = run(config(corpus, tmp_path / "shards", shards=True, shard_size=2), ignore)
    files = sorted(path.relative_to(tmp_path / "shards").as_posix() for path in (tmp_path / "shards").glob("shar-*/*"))
    assert files == [
        "shar-dev/cuts.000000.jsonl.gz",
        "shar-dev/recording.000000.tar",
        *(
            f"shar-train/{name}.00000{n}.{end}"
            for name, end in (("cuts", "jsonl.gz"), ("recording", "tar"))
            for n in (0, 1)
        ),
    ]
    assert available_splits(tmp_path / "shards") == ("train", "dev")
    for split in ("train", "dev"):
        plain, shards = (list(read_manifest(tmp_path / name, split)) for name in ("plain", "shards"))
        assert [(each.id, each.text, each.speaker, each.labels, each.duration) for each in plain] == [
            (each.id, each.text, each.speaker, each.labels, each.duration) for each in shards
        ]
        for one, other in zip(plain, shards, strict=True):
            assert torch.equal(read_waveform(one), read_waveform(other))
        assert (tmp_path / "shards" / f"cuts-{split}.index").is_file()
    archive = (tmp_path / "shards" / "shar-train" / "recording.000001.tar").read_bytes()
    assert all((corpus / name).read_bytes() in archive for name in ("wav.wav", "stereo.flac"))  # copied as they are
    again = run(config(corpus, tmp_path / "shards", shards=True, shard_size=2), ignore)
    assert again.data == {**result.data, "skipped": True}


def test_a_recording_that_is_damaged_in_an_archive_is_named_with_a_way_out_that_works(
    corpus: Path, tmp_path: Path
) -> None:
    request = config(corpus, tmp_path / "shards", shards=True)
    run(request, ignore)
    archive = tmp_path / "shards" / "shar-train" / "recording.000000.tar"
    whole = archive.read_bytes()
    first = read_manifest(tmp_path / "shards", "train")[0]
    archive.write_bytes(whole[: first.offset] + bytes(first.size) + whole[first.offset + first.size :])
    with pytest.raises(SpeechftError) as caught:
        read_waveform(first)
    assert caught.value.message == f"utterance {first.id}: {archive}: can't be read as audio: Format not recognised."
    assert caught.value.hint == "delete that archive, and the same speechft prepare writes it again"
    archive.unlink()
    assert run(request, ignore).data["skipped"] is False
    assert archive.read_bytes() == whole


def test_two_runs_give_the_same_archives_and_another_form_replaces_them(corpus: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(config(corpus, tmp_path / name, shards=True), ignore)
    one, two = (sorted((tmp_path / name).glob("shar-*/*")) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    run(config(corpus, tmp_path / "one"), ignore)
    assert not list((tmp_path / "one").glob("shar-*"))
    assert len(read_manifest(tmp_path / "one", "train")) == 4


def test_a_killed_run_does_not_write_its_finished_archives_again(corpus: Path, tmp_path: Path) -> None:
    run(config(corpus, tmp_path / "whole", shards=True, shard_size=2), ignore)
    out = tmp_path / "out"
    # dies as a kill -9 would, in the second archive
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from speechft_cli.data.manifests import shards\n"
        "from tests.engines.prepare.test_shards import config, ignore, run\n"
        "store, calls = shards._store, []\n"
        "def dying(row, archive):\n"
        "    calls.append(row)\n"
        "    if len(calls) == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return store(row, archive)\n"
        "if __name__ == '__main__':\n"
        "    shards._store = dying\n"
        "    run(config(Path(sys.argv[1]), Path(sys.argv[2]), shards=True, shard_size=2), ignore)\n"
    )
    assert run_script(tmp_path / "killed.py", script, corpus, out).returncode == -signal.SIGKILL
    finished = {path.stat().st_ino for path in (out / ".prepare" / "shards").iterdir()}
    assert len(finished) == 2
    run(config(corpus, out, shards=True, shard_size=2), ignore)

    assert finished <= {path.stat().st_ino for path in out.rglob("shar-*/*")}
    files = ({path.relative_to(folder): path for path in folder.rglob("*.*")} for folder in (out, tmp_path / "whole"))
    found, expected = ({name: path.read_bytes() for name, path in each.items() if path.is_file()} for each in files)
    assert found == expected
    assert not (out / ".prepare").exists()


def test_lhotse_reads_our_archives(corpus: Path, tmp_path: Path) -> None:
    run(config(corpus, tmp_path / "out", shards=True, shard_size=3), ignore)
    ours = {each.id: each for each in read_manifest(tmp_path / "out", "train")}
    with audio_backend(LibsndfileBackend()):
        cuts = {cut.id: cut for cut in CutSet.from_shar(in_dir=tmp_path / "out" / "shar-train")}
        assert cuts.keys() == ours.keys()
        for name in ("wav", "part.0", "part.1"):
            assert np.array_equal(cuts[name].load_audio()[0], read_waveform(ours[name]).numpy())
            assert cuts[name].recording.duration == ours[name].duration
    assert cuts["wav"].supervisions[0].text == "ONE"


def test_archives_that_lhotse_wrote_are_read(corpus: Path, tmp_path: Path) -> None:
    recording = Recording.from_file(corpus / "wav.wav")
    cuts = [
        MonoCut(
            id=f"cut{n}",
            start=0.1 * n,
            duration=0.2,
            channel=0,
            recording=recording,
            supervisions=[SupervisionSegment(f"cut{n}", recording.id, start=0.0, duration=0.2, text=f"TEXT {n}")],
        )
        for n in range(2)
    ]
    (tmp_path / "shar-test").mkdir()
    with audio_backend(LibsndfileBackend()):
        CutSet.from_cuts(cuts).to_shar(tmp_path / "shar-test", fields={"recording": "flac"}, shard_size=10)
    first, second = read_manifest(tmp_path, "test")
    whole, _ = soundfile.read(corpus / "wav.wav", dtype="float32")
    assert (first.text, second.text) == ("TEXT 0", "TEXT 1")
    assert torch.equal(read_waveform(second), torch.from_numpy(whole[1_600:4_800]))


def test_shards_are_a_corpus_to_join(corpus: Path, tmp_path: Path) -> None:
    run(config(corpus, tmp_path / "shards", shards=True), ignore)
    section = {"join": [tmp_path / "shards"], "out": tmp_path / "joined", "shards": True, "decode": True}
    run(Config(prepare=PrepareSection.model_validate(section)), ignore)
    assert manifest_hash(tmp_path / "joined") == manifest_hash(tmp_path / "shards")
    line = json.loads(gzip.decompress((tmp_path / "joined" / "shar-dev" / "cuts.000000.jsonl.gz").read_bytes()))
    assert (line["id"], line["recording"]["sources"][0]["type"]) == ("far/away", "shar")
