"""What `extract` is asked for, and the encoder that can give it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.encoder import FrozenEncoder
from speechft_cli.encoders.names import DEFAULT_SEED
from speechft_cli.engines.device import choose_device
from speechft_cli.errors import RequestError
from speechft_cli.events import Report
from speechft_cli.io.hashes import weights_hash
from speechft_cli.probing.candidates import build_candidate, named
from speechft_cli.probing.encoding import Batching

FileFormat = Literal["safetensors", "npy"]
Precision = Literal["fp32", "fp16", "bf16"]


@dataclass(frozen=True)
class ExtractRequest:
    """What to extract.

    Attributes:
        encoder: Checkpoint, folder or name, as `named` takes it.
        audio: Folder of manifests, folder of recordings, or a recording.
        out: Folder to write into.
        splits: Splits of the manifests; all when empty.
        layers: Which hidden states, 0 for the input of the first layer, negative from the end; all when empty.
        file_format: `safetensors`: a file per part, a tensor per utterance; `npy`: a file per utterance.
        precision: Of what is written.
        is_pooled: Write the mean over frames instead of the frames.
        batching: How utterances share a batch.
        family: Of the encoder; recognised from the file when None.
        base: Lends its configuration to a checkpoint that has none.
        device: Where to encode.
    """

    encoder: Path
    audio: Path
    out: Path
    splits: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    file_format: FileFormat = "safetensors"
    precision: Precision = "fp32"
    is_pooled: bool = False
    batching: Batching = "exact"
    family: str | None = None
    base: Path | None = None
    device: str = "auto"


def open_encoder(request: ExtractRequest, report: Report) -> tuple[FrozenEncoder, list[int], str]:
    """Returns the encoder, the hidden states asked for, and the hash of its weights.

    Raises:
        RequestError: The encoder can't be read, is of another family, or has no such hidden state.
    """
    family = None if request.family is None else ENCODERS.get(request.family)
    device = choose_device(request.device)
    candidate = named("encoder", request.encoder, seed=DEFAULT_SEED)
    is_exact = request.batching == "exact"
    encoder = build_candidate(
        candidate, family, base=request.base, device=device, exact_padding=is_exact, report=report
    )
    if family is not None and candidate.baseline is None and encoder.kind != family.name:
        raise RequestError(
            f"--family: must be what {request.encoder} says itself, {encoder.kind}, got {family.name}",
            "leave --family out, or check the path",
        )
    with torch.no_grad():
        count = len(encoder([torch.zeros(SAMPLE_RATE, device=device)]).hidden_states)
    wrong = [layer for layer in request.layers if not -count <= layer < count]
    if wrong:
        raise RequestError(
            f"--layers: must lie between 0 and {count - 1} for {request.encoder}, got {', '.join(map(str, wrong))}",
            "default: all",
        )
    layers = [layer % count for layer in request.layers] or list(range(count))
    return encoder, list(dict.fromkeys(layers)), weights_hash(encoder.weights())
