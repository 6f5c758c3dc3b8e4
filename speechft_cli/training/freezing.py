"""Which of an encoder's parameters train. Nothing in s3prl is edited: requires_grad is set from outside."""

from __future__ import annotations

from torch import nn

from speechft_cli.encoders.s3prl import Encoder


def trainable_parameters(encoder: Encoder) -> list[nn.Parameter]:
    """Returns what stable fine-tuning trains once the encoder is released.

    The CNN feature extractor never trains, and neither does what only the pre-training objective uses.
    """
    return [
        parameter
        for name, parameter in encoder.model.named_parameters()
        if not encoder.family.is_cnn(name) and not encoder.family.is_kept(name)
    ]


def freeze(encoder: Encoder, *, with_dropout: bool) -> None:
    """Lets nothing in the encoder train; its dropout stays on if asked."""
    encoder.requires_grad_(False)
    encoder.train(with_dropout)


def release(encoder: Encoder) -> None:
    """Lets everything train but the CNN and the pre-training head."""
    encoder.requires_grad_(False)
    for parameter in trainable_parameters(encoder):
        parameter.requires_grad_(True)
    encoder.train()
