import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.s3prl import Encoder, build_encoder, random_checkpoint
from speechft_cli.errors import SpeechftError
from speechft_cli.probing.features import HiddenStates, crop_middle, hidden_states, pooled_features


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return build_encoder(random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=0), device=torch.device("cpu"))


@pytest.fixture
def utterances(tmp_path: Path) -> list[Utterance]:
    made = []
    for number, seconds in enumerate((0.5, 0.8, 0.3)):
        time = np.arange(round(seconds * 16_000)) / 16_000
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.3 * np.sin(2 * math.pi * 200 * (number + 1) * time * (1 + time)), 16_000)
        made.append(Utterance(f"u{number}", path, duration=seconds, sample_rate=16_000, speaker="x"))
    return made


def pool(encoder: Encoder, utterances: list[Utterance], cache: Path, **changed: str) -> tuple[torch.Tensor, list[int]]:
    seen: list[int] = []
    keys = {"encoder_hash": "e", "manifest_hash": "m", **changed}
    features = pooled_features(
        partial(hidden_states, encoder),
        utterances,
        layer_count=4,
        width=128,
        crop_seconds=None,
        cache=cache,
        advance=seen.append,
        **keys,
    )
    return features, seen


def test_every_utterance_is_encoded_as_if_alone(encoder: Encoder, utterances: list[Utterance], tmp_path: Path) -> None:
    features, _ = pool(encoder, utterances, tmp_path / "cache")
    assert features.shape == (3, 4, 128)
    states = hidden_states(encoder, utterances[0])
    assert states.shape == (4, encoder.family.frame_count(8000), 128)
    torch.testing.assert_close(features[0], states.double().mean(dim=1).float())
    assert not states.requires_grad


def test_cached_features_are_used_again(encoder: Encoder, utterances: list[Utterance], tmp_path: Path) -> None:
    first, seen = pool(encoder, utterances, tmp_path / "cache")
    assert seen == [1, 2, 3]
    for utterance in utterances:
        utterance.audio.unlink()
    again, seen = pool(encoder, utterances, tmp_path / "cache")
    assert torch.equal(first, again)
    assert seen == [3]


@pytest.mark.parametrize("changed", [{"encoder_hash": "other"}, {"manifest_hash": "other"}])
def test_features_of_other_weights_or_data_are_never_used(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path, changed: dict[str, str]
) -> None:
    pool(encoder, utterances, tmp_path / "cache")
    _, seen = pool(encoder, utterances, tmp_path / "cache", **changed)
    assert seen == [1, 2, 3]


def test_a_foreign_file_under_the_right_name_is_not_used(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    pool(encoder, utterances, tmp_path / "here")
    pool(encoder, utterances, tmp_path / "there", encoder_hash="other")
    (here,), (there,) = (tmp_path / "here").iterdir(), (tmp_path / "there").iterdir()
    here.write_bytes(there.read_bytes())
    _, seen = pool(encoder, utterances, tmp_path / "here")
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("damage", ["a flipped bit", "half a file", "nothing in it"])
def test_a_damaged_cache_is_noticed_and_made_again(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path, damage: str
) -> None:
    first, _ = pool(encoder, utterances, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    content = bytearray(file.read_bytes())
    if damage == "a flipped bit":
        content[-5] ^= 1
    file.write_bytes(b"" if damage == "nothing in it" else content[: len(content) // (1 + (damage == "half a file"))])
    again, seen = pool(encoder, utterances, tmp_path / "cache")
    assert torch.equal(first, again)
    assert seen == [1, 2, 3]
    assert pool(encoder, utterances, tmp_path / "cache")[1] == [3]


def test_a_crop_is_the_middle_of_the_utterance() -> None:
    utterance = Utterance("u", Path("u.wav"), start=3.0, duration=5.0)
    assert crop_middle(utterance, 1.0) == replace(utterance, start=5.0, duration=1.0)
    assert crop_middle(utterance, 5.0) == utterance
    assert crop_middle(utterance, None) == utterance


def test_beyond_the_budget_hidden_states_are_encoded_again_and_the_same(
    encoder: Encoder, utterances: list[Utterance]
) -> None:
    size = hidden_states(encoder, utterances[0]).numel() * 4
    everything, little = HiddenStates(encoder, budget=10 * size), HiddenStates(encoder, budget=size)
    for utterance in utterances * 2:
        assert torch.equal(everything.fetch(utterance), little.fetch(utterance))
    assert [utterance in little for utterance in utterances] == [True, False, False]
    assert (little.is_full, everything.is_full) == (True, False)


def test_an_utterance_too_short_for_a_frame_is_named(encoder: Encoder, utterances: list[Utterance]) -> None:
    with pytest.raises(SpeechftError, match="utterance u0"):
        hidden_states(encoder, replace(utterances[0], duration=0.01))
