"""What pre-trained encoders are compared with: log mel features, and encoders of random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.encoder import FrozenEncoder
from speechft_cli.encoders.logmel import LogMel
from speechft_cli.encoders.names import FBANK, LOGMEL, read_random
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint


@dataclass(frozen=True)
class Baseline:
    """Something that makes features and was never pre-trained.

    Attributes:
        text: What it is, for people.
        build: device, whether padding is exact → the thing itself.
    """

    text: str
    build: Callable[[torch.device, bool], FrozenEncoder]


def baseline(name: str, *, seed: int) -> Baseline:
    """Returns what a name that `is_baseline` stands for.

    Args:
        name: `logmel`, `fbank`, or `random:FAMILY-SIZE` with or without `@SEED`.
        seed: Of random weights where the name says none.

    Raises:
        RequestError: There is no such family or size.
    """
    if name in (LOGMEL, FBANK):
        what = "normalised over the utterance: SUPERB's FBANK" if name == FBANK else "as they are"
        return Baseline(
            f"log mel features (80 bands, deltas; {what}), no weights",
            lambda device, _: LogMel(device=device, normalise=name == FBANK),  # padding changes nothing
        )
    asked = read_random(name)
    chosen = seed if asked.seed is None else asked.seed

    def build(device: torch.device, is_exact: bool) -> FrozenEncoder:
        checkpoint = random_checkpoint(ENCODERS.get(asked.family), asked.size, seed=chosen)
        return build_encoder(checkpoint, device=device, exact_padding=is_exact)

    return Baseline(f"random weights: {asked.family} {asked.size}, seed {chosen}", build)
