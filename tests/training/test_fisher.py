"""Squared gradients of a task's loss, against autograd by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.errors import SpeechftError
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.base import Vocabulary
from speechft_cli.training.fisher import squared_gradients, unit_norm

NAMES = ["encoder.layers.0.fc1.weight", "encoder.layers.1.self_attn.q_proj.bias", "encoder.pos_conv.0.weight_g"]
NAMES += ["feature_extractor.conv_layers.0.0.weight", "mask_emb"]


def test_each_utterance_s_gradient_is_squared_before_the_mean(tiny: EncoderCheckpoint) -> None:
    sid, vocabulary = TASKS.get("sid"), Vocabulary(("a", "b", "c"))
    torch.manual_seed(0)
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    head = sid.head(encoder.width, 3)
    examples = [(str(label), torch.randn(6000 + 1000 * label), [label]) for label in (0, 2)]
    found = squared_gradients(encoder, head, sid, vocabulary, iter(examples), NAMES)

    again = build_encoder(tiny, device=torch.device("cpu"))
    again.let_cnn_train()
    parameters = dict(again.model.named_parameters())
    expected = {name: torch.zeros_like(parameters[name]) for name in NAMES}
    for _, wave, (label,) in examples:
        for parameter in parameters.values():
            parameter.grad = None
        encoded = again([wave])
        F.cross_entropy(head(encoded.last, encoded.frame_counts), torch.tensor([label])).backward()
        for name in NAMES:
            gradient = parameters[name].grad
            expected[name] += 0 if gradient is None else gradient**2 / 2
    assert list(found) == NAMES
    for name in NAMES:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-12)
    assert found[NAMES[0]].any()
    assert found[NAMES[3]].any()
    assert not found["mask_emb"].any()

    normed, norm = unit_norm(found)
    assert abs(torch.cat([each.flatten() for each in normed.values()]).norm().item() - 1) < 1e-5
    torch.testing.assert_close(normed[NAMES[0]] * norm, found[NAMES[0]])


def test_without_an_utterance_there_is_nothing_to_measure(tiny: EncoderCheckpoint) -> None:
    sid = TASKS.get("sid")
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    with pytest.raises(SpeechftError, match="must have an utterance to measure on"):
        squared_gradients(encoder, sid.head(encoder.width, 2), sid, Vocabulary(("a", "b")), [], NAMES)
