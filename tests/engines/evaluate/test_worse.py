"""An encoder made worse on purpose must come out worse: by every kind of task, and by drift.

Query by example is tried in test_evaluate_qbe.py, what has a recurrent head in tests/probing/test_worse_features.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.engines import evaluate
from speechft_cli.events import ignore
from speechft_cli.reporting.drift import mean_drift, read_drift
from speechft_cli.reporting.scores import read_scores
from tests.conftest import make_config
from tests.manifest_files import write_manifest

TONES = {"A": 300.0, "B": 900.0, "C": 2400.0}
#: Every task that the pitch and the tones of these recordings can be told by, of both kinds.
LABELS = {"er": "emotion", "ks": "keyword", "ic": "action"}
TASKS = ("sid", "er", "ks", "ic", "pr")


@pytest.fixture(scope="module")
def melodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifests of melodies of three tones, by two players of whom one plays higher and with overtones."""
    folder = tmp_path_factory.mktemp("melodies")
    random = np.random.default_rng(0)
    for split, count in (("train", 24), ("dev", 10), ("test", 10)):
        utterances = []
        for number in range(count):
            player, phones = number % 2, [str(random.choice(list(TONES))) for _ in range(3)]
            time = np.arange(4_000) / 16_000
            tones = [np.sin(2 * np.pi * TONES[phone] * (1 + 0.25 * player) * time) for phone in phones]
            wave = np.concatenate([tone + player * 0.5 * np.abs(tone) for tone in tones])
            path = folder / f"{split}-{number}.wav"
            soundfile.write(path, 0.3 * wave + 0.01 * random.standard_normal(len(wave)), 16_000)
            utterances.append(
                Utterance(
                    path.stem,
                    path,
                    duration=0.75,
                    sample_rate=16_000,
                    phones=" ".join(phones),
                    speaker=f"player{player}",
                    labels=dict.fromkeys(LABELS.values(), f"class{player}"),
                )
            )
        write_manifest(folder, split, utterances)
    return folder


def test_noise_in_the_layers_is_heard_by_every_task_and_by_drift(
    tiny: EncoderCheckpoint, tiny_file: Path, melodies: Path, tmp_path: Path
) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: tensor + 300 * torch.randn(tensor.shape, generator=generator) if name.endswith("norm.bias") else tensor
        for name, tensor in tiny.weights.items()
    }
    converted.write(tiny.with_weights(weights), tmp_path / "worse.pt")
    evaluate.run(
        make_config(
            evaluate__data=melodies,
            evaluate__out=tmp_path / "out",
            evaluate__models={"base": tiny_file, "worse": tmp_path / "worse.pt"},
            evaluate__tasks=list(TASKS),
            evaluate__labels=LABELS,
            evaluate__steps={**dict.fromkeys(TASKS, 40), "pr": 160},
            evaluate__learning_rates={**{task: [1e-2, 1e-3] for task in TASKS}, "pr": [3e-2, 1e-2]},
            evaluate__extend_learning_rates=0,
            evaluate__seeds=1,
            evaluate__drift_seconds=3,
            evaluate__device="cpu",
        ),
        ignore,
    )
    scores = {
        (score.label, score.task): score.value for score in read_scores(tmp_path / "out" / "scores.jsonl")
        if score.split == "test"
    }  # fmt: skip
    for task in ("sid", "er", "ks", "ic"):
        assert scores["base", task] > scores["worse", task]
    assert scores["base", "pr"] < scores["worse", "pr"]
    drift = read_drift(tmp_path / "out" / "drift.jsonl")
    moved = {label: mean_drift([line for line in drift if line.label == label]) for label in ("base", "worse")}
    assert moved["base"] == pytest.approx(0, abs=1e-5)
    assert moved["worse"] > 0.1
