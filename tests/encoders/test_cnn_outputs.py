import numpy as np
import pytest
import torch
from torch import Tensor

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.cnn_outputs import CnnOutputs
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint

ENOUGH = 2**30


def build(checkpoint: EncoderCheckpoint) -> Encoder:
    return build_encoder(checkpoint, device=torch.device("cpu"), exact_padding=True).eval()


def moved(checkpoint: EncoderCheckpoint, *, cnn: bool) -> EncoderCheckpoint:
    """Another checkpoint: all weights but the CNN's differ, or only the CNN's."""
    weights = {
        name: value + np.float32(0.01) if checkpoint.family.is_cnn(name) == cnn and value.dtype == np.float32 else value
        for name, value in checkpoint.arrays.items()
    }
    return checkpoint.with_weights(Tensors(weights))


def count_runs(encoder: Encoder) -> list[int]:
    """Where the runs of the first convolution are noted."""
    runs: list[int] = []
    first = encoder.model.get_submodule("feature_extractor.conv_layers.0.0")
    first.register_forward_hook(lambda *_: runs.append(1))
    return runs


@torch.no_grad()
def states(encoder: Encoder, batch: list[Tensor]) -> Tensor:
    return torch.stack(encoder(batch).hidden_states)


@pytest.mark.parametrize("family", ["hubert", "wav2vec2", "wavlm", "data2vec", "unispeech_sat", "distilhubert"])
def test_encoders_of_one_cnn_run_it_once_and_hear_the_same(family: str) -> None:
    base = random_checkpoint(ENCODERS.get(family), "tiny", seed=0)
    tuned = moved(base, cnn=False)
    batch = [0.1 * torch.randn(length) for length in (8000, 5000)]
    expected = [states(build(each), batch) for each in (base, tuned)]
    heard = CnnOutputs(budget=ENOUGH)
    for checkpoint, alone, ran in zip((base, tuned, base), (*expected, expected[0]), (1, 0, 0), strict=True):
        encoder = build(checkpoint)
        encoder.share_cnn(heard)
        runs = count_runs(encoder)
        assert torch.equal(states(encoder, batch), alone)
        assert len(runs) == ran


def test_another_cnn_another_length_and_other_audio_are_never_taken_for_the_same() -> None:
    base = random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=0)
    other = moved(base, cnn=True)
    silence_at_the_end = torch.cat([0.1 * torch.randn(5000), torch.zeros(3000)])
    batches = [
        [silence_at_the_end, silence_at_the_end],
        [silence_at_the_end, silence_at_the_end[:5000]],  # the same once padded, but for the statistics of its frames
        [silence_at_the_end, 2 * silence_at_the_end],
    ]
    expected = [[states(build(each), batch) for batch in batches] for each in (base, other)]
    heard = CnnOutputs(budget=ENOUGH)
    for checkpoint, alone in zip((base, other), expected, strict=True):
        encoder = build(checkpoint)
        encoder.share_cnn(heard)
        for batch, states_alone in zip(batches, alone, strict=True):
            assert torch.equal(states(encoder, batch), states_alone)


def test_nothing_is_kept_beyond_the_budget() -> None:
    encoder = build(random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=0))
    batch = [0.1 * torch.randn(8000)]
    with torch.no_grad():
        size = encoder.model.get_submodule("feature_extractor")(torch.stack(batch)).nbytes
    outputs = CnnOutputs(budget=size)
    encoder.share_cnn(outputs)
    runs = count_runs(encoder)
    for heard in (batch, [2 * batch[0]], batch, [2 * batch[0]]):
        states(encoder, heard)
    assert len(runs) == 3  # the first was kept, the second had no room
    outputs.forget()
    for heard in ([2 * batch[0]], [2 * batch[0]]):
        states(encoder, heard)
    assert len(runs) == 4


def test_an_encoder_without_a_cnn_is_left_alone() -> None:
    encoder = build(random_checkpoint(ENCODERS.get("decoar2"), "tiny", seed=0))
    batch = [0.1 * torch.randn(8000)]
    before = states(encoder, batch)
    encoder.share_cnn(CnnOutputs(budget=ENOUGH))
    assert torch.equal(states(encoder, batch), before)
