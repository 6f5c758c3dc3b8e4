"""The sentence of the paper that the reference never executes: head first, CNN never, everything else afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.events import ignore
from speechft_cli.tasks import TASKS
from speechft_cli.training.freezing import trainable_names
from speechft_cli.training.interrupt import Interruptible
from speechft_cli.training.job import Job
from speechft_cli.training.loop import LoopSettings, train
from speechft_cli.training.precision import Precision
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.schedule import StableSchedule
from speechft_cli.training.state import new_state
from speechft_cli.training.strategies import STRATEGIES
from speechft_cli.training.strategies.base import StrategySettings
from speechft_cli.training.usable import usable_for_scoring, usable_for_training

STEPS = 20
#: Used by masked prediction only, so fine-tuning sends them no gradient.
PRE_TRAINING = ("mask_emb", "final_proj.weight", "final_proj.bias", "label_embs_concat")


def trained(
    tiny: EncoderCheckpoint, manifests: Path, *, frozen_dropout: bool, evaluate_every: int, save_every: int
) -> dict[int, dict[str, Tensor]]:
    """Number of updates, 20 at most → the encoder's weights after them, wherever they are evaluated or saved."""
    task = TASKS.get("pr")
    torch.manual_seed(0)
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    vocabulary = task.vocabulary([each.phones or "" for each in read_manifest(manifests, "train")])
    train_split, _ = usable_for_training(
        read_manifest(manifests, "train"),
        task,
        vocabulary,
        frame_counts=tiny.family.frame_count,
        min_seconds=0.1,
        max_seconds=10,
    )
    state = new_state(
        encoder,
        {"pr": task.head(encoder.width, len(vocabulary))},
        strategy=STRATEGIES.get("stable")(StrategySettings()),
        trainable=trainable_names(encoder),
        base=tiny.weights,
        precision=Precision(),
        skip_limit=1,
    )
    snapshots: dict[int, dict[str, Tensor]] = {}

    def save(_scores: object, _is_best: bool) -> None:
        snapshots[state.step] = {name: tensor.clone() for name, tensor in encoder.weights().items()}

    save(None, False)
    train(
        state,
        jobs=[
            Job(
                task,
                vocabulary,
                train_split,
                usable_for_scoring(
                    read_manifest(manifests, "dev"), task, frame_counts=tiny.family.frame_count, max_seconds=10
                )[:1],
            )
        ],
        schedule=StableSchedule(steps=STEPS),
        settings=LoopSettings(
            learning_rate=1e-3,
            encoder_learning_rate=1e-3,
            gradient_clip=1.0,
            frozen_dropout=frozen_dropout,
            batch_seconds=4.0,
            batches_per_update=1,
            save_every=save_every,
            evaluate_every=evaluate_every,
            log_every=5,
            workers=0,
            seed=0,
        ),
        ranks=Ranks(),
        report=ignore,
        log=ignore,
        save=save,
        interruptible=Interruptible(),
    )
    return snapshots


@pytest.fixture(scope="module", params=[True, False], ids=["dropout on while frozen", "dropout off while frozen"])
def history(request: pytest.FixtureRequest, tiny: EncoderCheckpoint, manifests: Path) -> list[dict[str, Tensor]]:
    """The encoder's weights before the first update and after each of 20, with all that evaluations change between."""
    snapshots = trained(tiny, manifests, frozen_dropout=request.param, evaluate_every=1, save_every=1)
    assert list(snapshots) == list(range(STEPS + 1))
    return list(snapshots.values())


def test_no_encoder_parameter_changes_in_the_first_tenth_of_the_updates(history: list[dict[str, Tensor]]) -> None:
    for step in range(STEPS // 10 + 1):
        assert all(torch.equal(tensor, history[0][name]) for name, tensor in history[step].items()), f"update {step}"


def test_the_cnn_never_changes(history: list[dict[str, Tensor]], tiny: EncoderCheckpoint) -> None:
    cnn = [name for name in history[0] if tiny.family.is_cnn(name)]

    assert len(cnn) == 9  # seven convolutions and a GroupNorm's two
    for name in cnn:
        assert all(torch.equal(weights[name], history[0][name]) for weights in history), name


def test_everything_else_changes_with_the_first_update_after_that(
    history: list[dict[str, Tensor]], tiny: EncoderCheckpoint
) -> None:
    after = STEPS // 10 + 1
    rest = [name for name in history[0] if not tiny.family.is_cnn(name) and name not in PRE_TRAINING]

    # s3prl leaves the biases of the keys without effect on softmax: they get a gradient of zero but for rounding
    unchanged = [name for name in rest if torch.equal(history[after][name], history[0][name])]
    assert not [name for name in unchanged if not name.endswith("k_proj.bias")]


def test_what_only_pre_training_uses_stays_the_bases(history: list[dict[str, Tensor]]) -> None:
    for name in PRE_TRAINING:
        assert torch.equal(history[-1][name], history[0][name]), name


def test_evaluating_and_saving_change_nothing(tiny: EncoderCheckpoint, manifests: Path) -> None:
    often, rarely = (
        trained(tiny, manifests, frozen_dropout=True, evaluate_every=every, save_every=3) for every in (1, STEPS)
    )
    # of 20 updates two are frozen: the third is the first to change the encoder, and nothing was saved before it
    assert list(rarely) == [0, *range(3, STEPS, 3), STEPS]
    for step, weights in rarely.items():
        assert all(torch.equal(tensor, often[step][name]) for name, tensor in weights.items()), f"update {step}"
    assert not torch.equal(rarely[3]["encoder.layers.0.fc1.weight"], rarely[0]["encoder.layers.0.fc1.weight"])


def test_dropout_in_the_frozen_encoder_is_heard_by_the_head_alone(tiny: EncoderCheckpoint, manifests: Path) -> None:
    on, off = (
        trained(tiny, manifests, frozen_dropout=is_on, evaluate_every=STEPS, save_every=3) for is_on in (True, False)
    )
    # what the head learnt from in the first two updates tells in the encoder's first gradient
    assert not torch.equal(on[3]["encoder.layers.0.fc1.weight"], off[3]["encoder.layers.0.fc1.weight"])
