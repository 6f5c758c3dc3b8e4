"""What trades time for memory must not change what is learnt; and how much memory activations take."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.tasks import TASKS
from speechft_cli.training.activations import activation_bytes
from speechft_cli.training.freezing import freeze, release, trainable_names
from speechft_cli.training.memory import checkpoint_layers, compile_layers
from speechft_cli.training.precision import Precision, PrecisionName

CPU = torch.device("cpu")
WAVEFORMS = [torch.randn(9_000, generator=torch.Generator().manual_seed(1)), torch.linspace(-1, 1, 6_000)]


@pytest.fixture
def encoder(tiny: EncoderCheckpoint) -> Encoder:
    encoder = build_encoder(tiny, device=CPU)
    release(encoder, trainable_names(encoder))  # with dropout
    return encoder


def gradients(encoder: Encoder) -> dict[str, Tensor]:
    torch.manual_seed(0)
    encoder(WAVEFORMS).last.square().mean().backward()
    return {
        name: parameter.grad.clone()
        for name, parameter in encoder.model.named_parameters()
        if parameter.grad is not None
    }


def test_gradient_checkpointing_gives_the_same_gradients_and_keeps_less(
    encoder: Encoder, tiny: EncoderCheckpoint
) -> None:
    kept: list[Tensor] = []
    calls: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        expected = gradients(encoder)
    without = len(kept)
    kept.clear()
    again = build_encoder(tiny, device=CPU)
    release(again, trainable_names(again))
    for layer in again.layers:
        layer.register_forward_pre_hook(lambda _module, _inputs: calls.append(1))
    checkpoint_layers(again)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        found = gradients(again)

    assert len(kept) < without / 2
    assert found.keys() == expected.keys()
    assert any(name.startswith("encoder.layers") for name in found)
    for name, gradient in expected.items():
        assert torch.equal(found[name], gradient), name


def test_layers_are_compiled_once_for_all_lengths_and_give_the_same_gradients(
    encoder: Encoder, tiny: EncoderCheckpoint
) -> None:
    expected = gradients(encoder)
    compiled = build_encoder(tiny, device=CPU)
    release(compiled, trainable_names(compiled))
    torch._dynamo.reset()
    counters.clear()
    compile_layers(compiled, backend="eager")

    found = gradients(compiled)
    for length in (7_000, 8_000, 11_000):
        compiled([torch.randn(length)] * 2)

    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient)
    assert counters["frames"]["ok"] == counters["frames"]["total"]
    assert counters["stats"]["unique_graphs"] <= 2  # with padding and without, for all layers together


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_estimate_of_activations_is_what_a_longer_batch_keeps(encoder: Encoder, precision: PrecisionName) -> None:
    head = TASKS.get("asr").head(encoder.width, 40)  # 40 million weights, which autocast copies
    weights = {each.untyped_storage().data_ptr() for module in (encoder, head) for each in module.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    settings = {"count": 3, "seconds": 5.0, "precision": Precision(precision)}
    estimate = activation_bytes(encoder, head, **settings, is_frozen=False)  # type: ignore[arg-type]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), Precision(precision).autocast(CPU):
        encoded = encoder([torch.zeros(80_000)] * 3)
        logits = head(encoded.last, encoded.frame_counts)
        assert logits.requires_grad

    assert estimate == pytest.approx(sum(kept.values()), rel=0.1)
    freeze(encoder, with_dropout=False)
    frozen = activation_bytes(encoder, copy.deepcopy(head), **settings, is_frozen=True)  # type: ignore[arg-type]
    assert 0 < frozen < estimate
