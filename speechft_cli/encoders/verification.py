"""Whether two encoders, in whatever formats they lie, compute the same features."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from speechft_cli.encoders.base import SAMPLE_RATE, EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoded
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.errors import RequestError


def short_signal() -> Tensor:
    """Returns one second of a rising tone in noise (N,), the same each time."""
    random = torch.Generator().manual_seed(0)
    time = torch.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = torch.sin(2 * torch.pi * (100 * time + 700 * time**2))
    return 0.3 * tone + 0.03 * torch.randn(SAMPLE_RATE, generator=random)


def s3prl_features(checkpoint: EncoderCheckpoint) -> tuple[Tensor, ...]:
    """Returns the hidden states (1, T, D) that s3prl's network gives of the test signal."""
    encoder = build_encoder(checkpoint, device=torch.device("cpu"))
    with torch.no_grad():
        encoded: Encoded = encoder([short_signal()])
    return encoded.hidden_states


def transformers_features(folder: Path, family: EncoderFamily, *, normalizes: bool) -> tuple[Tensor, ...]:
    """Returns the hidden states (1, T, D) that transformers' network gives of the test signal.

    Args:
        folder: What `from_pretrained` loads.
        family: The encoder's family.
        normalizes: Whether the encoder wants waveforms at mean 0 and variance 1.

    Raises:
        RequestError: transformers can't load the folder.
    """
    assert family.home is not None
    signal = short_signal()
    if normalizes:
        signal = nn.functional.layer_norm(signal, signal.shape)
    with _silence():
        import transformers

        try:
            model = getattr(transformers, family.home.architecture).from_pretrained(folder, dtype=torch.float32)
        except Exception as error:  # its own checks of config.json raise what is no kind of anything
            raise RequestError(f"{folder}: transformers can't load it: {' '.join(str(error).split())}") from error
    with torch.no_grad():
        given = model.eval()(signal[None], output_hidden_states=True)
    # a pre-LayerNorm network's last hidden state is not normalised in transformers, and is in s3prl
    return (*cast("tuple[Tensor, ...]", given.hidden_states)[:-1], cast(Tensor, given.last_hidden_state))


def difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Returns the largest difference between two encoders' features, where the largest feature of a layer is 1.

    Features smaller than 1 are not enlarged. Encoders with another number of layers differ infinitely.
    """
    if [each.shape for each in ours] != [each.shape for each in theirs]:
        return float("inf")
    return max(
        ((one - other).abs().max() / one.abs().max().clamp(min=1)).item()
        for one, other in zip(ours, theirs, strict=True)
    )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Silences what transformers says of a head that is left out, and its progress bar."""
    from transformers.utils import logging

    level, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if had_bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
