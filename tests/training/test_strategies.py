"""What each strategy promises, over real updates of a tiny encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines import finetune
from speechft_cli.events import Event, Table, TrainingStep, ignore
from speechft_cli.io.run_folder import read_run
from speechft_cli.training.freezing import parameters_of, trainable_names
from speechft_cli.training.strategies import STRATEGIES
from speechft_cli.training.strategies.base import Attached, StrategySettings
from tests.conftest import config_for


def attached(name: str, tiny: EncoderCheckpoint, **settings: object) -> tuple[Encoder, Attached]:
    torch.manual_seed(0)
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    strategy = STRATEGIES.get(name)(StrategySettings(**settings))  # type: ignore[arg-type]
    return encoder, strategy.attach(encoder, trainable_names(encoder), tiny.weights)


def step(encoder: Encoder, made: Attached, waveform: torch.Tensor, rate: float) -> None:
    """One step of gradient descent on one direction of the features; their size is fixed by the last LayerNorm."""
    encoder.zero_grad()
    features = encoder([waveform]).last
    (features * torch.linspace(-1, 1, features.shape[-1])).mean().backward()
    made.add_gradients()
    with torch.no_grad():
        for parameter in parameters_of(encoder, made.trained):
            parameter -= rate * parameter.grad


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_adapters_begin_as_the_base_change_only_their_targets_and_are_saved_as_plain_weights(
    name: str, tiny: EncoderCheckpoint
) -> None:
    encoder, made = attached(name, tiny, lora_rank=4)
    waveform = torch.randn(8_000)
    for key, tensor in made.weights().items():
        torch.testing.assert_close(tensor, tiny.weights[key], atol=1e-6, rtol=1e-5)
    for _ in range(3):
        step(encoder, made, waveform, 30.0)

    weights = made.weights()
    assert list(weights) == list(tiny.weights)
    moved = [key for key in weights if not torch.allclose(weights[key], tiny.weights[key], atol=1e-6)]
    layers = range(3)
    assert moved == [
        key
        for key in tiny.weights
        if any(key == f"encoder.layers.{n}.self_attn.{p}.weight" for n in layers for p in ("v_proj", "q_proj"))
    ]
    # plain weights in an encoder without adapters give the features that the adapters gave
    plain = build_encoder(
        tiny.with_weights({key: tensor.clone() for key, tensor in weights.items()}), device=torch.device("cpu")
    )
    with torch.no_grad():
        torch.testing.assert_close(plain([waveform]).last, encoder.eval()([waveform]).last, atol=1e-5, rtol=1e-4)


def test_loras_update_has_the_rank_asked_for(tiny: EncoderCheckpoint) -> None:
    encoder, made = attached("lora", tiny, lora_rank=2, lora_targets=("fc1",))
    for _ in range(3):
        step(encoder, made, torch.randn(8_000), 30.0)

    key = "encoder.layers.1.fc1.weight"
    singular = torch.linalg.svdvals(made.weights()[key] - tiny.weights[key])
    assert singular[1] > 100 * singular[2]


def test_doras_effective_weight_is_its_papers_formula(tiny: EncoderCheckpoint) -> None:
    encoder, made = attached("dora", tiny, lora_rank=4, lora_alpha=8)
    for _ in range(2):
        step(encoder, made, torch.randn(8_000), 30.0)

    place = "encoder.layers.0.self_attn.q_proj"
    held = made.adapters()
    whole = tiny.weights[f"{place}.weight"] + 2.0 * (
        held[f"{place}.lora_B.default.weight"] @ held[f"{place}.lora_A.default.weight"]
    )
    magnitude = held[f"{place}.lora_magnitude_vector.default.weight"]
    expected = magnitude[:, None] * whole / whole.norm(dim=1, keepdim=True)
    torch.testing.assert_close(made.weights()[f"{place}.weight"], expected)


def test_l2sp_adds_lambda_times_the_way_from_the_base(tiny: EncoderCheckpoint) -> None:
    encoder, made = attached("l2sp", tiny, l2sp_weight=0.3)
    assert made.held_bytes == sum(each.nbytes for each in parameters_of(encoder, made.trained))  # the plan counts them
    parameters = dict(encoder.model.named_parameters())
    for name in made.trained:
        parameters[name].data += 0.5
        parameters[name].grad = torch.ones_like(parameters[name])
    made.add_gradients()

    for name in made.trained:
        way = parameters[name].detach() - tiny.weights[name]
        torch.testing.assert_close(parameters[name].grad, 1 + 0.3 * way)


def test_a_strong_pull_keeps_the_encoder_nearer_to_the_base(
    manifests: Path, tmp_path: Path, tiny_file: Path, hubert: EncoderFamily
) -> None:
    def distance(name: str, **flags: object) -> float:
        out = tmp_path / name
        finetune.run(
            config_for(
                manifests,
                out,
                encoder__init=None,
                encoder__size=None,
                encoder__checkpoint=tiny_file,
                finetune__evaluate_every=6,
                **flags,
            ),
            ignore,
        )
        base, tuned = read_encoder(tiny_file, hubert).weights, read_encoder(out, hubert).weights
        return float(sum((tuned[key] - base[key]).square().sum() for key in base)) ** 0.5

    assert distance("pulled", finetune__strategy="l2sp", finetune__l2sp_weight=100.0) < distance("free")


def test_early_goes_by_the_whole_schedule_ends_early_and_keeps_its_last_checkpoint(
    manifests: Path, tmp_path: Path, hubert: EncoderFamily
) -> None:
    out = tmp_path / "run"
    events: list[Event] = []
    config = config_for(
        manifests,
        out,
        finetune__strategy="early",
        finetune__steps=10,
        finetune__early_share=0.4,
        finetune__evaluate_every=1,
    )
    finetune.run(config, events.append)

    steps = [event for event in events if isinstance(event, TrainingStep)]
    assert [each.step for each in steps] == [1, 2, 3, 4]
    assert steps[-1].learning_rate == 1e-3  # holding, as the whole run would be
    run = read_run(out)
    assert run["outputs"]["best"]["step"] == 4  # type: ignore[index]
    best, last = read_encoder(out / "best", hubert), read_encoder(out / "last", hubert)
    assert all(torch.equal(best.weights[key], last.weights[key]) for key in best.weights)


def test_regular_trains_the_encoder_from_the_first_update_on(manifests: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    finetune.run(
        config_for(manifests, tmp_path / "run", finetune__strategy="regular", finetune__steps=20),
        events.append,
        dry_run=True,
    )

    (table,) = [event for event in events if isinstance(event, Table)]
    rows = dict(table.rows)
    assert rows["strategy"] == "regular"
    assert "head and encoder, " in rows["steps 1-2: warm-up"]
