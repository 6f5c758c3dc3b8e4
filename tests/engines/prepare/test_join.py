"""`prepare --join` and `--split`: manifests from manifests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.engines.prepare import run
from speechft_cli.errors import RequestError
from speechft_cli.events import ignore
from tests.manifest_files import write_manifest

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}


def config(out: Path, *, seed: int = 1, **settings: object) -> Config:
    return Config(prepare=PrepareSection.model_validate({"out": out, **settings}), seed=seed)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 stretches, two thirds of them "yes", by twelve speakers; half of the speakers only say "yes"."""
    folder = tmp_path_factory.mktemp("data")
    soundfile.write(folder / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 60), 16_000)
    utterances = [
        Utterance(
            id=f"u{number:03}",
            audio=folder / "a.wav",
            start=number * 0.5,
            duration=0.4,
            sample_rate=16_000,
            speaker=f"s{number % 12:02}",
            labels={"label": "yes" if number % 12 < 8 else "no"},
            task_splits={"sid": "test"},
        )
        for number in range(120)
    ]
    write_manifest(folder, "train", utterances)
    return folder


def splits(folder: Path) -> dict[str, list[Utterance]]:
    return {split: list(read_manifest(folder, split)) for split in available_splits(folder)}


def test_utterances_are_divided_with_the_same_classes_everywhere(data: Path, tmp_path: Path) -> None:
    settings = {"join": [data], "split": SHARES, "stratify": "label"}
    run(config(tmp_path / "out", **settings), ignore)
    found = splits(tmp_path / "out")
    assert {split: Counter(each.labels["label"] for each in members) for split, members in found.items()} == {
        "train": {"yes": 64, "no": 32},
        "dev": {"yes": 8, "no": 4},
        "test": {"yes": 8, "no": 4},
    }
    assert sorted(each.id for members in found.values() for each in members) == [f"u{n:03}" for n in range(120)]
    assert found["dev"][0].audio == data / "a.wav"
    assert found["dev"][0].task_splits == {"sid": "test"}


def test_the_seed_decides(data: Path, tmp_path: Path) -> None:
    dev = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(config(tmp_path / name, seed=seed, join=[data], split=SHARES), ignore)
        dev[name] = [each.id for each in splits(tmp_path / name)["dev"]]
    assert dev["a"] == dev["b"] != dev["c"]


def test_a_speaker_stays_in_one_split(data: Path, tmp_path: Path) -> None:
    run(config(tmp_path / "out", join=[data], split=SHARES, split_by="speaker", stratify="label"), ignore)
    speakers = {split: {each.speaker for each in members} for split, members in splits(tmp_path / "out").items()}
    assert sorted(map(len, speakers.values())) == [1, 1, 10]
    assert set().union(*speakers.values()) == {f"s{number:02}" for number in range(12)}


def test_manifests_become_one(data: Path, tmp_path: Path) -> None:
    utterances = list(read_manifest(data, "train"))
    write_manifest(tmp_path / "one", "train", utterances[:50])
    write_manifest(tmp_path / "two", "train", utterances[49:100])
    write_manifest(tmp_path / "two", "dev", utterances[100:])
    result = run(config(tmp_path / "out", join=[tmp_path / "one", tmp_path / "two"]), ignore)
    found = splits(tmp_path / "out")
    assert {split: len(members) for split, members in found.items()} == {"train": 100, "dev": 20}
    assert found["train"] == utterances[:100]
    assert result.data["rejected"] == {"duplicate id": 1}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"join": [Path("/no/such")]}, "must be a folder of manifests, but there is no such folder"),
        ({"root": Path("/tmp")}, "prepare.root: must be absent beside prepare.join"),
        ({"split": {"train": 0.5}}, "must have shares that sum to 1, sum to 0.5"),
        ({"split": {"valid": 1.0}}, "prepare.split: must be one of dev, test, train, got 'valid'"),
        ({"stratify": "label"}, "prepare.stratify: must come with prepare.split"),
        ({"split": SHARES, "stratify": "emotion"}, "must be a field of the utterances, none has 'emotion'"),
        ({"split": SHARES, "stratify": "emotion", "split_by": "speaker"}, "none has 'emotion'"),
        ({"split": SHARES, "split_by": "speaker", "hours": 0.0002}, "must find a speaker for each of train, dev, test"),
    ],
)
def test_a_wrong_request_writes_nothing(data: Path, tmp_path: Path, settings: dict[str, object], problem: str) -> None:
    with pytest.raises(RequestError) as caught:
        run(config(tmp_path / "out", **{"join": [data], **settings}), ignore)
    assert problem in caught.value.message
    assert not (tmp_path / "out").exists()
