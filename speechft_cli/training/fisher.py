"""How much a task's loss depends on each weight: the diagonal of the empirical Fisher information."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from speechft_cli.encoders.encoder import Encoder
from speechft_cli.errors import SpeechftError
from speechft_cli.tasks.base import Task, Vocabulary
from speechft_cli.training.freezing import parameters_of


def squared_gradients(
    encoder: Encoder,
    head: nn.Module,
    task: Task,
    vocabulary: Vocabulary,
    examples: Iterable[tuple[str, Tensor, Sequence[int]]],
    names: Sequence[str],
) -> dict[str, Tensor]:
    """Returns E[(∂ loss / ∂θ)²] of parameters of the encoder, in their shapes, in fp32 on the CPU.

    The gradient is of the loss of one utterance with its own target: gradients of a batch would cancel before they are
    squared. Targets are the manifests', not drawn from the model: that is the empirical Fisher information.

    Args:
        encoder: Put into evaluation mode, so that dropout has no say.
        head: The task's; put into evaluation mode.
        task: Its loss is that of training: a transcript's is divided by its length.
        vocabulary: The head's classes.
        examples: Name, waveform (N,), 16 kHz, and target of each utterance, on the encoder's device.
        names: Of the parameters; one that no gradient reaches gets zeros.

    Raises:
        SpeechftError: A gradient is not finite, or there is no example.
    """
    encoder.eval()
    head.eval()
    encoder.requires_grad_(False)
    head.requires_grad_(False)
    if any(encoder.family.is_cnn(name) for name in names):
        encoder.let_cnn_train()  # its gradients are scaled, but for all models alike
    parameters = dict(zip(names, parameters_of(encoder, names), strict=True))
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    sums = {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in parameters.items()}
    count = 0
    for which, waveform, target in examples:
        count += 1
        encoded = encoder([waveform])
        logits = head(encoded.last, encoded.frame_counts)
        loss = task.loss(logits, encoded.frame_counts, [target], vocabulary)
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        if not all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None):
            raise SpeechftError(f"{which}: must have a finite gradient of {task.name}, its loss is {loss.item():g}")
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                sums[name].addcmul_(gradient.float(), gradient.float())
    if not count:
        raise SpeechftError(f"{task.name}: must have an utterance to measure on, got none")
    return {name: (total / count).cpu() for name, total in sums.items()}


def unit_norm(values: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
    """Returns the same values divided by their Euclidean norm over all tensors, and that norm; zeros stay zeros."""
    norm = float(torch.stack([each.double().square().sum() for each in values.values()]).sum().sqrt())
    return {name: each / norm if norm else each for name, each in values.items()}, norm
