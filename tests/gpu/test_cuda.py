"""What only a GPU can show: run them where there is one, `pytest -m gpu`."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint
from speechft_cli.engines import evaluate, finetune
from speechft_cli.errors import InterruptedRunError, SpeechftError
from speechft_cli.events import Event, Report, TrainingStep, ignore
from speechft_cli.io.run_folder import read_metrics, read_run
from speechft_cli.probing.encoding import encode_batch
from speechft_cli.reporting.scores import read_scores
from speechft_cli.tasks.heads import BidirectionalLSTM
from speechft_cli.training.kernels import choose_kernels
from tests.conftest import make_config

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here"),
]


def losses(manifests: Path, out: Path, *, resume: bool = False, **flags: object) -> list[float]:
    """Fine-tunes a tiny encoder; returns the loss of every update."""
    tune(manifests, out, resume=resume, **flags)
    return [float(line["loss"]) for line in read_metrics(out / "metrics.jsonl") if "loss" in line]


def tune(manifests: Path, out: Path, *, report: Report = ignore, resume: bool = False, **flags: object) -> None:
    settings: dict[str, object] = {
        "encoder__init": "random",
        "encoder__size": "tiny",
        "finetune__task": "sid",
        "finetune__data": manifests,
        "finetune__out": out,
        "finetune__steps": 8,
        "finetune__frozen_share": 0.25,
        "finetune__batch_seconds": 4.0,
        "finetune__evaluate_every": 4,
        "finetune__log_every": 1,
        "finetune__learning_rate": 1e-3,
        "finetune__workers": 0,
        "finetune__device": "cuda",
    }
    finetune.run(make_config(**{**settings, **flags}), report, resume=resume)


def test_features_are_those_of_the_cpu(tiny: EncoderCheckpoint, manifests: Path) -> None:
    batch = list(read_manifest(manifests, "train"))[:4]
    waveforms = [read_waveform(each) for each in batch]
    here = encode_batch(build_encoder(tiny, device=torch.device("cpu"), exact_padding=True), batch, waveforms)
    encoder = build_encoder(tiny, device=torch.device("cuda"), exact_padding=True)
    together = encode_batch(encoder, batch, waveforms)
    alone = [encode_batch(encoder, [each], [wave])[0] for each, wave in zip(batch, waveforms, strict=True)]
    for on_cpu, on_gpu, by_itself in zip(here, together, alone, strict=True):
        torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(on_gpu, by_itself, rtol=1e-5, atol=1e-5)


def test_the_first_updates_are_those_of_the_cpu(manifests: Path, tmp_path: Path) -> None:
    # dropout draws other numbers on another device
    flags = {"finetune__frozen_dropout": False, "finetune__steps": 8}
    here = losses(manifests, tmp_path / "cpu", finetune__device="cpu", **flags)
    there = losses(manifests, tmp_path / "cuda", **flags)
    assert there[:2] == pytest.approx(here[:2], rel=1e-3)


def test_attention_in_half_precision_is_not_cudnn_s(manifests: Path, tmp_path: Path) -> None:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        tune(manifests, tmp_path / "run", finetune__precision="bf16")
    called = {event.key for event in profile.key_averages()}
    assert any("scaled_dot_product" in name for name in called)
    assert not any("cudnn_attention" in name for name in called)


@pytest.mark.parametrize("name", ["hubert", "data2vec", "distilhubert"])
def test_the_kernels_chosen_for_half_precision_compute_what_float32_computes(name: str) -> None:
    encoder = build_encoder(random_checkpoint(ENCODERS.get(name), "tiny", seed=0), device=torch.device("cuda"))
    waveforms = [torch.randn(16_000).cuda(), torch.randn(12_000).cuda()]
    positions = list(encoder.model.get_submodule("encoder.pos_conv").parameters())
    exact = encoder(waveforms).last
    direction = torch.randn_like(exact[0])
    wanted = torch.autograd.grad((exact[0] * direction).sum(), positions)

    choose_kernels(encoder)
    with torch.autocast("cuda", torch.bfloat16):
        rounded = encoder(waveforms).last
    found = torch.autograd.grad((rounded[0].float() * direction).sum(), positions)
    with torch.no_grad():
        assert 0 < (rounded[0] - exact[0]).norm() < 0.03 * exact[0].norm()
        for own, reference in zip(found, wanted, strict=True):
            assert (own - reference).norm() < 0.05 * reference.norm()
    torch.testing.assert_close(encoder(waveforms).last, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_autocast_learns_what_float32_learns(manifests: Path, tmp_path: Path, precision: str) -> None:
    flags = {"finetune__steps": 40, "finetune__evaluate_every": 40}
    exact = losses(manifests, tmp_path / "fp32", **flags)
    rounded = losses(manifests, tmp_path / precision, finetune__precision=precision, **flags)
    assert rounded[0] == pytest.approx(exact[0], rel=2e-2)
    assert rounded[-1] < 0.7 * rounded[0]
    assert rounded[-1] == pytest.approx(exact[-1], abs=0.15 * exact[0])
    weights = torch.load(tmp_path / precision / "last" / "encoder.pt")
    assert {tensor.dtype for tensor in weights["model_weight"].values()} == {torch.float32}


@pytest.mark.parametrize("flags", [{"finetune__gradient_checkpointing": True}, {"finetune__compile": True}])
def test_what_saves_memory_or_time_changes_no_loss(manifests: Path, tmp_path: Path, flags: dict[str, object]) -> None:
    plain = losses(manifests, tmp_path / "plain", finetune__steps=4)
    assert losses(manifests, tmp_path / "other", finetune__steps=4, **flags) == pytest.approx(plain, rel=5e-2)


@pytest.mark.parametrize("task", ["asr", "pr", "hubert"])
def test_every_kind_of_loss_computes(manifests: Path, tmp_path: Path, task: str) -> None:
    assert all(loss > 0 for loss in losses(manifests, tmp_path / "run", finetune__task=task, finetune__steps=3))


@pytest.mark.parametrize("strategy", ["regular", "l2sp", "lora", "dora", "early"])
def test_every_strategy_computes(manifests: Path, tmp_path: Path, strategy: str) -> None:
    flags = {"finetune__strategy": strategy, "finetune__precision": "bf16"}
    assert all(loss > 0 for loss in losses(manifests, tmp_path / "run", **flags))


def test_an_interrupted_run_goes_on(manifests: Path, tmp_path: Path) -> None:
    flags = {"finetune__precision": "fp16", "finetune__workers": 2}
    whole = losses(manifests, tmp_path / "whole", **flags)

    def stop_after_the_third_update(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="interrupted at step 3 of 8"):
        tune(manifests, tmp_path / "stopped", report=stop_after_the_third_update, **flags)
    assert losses(manifests, tmp_path / "stopped", resume=True, **flags) == pytest.approx(whole, rel=1e-2)


def test_what_does_not_fit_is_said_before_the_first_update(manifests: Path, tmp_path: Path) -> None:
    flags = {"finetune__steps": 1, "finetune__batch_seconds": 100.0, "finetune__frozen_share": 0.0}
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    tune(manifests, tmp_path / "fits", **flags)
    gc.collect()
    torch.cuda.empty_cache()
    most = torch.cuda.memory_allocated() + (torch.cuda.max_memory_allocated() - torch.cuda.memory_allocated()) * 0.6
    torch.cuda.set_per_process_memory_fraction(most / torch.cuda.get_device_properties(0).total_memory)
    try:
        with pytest.raises(SpeechftError) as caught:
            tune(manifests, tmp_path / "run", **flags)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "utterances of up to 1.3 s while the encoder is trained" in caught.value.message
    assert "lower finetune.batch_seconds: --set finetune.batch_seconds=50" in str(caught.value.hint)
    assert not [line for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if "loss" in line]


def test_an_lstm_in_half_precision_computes_what_it_computes_in_float32() -> None:
    torch.manual_seed(0)
    lstm = BidirectionalLSTM(256, 256, layers=3, dropout=0.0).cuda()
    counts = torch.tensor([200, 150, 7], device="cuda")
    features = torch.randn(3, 200, 256, device="cuda", requires_grad=True)
    exact = lstm(features, counts)
    (expected,) = torch.autograd.grad(exact[0].sum() + exact[2, :7].sum(), features)
    with torch.autocast("cuda", torch.bfloat16):
        rounded = lstm(features, counts)
    (found,) = torch.autograd.grad(rounded[0].float().sum() + rounded[2, :7].float().sum(), features)
    torch.testing.assert_close(rounded[2, :7].float(), exact[2, :7], rtol=2e-2, atol=2e-2)
    torch.testing.assert_close(found, expected, rtol=5e-2, atol=5e-2)


def test_torchrun_gives_each_rank_a_gpu(manifests: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = [
        "--set",
        "encoder.init=random",
        "--set",
        "encoder.size=tiny",
        "--task",
        "sid",
        "--data",
        str(manifests),
        "--out",
        str(tmp_path / "run"),
    ]
    flags += ["--set", "finetune.steps=4", "--set", "finetune.batch_seconds=4", "--set", "finetune.evaluate_every=4"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "1", "--master-port", str(port)]
    command += ["-m", "speechft_cli", "finetune", *flags, "--set", "finetune.device=cuda"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read_run(tmp_path / "run")["status"] == "done"


def test_probes_are_trained_and_scored(tiny_file: Path, manifests: Path, tmp_path: Path) -> None:
    def scores(device: str) -> dict[tuple[str, str, str], float]:
        out = tmp_path / device
        config = make_config(
            evaluate__models={"tiny": tiny_file},
            evaluate__data=manifests,
            evaluate__out=out,
            evaluate__tasks=["sid", "pr", "asr"],
            evaluate__steps={"sid": 50, "pr": 20, "asr": 5},
            evaluate__seeds=2,
            evaluate__device=device,
            evaluate__extend_learning_rates=0,
        )
        evaluate.run(config, ignore)
        return {(each.task, each.split, each.metric): each.value for each in read_scores(out / "scores.jsonl")}

    here, there = scores("cpu"), scores("cuda")
    assert there.keys() == here.keys()
    # two speakers who are two pitches; after so few updates the other scores are those of chance
    assert there["sid", "test", "acc"] == here["sid", "test", "acc"] == 100.0
