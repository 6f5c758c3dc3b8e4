"""One update against the same done by hand, on a batch of noise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from speechft_cli.data.batches import Piece
from speechft_cli.data.loading import Batch
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.base import Vocabulary
from speechft_cli.training.freezing import freeze, release, trainable_names
from speechft_cli.training.job import Job
from speechft_cli.training.precision import Precision, PrecisionName
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.state import TrainingState, new_state
from speechft_cli.training.strategies import STRATEGIES
from speechft_cli.training.strategies.base import StrategySettings
from speechft_cli.training.update import make_update

LONG, SHORT = (torch.randn(length, generator=torch.Generator().manual_seed(length)) for length in (16_000, 8_000))


@pytest.fixture(scope="module")
def job() -> Job:
    utterances = Utterances.of(
        Utterance(f"u{number}", Path("a.wav"), duration=1.0, speaker=name) for number, name in enumerate("ab")
    )
    return Job(TASKS.get("sid"), Vocabulary(("a", "b")), utterances, utterances)


def fresh(tiny: EncoderCheckpoint, precision: PrecisionName = "fp32") -> TrainingState:
    torch.manual_seed(0)
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    state = new_state(
        encoder,
        {"sid": TASKS.get("sid").head(encoder.width, 2)},
        strategy=STRATEGIES.get("stable")(StrategySettings()),
        trainable=trainable_names(encoder),
        base=tiny.weights,
        precision=Precision.on(precision, torch.device("cpu")),
        skip_limit=2,
    )
    release(state.encoder, state.attached.trained)
    state.encoder.eval()  # without dropout, so that what is done by hand draws nothing
    return state


def batch(number: int, waveform: Tensor) -> Batch:
    return Batch((Piece(0, number, 0, len(waveform)),), (waveform,))


def update(
    state: TrainingState, job: Job, batches: list[Batch], *, clip: float = 1e9, seed: int = 0, is_frozen: bool = False
) -> tuple[float, float, float]:
    made = make_update(state, job, batches, is_frozen=is_frozen, gradient_clip=clip, seed=seed, ranks=Ranks())
    return float(made[0]), float(made[1]), made[2]


def by_hand(state: TrainingState, waveforms: list[tuple[int, Tensor]]) -> tuple[float, dict[str, Tensor]]:
    """The mean of the losses of batches of one, and its gradient."""
    losses = []
    for target, waveform in waveforms:
        encoded = state.encoder([waveform])
        logits = state.heads["sid"](encoded.last, encoded.frame_counts)
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor([target])))
    loss = torch.stack(losses).mean()
    named = {name: each for name, each in state.encoder.named_parameters() if each.requires_grad}
    named |= {f"head.{name}": each for name, each in state.heads.named_parameters()}
    gradients = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return float(loss.detach()), {name: each for name, each in zip(named, gradients, strict=True) if each is not None}


def norm_of(gradients: dict[str, Tensor]) -> float:
    return float(torch.stack([each.norm() for each in gradients.values()]).norm())


def test_gradients_of_batches_are_averaged_and_their_norm_and_audio_told(tiny: EncoderCheckpoint, job: Job) -> None:
    state = fresh(tiny)
    loss, gradients = by_hand(state, [(0, LONG), (1, SHORT)])
    told = update(state, job, [batch(0, LONG), batch(1, SHORT)])

    assert told == (pytest.approx(loss, rel=1e-5), pytest.approx(norm_of(gradients), rel=1e-4), 1.5)
    for name, parameter in state.encoder.named_parameters():
        if name in gradients:
            torch.testing.assert_close(parameter.grad, gradients[name])


def test_a_long_gradient_is_shortened(tiny: EncoderCheckpoint, job: Job) -> None:
    state = fresh(tiny)
    _, gradients = by_hand(state, [(0, LONG)])
    update(state, job, [batch(0, LONG)], clip=norm_of(gradients) / 4)

    found = {name: each.grad for name, each in state.encoder.named_parameters() if each.grad is not None}
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, gradients[name] / 4, rtol=1e-3, atol=1e-7)


def test_float16_scales_the_loss_and_nothing_else(tiny: EncoderCheckpoint, job: Job) -> None:
    state = fresh(tiny, "fp16")
    loss, gradients = by_hand(state, [(0, LONG)])
    precision = state.precision
    assert precision.scale is not None
    precision.scale.fill_(1024.0)
    told = update(state, job, [batch(0, LONG)])

    assert told[:2] == (pytest.approx(loss, rel=0.02), pytest.approx(norm_of(gradients), rel=0.05))
    assert precision.steady is not None
    assert float(precision.steady) == 1.0  # it has noticed that the gradient was finite


def test_a_frozen_update_trains_the_head_alone(tiny: EncoderCheckpoint, job: Job) -> None:
    state = fresh(tiny)
    freeze(state.encoder, with_dropout=False)
    for group in state.optimizer.param_groups:
        group["lr"] = 1e-3
    before = {name: tensor.clone() for name, tensor in state.encoder.weights().items()}
    head = [each.clone() for each in state.heads.parameters()]
    update(state, job, [batch(0, LONG)], is_frozen=True)

    assert all(torch.equal(tensor, before[name]) for name, tensor in state.encoder.weights().items())
    assert all(not torch.equal(each, old) for each, old in zip(state.heads.parameters(), head, strict=True))


def test_dropout_depends_on_seed_and_number_of_the_update_alone(tiny: EncoderCheckpoint, job: Job) -> None:
    def loss_of(*, seed: int, step: int, drawn: int = 1) -> float:
        state = fresh(tiny)
        state.encoder.train()
        state.step = step
        torch.rand(drawn)
        return update(state, job, [batch(0, LONG)], seed=seed)[0]

    assert loss_of(seed=1, step=5, drawn=9) == loss_of(seed=1, step=5)
    assert len({loss_of(seed=1, step=5), loss_of(seed=1, step=6), loss_of(seed=2, step=5)}) == 3
