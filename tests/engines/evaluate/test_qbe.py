"""Query by example, from manifests to scores: words that are asked for, and sentences that hold them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.engines import evaluate
from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.events import ignore
from speechft_cli.reporting.scores import read_scores
from tests.conftest import make_config
from tests.manifest_files import write_manifest

NAMES = ("do", "re", "mi", "fa", "so")
#: Words are pieces of noise, 0.2 s each, that every speaker says alike.
WORDS = {name: np.random.default_rng(seed).standard_normal(3_200) for seed, name in enumerate(NAMES)}
#: What is asked for; the documents hold three words each.
ASKED = ("do", "mi", "so")


def sound(names: Sequence[str], random: np.random.Generator) -> np.ndarray:
    wave = np.concatenate([WORDS[name] for name in names])
    return 0.1 * wave + 0.01 * random.standard_normal(len(wave))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents in train: all sentences of three words; queries in dev and test: one word."""
    folder = tmp_path_factory.mktemp("words")
    random = np.random.default_rng(0)

    def make(name: str, said: Sequence[str], **fields: object) -> Utterance:
        path = folder / f"{name}.wav"
        soundfile.write(path, sound(said, random), 16_000)
        whole = Utterance(name, path, duration=0.2 * len(said), sample_rate=16_000, speaker=f"speaker{len(name) % 2}")
        return replace(whole, **fields)

    sentences = list(itertools.combinations(WORDS, 3))
    documents = [make(f"document{n}", each, text=" ".join(each).upper()) for n, each in enumerate(sentences)]
    documents.append(make("query-in-train", ["do"], labels={"query": "do"}))
    write_manifest(folder, "train", documents)
    for split in ("dev", "test"):
        queries = [make(f"{split}-{name}", [name], labels={"query": name}) for name in ASKED]
        write_manifest(folder, split, [*queries, make(f"{split}-sentence", ["do", "so"], text="DO SO")])
    return folder


def config(data: Path, encoder: Path, out: Path, **more: object) -> object:
    settings: dict[str, object] = {
        "evaluate__data": data,
        "evaluate__out": out,
        "evaluate__models": {"base": encoder},
        "evaluate__tasks": ["qbe"],
        "evaluate__drift_seconds": 0,
        "evaluate__device": "cpu",
    }
    return make_config(**(settings | more))


def test_words_are_found_and_the_layer_is_chosen_on_dev(words: Path, tiny_file: Path, tmp_path: Path) -> None:
    evaluate.run(config(words, tiny_file, tmp_path), ignore)  # type: ignore[arg-type]

    dev, test = read_scores(tmp_path / "scores.jsonl")
    assert (dev.split, test.split, test.metric, test.title) == ("dev", "test", "mtwv", "MTWV")
    assert test.value > 90
    assert (dev.utterances, test.utterances) == (3, 3)
    assert dict(dev.tried)[float(test.layer or 0)] == max(value for _, value in dev.tried) == dev.value
    assert (test.learning_rate, test.seeds, test.steps, test.interval) == (None, (), (), None)
    lines = [json.loads(line) for line in next((tmp_path / "predictions").iterdir()).read_text().splitlines()]
    assert {line["id"]: line["target"] for line in lines} == {
        "test-do": "1111110000", "test-mi": "1001101101", "test-so": "0010110111",
    }  # fmt: skip
    report = (tmp_path / "report.md").read_text()
    assert f"layer {test.layer}" in report

    # the same request finds its scores and does nothing
    told: list[object] = []
    evaluate.run(config(words, tiny_file, tmp_path), told.append)  # type: ignore[arg-type]
    assert any("1 of 1 pairs of encoder and task are taken from" in str(event) for event in told)


def test_an_encoder_whose_layers_collapse_finds_less(
    words: Path, tiny: EncoderCheckpoint, tiny_file: Path, tmp_path: Path
) -> None:
    # noise on the weights would not do: any random encoder tells these words apart, and a constant is normalised away
    deaf = {
        name: torch.zeros_like(tensor) if name.startswith("feature_extractor.conv_layers.0.") else tensor
        for name, tensor in tiny.weights.items()
    }
    assert sum(not tensor.any() for tensor in deaf.values()) > sum(not tensor.any() for tensor in tiny.weights.values())
    converted.write(tiny.with_weights(deaf), tmp_path / "worse.pt")
    models = {"base": tiny_file, "worse": tmp_path / "worse.pt"}

    evaluate.run(config(words, tiny_file, tmp_path / "out", evaluate__models=models), ignore)  # type: ignore[arg-type]

    scores = read_scores(tmp_path / "out" / "scores.jsonl")
    values = {score.label: score.value for score in scores if score.split == "test"}
    assert values["base"] > values["worse"] + 15


def test_data_without_queries_or_documents_is_refused(words: Path, tiny_file: Path, tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        kept = [each for each in read_manifest(words, split) if split != "test" or "query" not in each.labels]
        write_manifest(tmp_path, split, kept)
    with pytest.raises(RequestError, match=r"task qbe: must have .* in train, dev and test, has 10 in train, 3 in dev"):
        evaluate.run(config(tmp_path, tiny_file, tmp_path / "out"), ignore)  # type: ignore[arg-type]


def test_probes_are_not_set_for_a_task_without(words: Path, tiny_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.steps\.qbe: must be of a task with probes"):
        evaluate.run(config(words, tiny_file, tmp_path, evaluate__steps={"qbe": 5}), ignore)  # type: ignore[arg-type]
