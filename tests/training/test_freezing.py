from __future__ import annotations

import pytest
import torch
from torch import Tensor

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.training.freezing import freeze, parameters_of, release, trainable_names

#: Used by masked prediction only.
PRE_TRAINING = {"final_proj.weight", "final_proj.bias", "label_embs_concat"}


@pytest.fixture
def encoder(tiny: EncoderCheckpoint) -> Encoder:
    return build_encoder(tiny, device=torch.device("cpu"))


def heard_twice(encoder: Encoder) -> tuple[Tensor, Tensor]:
    waveform = [torch.randn(16_000, generator=torch.Generator().manual_seed(0))]
    return encoder(waveform).last, encoder(waveform).last


def test_a_frozen_encoder_has_dropout_only_if_asked(encoder: Encoder) -> None:
    with torch.no_grad():
        expected, _ = heard_twice(encoder.eval())
        freeze(encoder, with_dropout=False)
        one, other = heard_twice(encoder)
        assert torch.equal(one, expected)
        assert torch.equal(other, expected)

        freeze(encoder, with_dropout=True)
        one, other = heard_twice(encoder)
        assert not torch.allclose(one, other)


def test_nothing_in_a_frozen_encoder_wants_a_gradient(encoder: Encoder) -> None:
    encoder.requires_grad_(True)
    freeze(encoder, with_dropout=True)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_a_released_encoder_trains_what_was_named_with_dropout(encoder: Encoder) -> None:
    freeze(encoder, with_dropout=False)
    names = trainable_names(encoder)
    encoder.requires_grad_(True)
    release(encoder, names)
    assert {name for name, each in encoder.model.named_parameters() if each.requires_grad} == set(names)
    assert all(each.requires_grad for each in parameters_of(encoder, names))
    assert not torch.allclose(*heard_twice(encoder))


def test_all_but_the_cnn_and_what_only_pre_training_uses_may_train(encoder: Encoder) -> None:
    everything = {name for name, _ in encoder.model.named_parameters()}
    cnn = {name for name in everything if name.startswith("feature_extractor.")}
    rest = everything - cnn - PRE_TRAINING - {"mask_emb"}
    assert len(cnn) == 9  # seven convolutions and a GroupNorm's two
    assert set(trainable_names(encoder)) == rest
    assert set(trainable_names(encoder, with_cnn=True)) == rest | cnn
    assert set(trainable_names(encoder, with_mask=True)) == rest | {"mask_emb"}
