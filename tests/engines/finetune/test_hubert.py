"""Pre-training and continued pre-training by masked prediction."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.finetune import FinetuneSection, UnitsSection
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines import finetune
from speechft_cli.engines.finetune import units as units_engine
from speechft_cli.engines.finetune.jobs import check_jobs
from speechft_cli.engines.finetune.units import UnitsRequest, label_frames
from speechft_cli.errors import InterruptedRunError, RequestError
from speechft_cli.events import Event, Started, Table, ignore
from speechft_cli.io.run_folder import read_run
from speechft_cli.training.ranks import Ranks
from tests.conftest import config_for
from tests.training.test_ranks import on_two_ranks


def hubert_config(manifests: Path, out: Path, **flags: object) -> Config:
    settings = {
        "finetune__task": "hubert",
        "finetune__units__clusters": 8,
        "finetune__crop_seconds": 1.0,
        "finetune__strategy": "regular",
    }
    return config_for(manifests, out, **{**settings, **flags})


def changed_names(before: Path, after: Path, family: EncoderFamily) -> set[str]:
    base, tuned = read_encoder(before, family), read_encoder(after, family)
    return {name for name in base.weights if not torch.equal(base.weights[name], tuned.weights[name])}


def test_pre_training_from_scratch_trains_the_cnn_and_the_mask_embedding(
    manifests: Path, tmp_path: Path, hubert: EncoderFamily
) -> None:
    out = tmp_path / "run"
    result = finetune.run(hubert_config(manifests, out, finetune__steps=3), ignore)

    assert "best dev unit acc" in result.summary
    changed = changed_names(out / "base" / "encoder.pt", out, hubert)
    assert "mask_emb" in changed
    assert any(hubert.is_cnn(name) for name in changed)
    assert not any(hubert.is_kept(name) for name in changed)
    (units,) = (out / "units").iterdir()
    ends, values = np.load(units / "ends.npy"), np.load(units / "units.npy")
    assert len(ends) == 16  # 12 to train on, 4 of dev
    assert ends[-1] == len(values)
    assert set(values.tolist()) <= set(range(8))


def test_the_next_round_clusters_a_layer_of_the_last_and_leaves_the_cnn(
    manifests: Path, tmp_path: Path, tiny_file: Path, hubert: EncoderFamily
) -> None:
    out = tmp_path / "run"
    config = hubert_config(
        manifests,
        out,
        encoder__init=None,
        encoder__size=None,
        encoder__checkpoint=tiny_file,
        finetune__units__layer=2,
        finetune__units__unmasked_weight=0.5,
        finetune__strategy="stable",
        finetune__steps=10,
        finetune__evaluate_every=10,
    )
    events: list[Event] = []
    finetune.run(config, events.append)

    rows = dict(next(event for event in events if isinstance(event, Table)).rows)
    assert rows["targets"] == "8 clusters of hidden state 2"
    assert rows["CNN"] == "never trains"
    assert "head, " in rows["steps 1-1: frozen"]
    changed = changed_names(tiny_file, out, hubert)
    assert "mask_emb" in changed
    assert not any(hubert.is_cnn(name) for name in changed)


def test_from_random_weights_adapters_leave_the_cnn_as_it_is_and_the_plan_says_so(
    manifests: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    config = hubert_config(manifests, tmp_path / "run", finetune__strategy="lora")
    finetune.run(config, events.append, dry_run=True)
    rows = dict(next(event for event in events if isinstance(event, Table)).rows)
    assert rows["CNN"] == "never trains"


def test_units_are_made_once_and_a_killed_labelling_goes_on(
    manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units_engine, "_SHARD", 5)
    out = tmp_path / "run"
    config = hubert_config(manifests, out, finetune__steps=1)
    finetune.run(config, ignore)
    (units,) = (out / "units").iterdir()
    assert sorted(path.name for path in units.iterdir()) == ["centres.npy", "ends.npy", "units.json", "units.npy"]
    before = (units / "units.npy").read_bytes()
    ends = np.load(units / "ends.npy")
    # as if killed when the first five utterances were labelled, with units nobody else would give
    np.savez(units / "00000.npz", units=np.full(ends[4], 7, dtype=np.int16), counts=np.diff(ends[:5], prepend=0))
    (units / "units.npy").unlink()
    (units / "units.json").unlink()
    centres = (units / "centres.npy").stat().st_mtime_ns
    run = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps({**run, "status": "running"}))
    finetune.run(config, ignore, resume=True)

    assert set(np.load(units / "units.npy")[: ends[4]].tolist()) == {7}
    assert (units / "units.npy").read_bytes()[-2 * int(ends[-1] - ends[4]) :] == before[-2 * int(ends[-1] - ends[4]) :]
    assert (units / "centres.npy").stat().st_mtime_ns == centres


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_frames_are_labelled_is_told_and_the_run_goes_on(
    manifests: Path, tmp_path: Path, number: signal.Signals
) -> None:
    config = hubert_config(manifests, tmp_path / "run", finetune__steps=1)

    def stop(event: Event) -> None:
        if isinstance(event, Started) and event.what == "labelling frames":
            os.kill(os.getpid(), number)

    with pytest.raises(InterruptedRunError) as caught:
        finetune.run(config, stop)
    assert caught.value.exit_code == 128 + number
    assert "--resume" in caught.value.hint
    assert read_run(tmp_path / "run")["status"] == "interrupted"

    finetune.run(config, ignore, resume=True)
    assert read_run(tmp_path / "run")["status"] == "done"


def test_ranks_share_the_labelling(manifests: Path, tmp_path: Path, tiny: EncoderCheckpoint) -> None:
    (checked,) = check_jobs(FinetuneSection(data=manifests, task="hubert", crop_seconds=1.0), manifests, tiny)
    request = UnitsRequest(UnitsSection(clusters=8), None, "of these manifests", seed=1)

    def label(folder: Path, ranks: Ranks, heard: list[Event]) -> None:
        units_engine._SHARD = 5  # 16 utterances: four shards
        torch.set_num_threads(1)  # else each reading thread finds that torch's pool did not survive the fork
        label_frames(checked.job, request, folder, device=torch.device("cpu"), ranks=ranks, report=heard.append)

    def work(ranks: Ranks) -> object:
        heard: list[Event] = []
        label(tmp_path / "two", ranks, heard)
        return [event.total for event in heard if isinstance(event, Started) and event.what == "labelling frames"]

    assert on_two_ranks(work) == [[5 + 5], [5 + 1]]
    alone = multiprocessing.get_context("fork").Process(target=label, args=(tmp_path / "one", Ranks(), []))
    alone.start()
    alone.join(60)
    one, two = (np.load(request.place(tmp_path / name) / "units.npy") for name in ("one", "two"))
    assert len(one) > 300
    assert one.tolist() == two.tolist()


def test_only_what_was_hidden_is_replaced(tiny: EncoderCheckpoint) -> None:
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    waveforms = [torch.randn(16_000), torch.randn(12_000)]
    mask = torch.zeros(2, 49, dtype=torch.bool)
    seen: list[torch.Tensor] = []
    handle = encoder.model.encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].clone()))
    with torch.no_grad():
        plain = encoder(waveforms).last
        assert torch.equal(encoder(waveforms, mask).last, plain)
        handle.remove()
        mask[0, 5:15] = True
        hidden = encoder(waveforms, mask).last
        # what the Transformer gets, by hand
        features = torch.where(mask[:, :, None], encoder.model.mask_emb, seen[0])
        padding = torch.arange(49)[None] >= torch.tensor([[49], [37]])
        expected = encoder.model.encoder(features, padding_mask=padding)[0]

    assert not torch.equal(hidden[0], plain[0])
    torch.testing.assert_close(hidden, expected)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"finetune__units__layer": 4}, "finetune.units.layer: must be at most 3, the encoder's last, got 4"),
        ({"finetune__units__clusters": 5_000}, "finetune.units.clusters: must be at most the number of frames"),
        ({"finetune__units__encoder": "x.pt"}, "finetune.units.layer: must say which layer"),
        ({"finetune__task": "asr"}, "finetune.crop_seconds: must be left out for the task asr"),
    ],
)
def test_what_can_not_be_is_said(manifests: Path, tmp_path: Path, flags: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        finetune.run(hubert_config(manifests, tmp_path / "run", **flags), ignore)

    assert message in caught.value.message
    assert not (tmp_path / "run").exists()
