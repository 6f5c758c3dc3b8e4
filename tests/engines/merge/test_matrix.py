"""Every family and layout, from every format into every format: exact weights, and the same features everywhere."""

from __future__ import annotations

import argparse
import logging
import math
from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

from speechft_cli.config.load import load_config
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines import merge
from speechft_cli.events import ignore
from tests.encoders.layouts import LAYOUTS, tiny, voice

CPU = torch.device("cpu")


def tuned_from(base: EncoderCheckpoint) -> EncoderCheckpoint:
    """What fine-tuning leaves: the CNN as it was, all else moved, the pre-training head too."""
    generator = torch.Generator().manual_seed(1)
    weights = {
        name: tensor
        if base.family.is_cnn(name) or not tensor.is_floating_point()
        else tensor + 0.01 * torch.randn(tensor.shape, generator=generator)
        for name, tensor in base.weights.items()
    }
    return base.with_weights(weights)


def write(checkpoint: EncoderCheckpoint, folder: Path, name: str) -> Path:
    """Writes a checkpoint in a format of ours, or as s3prl's runner writes its downstream runs."""
    if name != "downstream":
        (path,) = save_encoder(checkpoint, folder, [name])
        return path
    prefix = "model." * (1 + checkpoint.family.network_place.count("."))
    tree = {
        "Args": argparse.Namespace(upstream=f"{checkpoint.family.name}_local"),
        "Upstream": {f"{prefix}{key}": tensor for key, tensor in checkpoint.weights.items()},
    }
    folder.mkdir()
    torch.save(tree, folder / "dev-best.ckpt")
    return folder / "dev-best.ckpt"


def within_one_ulp(merged: Tensor, base: Tensor, tuned: Tensor, alpha: float) -> bool:
    """Whether fp32 numbers are those of fp64 arithmetic, to one unit in the last place of the largest number met."""
    exact = base.double() + alpha * (tuned.double() - base.double())
    largest = torch.stack([base.abs(), tuned.abs(), merged.abs()]).amax(0)
    unit = torch.nextafter(largest, torch.tensor(math.inf)) - largest
    return bool(((merged.double() - exact).abs() <= unit.double()).all())


@pytest.mark.parametrize(("name", "size"), LAYOUTS)
def test_weights_are_exact_and_features_the_same_in_every_format(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, size: str
) -> None:
    base = tiny(name, size)
    tuned, family = tuned_from(base), base.family
    formats = ["s3prl", "safetensors", *(["hf"] if family.home is not None else [])]
    outputs = []
    # each format once as the base's and once as the tuned model's, and never the same for both
    ways_in = list(zip(formats, ["downstream", *reversed(formats[:-1])], strict=True))
    for into, (base_format, tuned_format) in enumerate(ways_in):
        folder = tmp_path / f"{base_format}-{tuned_format}"
        flags = {
            "base": write(base, folder / "base", base_format),
            "tuned": [write(tuned, folder / "tuned", tuned_format)],
            "out": folder / "out",
            "alphas": [0, 0.25, 1],
            "formats": formats if into == 0 else ["s3prl"],
        }
        merge.run(load_config(None, flags={f"merge.{key}": value for key, value in flags.items()}).config, ignore)
        outputs.append(folder / "out")

    files = [f"encoder{ending}" for ending in (".pt", ".safetensors", "-hf")[: len(formats)]]
    for out in outputs:
        for file in files if out == outputs[0] else files[:1]:
            at = {alpha: read_encoder(out / f"alpha-{alpha}" / file) for alpha in ("0", "0.25", "1")}
            for key, tensor in base.weights.items():
                end = tensor if family.is_kept(key) else tuned.weights[key]
                assert torch.equal(at["0"].weights[key], tensor), (out, file, key)
                assert torch.equal(at["1"].weights[key], end), (out, file, key)
                assert at["0.25"].weights[key].dtype == tensor.dtype
                assert within_one_ulp(at["0.25"].weights[key], tensor, end, 0.25), (out, file, key)

    waveform = voice(4_000)
    folder = outputs[0] / "alpha-0.25"
    with torch.no_grad():
        stock = build_encoder(read_encoder(folder / "encoder.pt"), device=CPU)([waveform]).hidden_states
        plain = build_encoder(read_encoder(folder / "encoder.safetensors"), device=CPU)([waveform]).hidden_states
    assert all(torch.equal(one, other) for one, other in zip(stock, plain, strict=True))
    if family.home is None:
        return
    transformers.utils.logging.enable_propagation()
    with caplog.at_level(logging.WARNING):
        model, info = getattr(transformers, family.home.architecture).from_pretrained(
            folder / "encoder-hf", output_loading_info=True
        )
    assert not caplog.records
    assert not any(info.values()), info
    prepared = waveform
    if family.normalizes(base.container):
        prepared = torch.nn.functional.layer_norm(waveform, waveform.shape)
    with torch.no_grad():
        theirs = model.eval()(prepared[None]).last_hidden_state
    assert (stock[-1] - theirs).abs().max().item() < 1e-5
