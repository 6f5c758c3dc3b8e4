"""What protects a run: too little memory, gradients that are no numbers, too little room."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch._inductor.config

from speechft_cli.data.batches import Piece
from speechft_cli.data.loading import Batch
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines import finetune
from speechft_cli.errors import SpeechftError
from speechft_cli.events import Event, Note, ignore
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.base import Vocabulary
from speechft_cli.training.best import save_best
from speechft_cli.training.freezing import release, trainable_names
from speechft_cli.training.job import Job
from speechft_cli.training.memory import compile_layers
from speechft_cli.training.precision import Precision
from speechft_cli.training.preflight import preflight
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.schedule import StableSchedule
from speechft_cli.training.state import TrainingState, checkpoint_bytes, new_state, save_last
from speechft_cli.training.strategies import STRATEGIES
from speechft_cli.training.strategies.base import StrategySettings
from speechft_cli.training.update import make_update
from tests.conftest import config_for


def sid_job(seconds: float) -> Job:
    utterances = Utterances.of(
        Utterance(f"u{index}", Path("a.wav"), duration=seconds, speaker="a") for index in range(2)
    )
    return Job(TASKS.get("sid"), Vocabulary(("a", "b")), utterances, utterances)


@pytest.fixture
def state(tiny: EncoderCheckpoint) -> TrainingState:
    torch.manual_seed(0)
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    return new_state(
        encoder,
        {"sid": TASKS.get("sid").head(encoder.width, 2)},
        strategy=STRATEGIES.get("stable")(StrategySettings()),
        trainable=trainable_names(encoder),
        base=tiny.weights,
        precision=Precision(),
        skip_limit=2,
    )


def test_a_batch_that_does_not_fit_is_met_before_the_first_update_and_says_what_to_lower(state: TrainingState) -> None:
    with pytest.raises(SpeechftError) as caught:
        preflight(state, [sid_job(5e5)], StableSchedule(steps=10), batch_seconds=120)

    assert (
        "sid: there is too little memory for 1 utterance of up to 500000.0 s while the encoder is frozen"
        in caught.value.message
    )
    assert "--set finetune.max_seconds=250000" in caught.value.hint


def test_a_preflight_changes_nothing(state: TrainingState) -> None:
    before = {name: tensor.clone() for name, tensor in state.encoder.weights().items()}
    preflight(state, [sid_job(1.0)], StableSchedule(steps=10), batch_seconds=3)

    assert all(torch.equal(tensor, before[name]) for name, tensor in state.encoder.weights().items())
    assert not state.optimizer.state
    assert all(parameter.grad is None for parameter in state.encoder.parameters())


def test_a_machine_without_a_compiler_is_told_of_before_the_first_update(
    state: TrainingState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no g++ there
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setattr(torch._inductor.config, "compile_threads", 1)  # no processes that outlive the test
    compile_layers(state.encoder)
    with pytest.raises(SpeechftError, match=r"^finetune.compile: torch can't compile here: .*C\+\+ compiler") as caught:
        preflight(state, [sid_job(1.0)], StableSchedule(steps=10), batch_seconds=3)
    assert "finetune.compile=false" in caught.value.hint


def test_an_update_with_a_gradient_that_is_no_number_is_left_out_counted_and_at_last_stops_the_run(
    state: TrainingState,
) -> None:
    job = sid_job(1.0)
    release(state.encoder, state.attached.trained)

    def update(waveform: torch.Tensor) -> None:
        batch = Batch((Piece(0, 0, 0, len(waveform)), Piece(0, 1, 0, len(waveform))), (waveform, waveform))
        make_update(state, job, [batch], is_frozen=False, gradient_clip=1.0, seed=0, ranks=Ranks())

    for group in state.optimizer.param_groups:
        group["lr"] = 1e-3
    update(torch.randn(16_000))
    before = {name: tensor.clone() for name, tensor in state.encoder.weights().items()}
    moments = {key: float(value["step"]) for key, value in state.optimizer.state.items()}
    update(torch.full((16_000,), torch.inf))

    assert all(torch.equal(tensor, before[name]) for name, tensor in state.encoder.weights().items())
    assert {key: float(value["step"]) for key, value in state.optimizer.state.items()} == moments
    state.skips.read(2, Ranks())
    assert state.skips.count == 1
    update(torch.randn(16_000))
    assert any(not torch.equal(tensor, before[name]) for name, tensor in state.encoder.weights().items())
    update(torch.full((16_000,), torch.inf))
    with pytest.raises(SpeechftError, match=r"step 4: 2 updates had to be left out .* utterances u0, u1"):
        state.skips.read(4, Ranks())


def test_float16_halves_its_scale_after_an_overflow_and_that_is_no_fault() -> None:
    precision = Precision.on("fp16", torch.device("cpu"))
    assert precision.scale is not None
    first = float(precision.scale)
    assert not precision.is_fault(torch.tensor(False))
    precision.adapt(torch.tensor(False))
    assert float(precision.scale) == first / 2
    for _ in range(2_000):
        precision.adapt(torch.tensor(True))
    assert float(precision.scale) == first
    precision.scale.fill_(1.0)
    assert precision.is_fault(torch.tensor(False))


def test_the_room_asked_for_is_the_room_taken(state: TrainingState, tiny: EncoderCheckpoint, tmp_path: Path) -> None:
    for parameter in state.encoder.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for parameter in state.heads.parameters():
        parameter.grad = torch.zeros_like(parameter)
    state.optimizer.step()
    save_last(state, tmp_path / "last", tiny)
    save_best(state, tmp_path / "best", tiny, jobs=[sid_job(1.0)], scores={"sid": {"acc": 1.0}})
    taken = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    assert checkpoint_bytes(state) == pytest.approx(taken, rel=0.05)


def test_speakers_of_train_that_dev_hears_too_are_flagged_and_so_is_a_rate_that_destroys(
    manifests: Path, tmp_path: Path, tiny_file: Path
) -> None:
    events: list[Event] = []
    config = config_for(
        manifests,
        tmp_path / "run",
        encoder__init=None,
        encoder__size=None,
        encoder__checkpoint=tiny_file,
        finetune__encoder_learning_rate=0.1,
    )
    finetune.run(config, events.append, dry_run=True)

    said = [event.text for event in events if isinstance(event, Note) and event.important]
    assert any(
        text.startswith("warning: speakers of train are heard in dev and test too (2, for example speaker0)")
        for text in said
    )
    assert any(text.startswith("warning: an encoder learning rate of 0.1 is known to destroy") for text in said)


def test_a_rate_that_blows_everything_up_stops_the_run_with_its_utterances(manifests: Path, tmp_path: Path) -> None:
    config = config_for(
        manifests,
        tmp_path / "run",
        finetune__learning_rate=1e30,
        finetune__steps=20,
        finetune__skip_limit=3,
        finetune__evaluate_every=20,
        finetune__hold_share=0.9,
    )
    with pytest.raises(SpeechftError, match=r"3 updates had to be left out .* train-"):
        finetune.run(config, ignore)
