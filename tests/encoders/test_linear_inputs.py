"""Inner products of what goes into linear layers, against hooks and the layers' own outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.linear_inputs import input_products
from speechft_cli.encoders.s3prl import build_encoder


def test_products_of_inputs_are_those_that_the_layers_got(tiny: EncoderCheckpoint) -> None:
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    heard: dict[str, list[Tensor]] = {}

    def note(name: str) -> None:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], kwargs: dict[str, Tensor], output: object) -> None:
            del module
            value = inputs[0] if inputs else kwargs["query"]
            heard.setdefault(name, []).append(value.reshape(-1, value.shape[-1]).detach())
            first = output[0] if isinstance(output, tuple) else output
            assert isinstance(first, Tensor)
            heard.setdefault(f"{name} out", []).append(first.reshape(-1, first.shape[-1]).detach())

        encoder.model.get_submodule(name).register_forward_hook(hook, with_kwargs=True)

    layer = "encoder.layers.0"
    for name in ("post_extract_proj", f"{layer}.fc1", f"{layer}.fc2", f"{layer}.self_attn"):
        note(name)
    matrices = [
        name for name, tensor in tiny.weights.items() if tensor.ndim == 2 and ("layers." in name or "extract" in name)
    ]
    generator = torch.Generator().manual_seed(0)
    waves = [torch.randn(length, generator=generator) for length in (8000, 12345)]
    found = input_products(encoder, waves, [*matrices, "label_embs_concat"])

    assert set(found) == set(matrices)  # no product goes past them, and nothing is multiplied by the labels
    for name in ("post_extract_proj", f"{layer}.fc1", f"{layer}.fc2"):
        inputs = torch.cat(heard[name])
        torch.testing.assert_close(found[f"{name}.weight"], inputs.T @ inputs / len(inputs), rtol=1e-5, atol=1e-6)
    inputs = torch.cat(heard[f"{layer}.self_attn"])
    for part in ("q_proj", "k_proj", "v_proj"):
        own = found[f"{layer}.self_attn.{part}.weight"]
        torch.testing.assert_close(own, inputs.T @ inputs / len(inputs), rtol=1e-5, atol=1e-6)
    # what attention hands to its last layer no hook sees, but what comes out of that one
    weight, bias = (tiny.weights[f"{layer}.self_attn.out_proj.{part}"] for part in ("weight", "bias"))
    outputs = torch.cat(heard[f"{layer}.self_attn out"]) - bias
    own = weight @ found[f"{layer}.self_attn.out_proj.weight"] @ weight.T
    torch.testing.assert_close(own, outputs.T @ outputs / len(outputs), rtol=1e-4, atol=1e-6)


def test_the_frame_that_networks_add_to_an_odd_number_is_no_input(tiny: EncoderCheckpoint) -> None:
    wave = torch.randn(8320, generator=torch.Generator().manual_seed(0))
    heard: list[Tensor] = []
    stock = build_encoder(tiny, device=torch.device("cpu")).eval()
    layer = stock.model.get_submodule("encoder.layers.1.fc1")
    layer.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0].flatten(0, -2)))
    frames = int(stock([wave]).frame_counts)
    assert frames == 25
    assert len(heard[0]) == 26  # the network's own way

    found = input_products(build_encoder(tiny, device=torch.device("cpu")), [wave], ["encoder.layers.1.fc1.weight"])

    own = heard[0][:frames].detach()
    torch.testing.assert_close(found["encoder.layers.1.fc1.weight"], own.T @ own / frames, rtol=1e-5, atol=1e-6)
