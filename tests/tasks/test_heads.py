from __future__ import annotations

import torch
from s3prl.downstream.asr.model import RNNs
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from speechft_cli.tasks.heads import (
    ActivityHead,
    BidirectionalLSTM,
    FrameHead,
    PooledHead,
    RecurrentHead,
    large_recurrent_head,
    mean_pool,
)


def test_the_recurrent_stack_is_torchs_lstm_over_packed_sequences() -> None:
    torch.manual_seed(0)
    ours = BidirectionalLSTM(6, 4, layers=2, dropout=0.0)
    torchs = nn.LSTM(6, 4, num_layers=2, bidirectional=True, batch_first=True)
    for layer in range(2):
        for module, suffix in ((ours.forward_layers[layer], ""), (ours.backward_layers[layer], "_reverse")):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(torchs, f"{name}_l{layer}{suffix}").data = getattr(module, f"{name}_l0").data.clone()
    features = torch.randn(3, 9, 6)
    counts = torch.tensor([9, 5, 1])
    packed = pack_padded_sequence(features, counts, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(torchs(packed)[0], batch_first=True)

    result = ours(features, counts)

    for row, count in enumerate(counts.tolist()):
        torch.testing.assert_close(result[row, :count], expected[row, :count])


def test_while_training_a_recurrent_head_drops_out_what_s3prls_does() -> None:
    torch.manual_seed(0)
    ours = RecurrentHead(6, 5, hidden=4, layers=2)
    per_layer = ([4] * 2, [0.2] * 2, [False] * 2, [False] * 2, [1] * 2)  # width, dropout, norm, projection, stride
    s3prls = RNNs(4, 5, 320, "LSTM", True, *per_layer, "concat")
    s3prls.linear = ours.classify
    for place, layer in enumerate(s3prls.rnns):
        for module, suffix in (
            (ours.recurrent.forward_layers[place], ""),
            (ours.recurrent.backward_layers[place], "_reverse"),
        ):
            for name, weights in module.named_parameters():
                getattr(layer.layer, f"{name}{suffix}").data = weights.data.clone()
    features, counts = torch.randn(3, 9, 6), torch.full((3,), 9)

    torch.manual_seed(1)
    expected, _ = s3prls(ours.project(features), counts)
    torch.manual_seed(1)
    result = ours.classify(ours.recurrent(ours.project(features), counts))  # all but SpecAugment

    torch.testing.assert_close(result, expected)


def test_padding_has_no_say_in_a_recurrent_head() -> None:
    torch.manual_seed(0)
    head = RecurrentHead(8, 5).eval()
    features = torch.randn(2, 12, 8)
    counts = torch.tensor([12, 7])
    changed = features.clone()
    changed[1, 7:] = 1e3

    torch.testing.assert_close(head(features, counts)[1, :7], head(changed, counts)[1, :7])
    torch.testing.assert_close(head(features, counts)[1, :7], head(features[1:, :7], counts[1:])[0])


def test_the_mean_is_over_an_utterances_own_frames() -> None:
    features = torch.tensor([[[1.0], [2.0], [99.0]]])

    assert mean_pool(features, torch.tensor([2])).tolist() == [[1.5]]


def test_pooling_before_the_projection_is_superbs_head() -> None:
    torch.manual_seed(0)
    head = PooledHead(8, 3)
    features = torch.randn(2, 6, 8)
    counts = torch.tensor([6, 4])

    torch.testing.assert_close(head(features, counts), head.classify(mean_pool(head.project(features), counts)))


def test_heads_have_the_sizes_of_speech_ft_and_superb() -> None:
    def linear(inputs: int, outputs: int) -> int:
        return (inputs + 1) * outputs

    def lstm(inputs: int, hidden: int) -> int:
        return 4 * hidden * (inputs + hidden + 2)  # four gates, two biases each

    expected = {
        RecurrentHead(768, 31): linear(768, 256) + 2 * (lstm(256, 256) + 2 * lstm(512, 256)) + linear(512, 31),
        large_recurrent_head(768, 31): linear(768, 1024) + 2 * (lstm(1024, 1024) + lstm(2048, 1024)) + linear(2048, 31),
        FrameHead(768, 73): linear(768, 256) + linear(256, 73),
        PooledHead(768, 73): linear(768, 256) + linear(256, 73),
        ActivityHead(768, 2): lstm(768, 512) + linear(512, 2),
    }
    for head, count in expected.items():
        assert sum(each.numel() for each in head.parameters()) == count, type(head).__name__


def test_features_are_augmented_only_while_training() -> None:
    torch.manual_seed(0)
    head = RecurrentHead(8, 5)
    head.recurrent.dropout.p = 0.0
    features, counts = torch.randn(2, 60, 8), torch.tensor([60, 60])
    plain = head.classify(head.recurrent(head.project(features), counts))

    torch.testing.assert_close(head.eval()(features, counts), plain)
    assert not torch.allclose(head.train()(features, counts), plain)
