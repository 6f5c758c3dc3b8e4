"""Which of an encoder's parameters train. Nothing in s3prl is edited: requires_grad is set from outside."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from speechft_cli.encoders.encoder import Encoder


def trainable_names(encoder: Encoder, *, with_cnn: bool = False, with_mask: bool = False) -> list[str]:
    """Returns the parameters that may train once the encoder is released.

    What gets no gradient is none of them: the pre-training head, and the mask embedding where nothing is masked.

    Args:
        encoder: The encoder.
        with_cnn: Whether the CNN trains: only in pre-training from scratch.
        with_mask: Whether frames are hidden, so that the embedding that takes their place trains.
    """
    return [
        name
        for name, _ in encoder.model.named_parameters()
        if (with_cnn or not encoder.family.is_cnn(name))
        and (not encoder.family.is_untrained(name) or (with_mask and name == encoder.mask_name))
    ]


def parameters_of(encoder: Encoder, names: Sequence[str]) -> list[nn.Parameter]:
    """Returns the parameters of those names, in their order."""
    parameters = dict(encoder.model.named_parameters())
    return [parameters[name] for name in names]


def freeze(encoder: Encoder, *, with_dropout: bool) -> None:
    """Lets nothing in the encoder train; its dropout stays on if asked."""
    encoder.requires_grad_(False)
    encoder.train(with_dropout)


def release(encoder: Encoder, names: Sequence[str]) -> None:
    """Lets the parameters of those names train, and no others."""
    encoder.requires_grad_(False)
    for parameter in parameters_of(encoder, names):
        parameter.requires_grad_(True)
    encoder.train()
