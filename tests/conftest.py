"""What several test folders share: real recordings made here, real manifests, a real tiny encoder."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechft_cli.config.load import load_config
from speechft_cli.config.schema import Config
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.encoders.s3prl import random_checkpoint
from tests.manifest_files import write_manifest

SAMPLE_RATE = 16_000
WORDS = ("ONE", "TWO", "THREE", "FOUR")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # tests run side by side; two threads each would only wait for each other. Processes that tests start get as many,
    # for the number of threads shows in the last bits of a sum.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session", autouse=True)
def _signals_are_heard() -> None:
    # a shell lets its background jobs ignore SIGINT, nohup lets them ignore SIGHUP, and so would every process that a
    # test starts and stops
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; tests that need it are skipped where it is not."""
    folder = os.environ.get("SPEECHFT_SHARED_DATA")
    if not folder:
        pytest.skip("SPEECHFT_SHARED_DATA does not name a folder of recordings")
    return Path(folder)


@pytest.fixture(scope="session")
def hubert() -> EncoderFamily:
    return ENCODERS.get("hubert")


@pytest.fixture(scope="session")
def tiny(hubert: EncoderFamily) -> EncoderCheckpoint:
    """A randomly initialised tiny HuBERT."""
    return random_checkpoint(hubert, "tiny", seed=0)


@pytest.fixture(scope="session")
def tiny_file(tiny: EncoderCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same encoder as a file in s3prl's layout."""
    path = tmp_path_factory.mktemp("encoder") / "tiny.pt"
    converted.write(tiny, path)
    return path


@pytest.fixture(scope="session")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifests of 12 + 4 + 4 one-second recordings by two speakers, who are two pitches."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("dev", 4), ("test", 4)):
        utterances = []
        for index in range(count):
            speaker = index % 2
            seconds = 1.0 + 0.1 * (index % 4)
            time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
            wave = 0.3 * np.sin(2 * np.pi * (150 + 400 * speaker) * time) + 0.01 * random.standard_normal(len(time))
            path = folder / "audio" / f"{split}-{index}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, wave.astype(np.float32), SAMPLE_RATE)
            utterances.append(
                Utterance(
                    id=f"{split}-{index:02}",
                    audio=path,
                    duration=len(time) / SAMPLE_RATE,
                    sample_rate=SAMPLE_RATE,
                    text=WORDS[index % 4],
                    phones=" ".join(WORDS[index % 4]),
                    speaker=f"speaker{speaker}",
                )
            )
        write_manifest(folder, split, utterances)
    return folder


def make_config(**flags: object) -> Config:
    """A config from dotted keys, with `.` written as `__`."""
    return load_config(None, flags={key.replace("__", "."): value for key, value in flags.items()}).config


def config_for(manifests: Path, out: Path, **flags: object) -> Config:
    """A config of a short run of a tiny encoder, with dotted keys as `make_config` takes them."""
    settings: dict[str, object] = {
        "encoder__init": "random",
        "encoder__size": "tiny",
        "finetune__data": manifests,
        "finetune__out": out,
        "finetune__task": "pr",  # its head is one layer; asr's has 40 million weights, which every run would save
        "finetune__steps": 6,
        "finetune__batch_seconds": 4.0,
        "finetune__evaluate_every": 3,
        "finetune__log_every": 1,
        "finetune__learning_rate": 1e-3,
        "finetune__workers": 0,
        "finetune__device": "cpu",
    }
    return make_config(**{**settings, **flags})
