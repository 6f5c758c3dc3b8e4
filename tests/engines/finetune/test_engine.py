from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from speechft_cli.config.dump import config_yaml
from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.engines import finetune
from speechft_cli.engines.finetune.request import check_request
from speechft_cli.errors import InterruptedRunError, RequestError, SpeechftError
from speechft_cli.events import Event, Note, Started, Table, TrainingStep, ignore
from speechft_cli.io.run_folder import read_metrics, read_run, write_run
from tests.conftest import config_for, make_config
from tests.manifest_files import write_manifest


def test_a_run_leaves_everything_the_next_stage_needs(manifests: Path, tmp_path: Path, hubert: EncoderFamily) -> None:
    out = tmp_path / "run"
    events: list[Event] = []
    result = finetune.run(config_for(manifests, out, finetune__task="asr"), events.append)

    run = read_run(out)
    assert run["status"] == "done"
    assert run["seed"] == 1337
    assert run["threads"] == torch.get_num_threads()  # another number rounds otherwise
    best = read_encoder(out, hubert)
    assert best.path == out / "best" / "encoder.pt"
    assert best.is_complete
    base = read_encoder(Path(run["base"]["path"]), hubert)  # type: ignore[index]
    changed = [name for name in base.weights if not torch.equal(base.weights[name], best.weights[name])]
    assert changed
    assert not [name for name in changed if hubert.is_cnn(name) or hubert.is_kept(name)]
    lines = read_metrics(out / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in lines if "dev_wer" in line] == [3, 6]
    assert [event.stage for event in events if isinstance(event, TrainingStep)] == ["hold"] * 2 + ["decay"] * 4
    assert list((out / "tensorboard").glob("events.out.tfevents.*"))
    assert "best dev WER" in result.summary
    assert sorted(path.name for path in out.rglob(".*")) == [".lock"]


@pytest.fixture(scope="module")
def whole(manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happens to."""
    out = tmp_path_factory.mktemp("whole") / "run"
    finetune.run(config_for(manifests, out, finetune__workers=1), ignore)
    return out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_resumes_to_the_same_bits(
    manifests: Path, whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    stopped = config_for(manifests, tmp_path / "stopped", finetune__workers=1)

    def stop_after_the_second_update(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 2:
            os.kill(os.getpid(), number)

    with pytest.raises(InterruptedRunError, match="interrupted at step 2 of 6") as caught:
        finetune.run(stopped, stop_after_the_second_update)
    assert caught.value.exit_code == 128 + number
    assert read_run(tmp_path / "stopped")["status"] == "interrupted"

    finetune.run(stopped, ignore, resume=True)

    for part in ("encoder.pt", "state.pt"):
        expected = torch.load(whole / "last" / part)
        found = torch.load(tmp_path / "stopped" / "last" / part)
        assert flat(found) == flat(expected), part
    losses = [
        [line["loss"] for line in read_metrics(out / "metrics.jsonl") if "loss" in line]
        for out in (whole, tmp_path / "stopped")
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_run_at_once_and_says_how_it_goes_on(
    manifests: Path, whole: Path, tmp_path: Path, number: signal.Signals
) -> None:
    config = config_for(manifests, tmp_path / "stopped", finetune__workers=1)

    def stop_twice(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 4:
            for _ in range(2):
                os.kill(os.getpid(), number)

    with pytest.raises(InterruptedRunError, match="after the last checkpoint is not saved") as caught:
        finetune.run(config, stop_twice)
    assert caught.value.exit_code == 128 + number
    assert "--resume" in caught.value.hint
    run = read_run(tmp_path / "stopped")
    assert (run["status"], run["steps"]) == ("interrupted", 4)

    finetune.run(config, ignore, resume=True)
    assert flat(torch.load(tmp_path / "stopped/last/encoder.pt")) == flat(torch.load(whole / "last/encoder.pt"))


def test_a_run_that_is_stopped_in_evaluations_scores_what_one_that_never_was_does(
    manifests: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    config = config_for(manifests, out, finetune__workers=1)

    def stopped_at(event: Event, *, step: int, resume: bool = True) -> None:
        def stop(heard: Event) -> None:
            if heard == event:
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(InterruptedRunError, match=f"interrupted at step {step} of 6"):
            finetune.run(config, stop, resume=resume)
        assert len(list(out.rglob(".*"))) == 1

    stopped_at(Started("pr dev at step 3", 4, "utterances"), step=3, resume=False)
    assert not (out / "best").exists()
    stopped_at(Started("pr dev at step 3", 4, "utterances"), step=3)
    stopped_at(Started("pr dev at step 6", 4, "utterances"), step=6)
    assert read_run(out)["status"] == "interrupted"
    finetune.run(config, ignore, resume=True)

    assert read_run(out)["status"] == "done"
    for part in ("last/encoder.pt", "last/state.pt", "best/encoder.pt", "best/heads.pt"):
        assert flat(torch.load(out / part)) == flat(torch.load(whole / part)), part
    scores = [[line for line in read_metrics(run / "metrics.jsonl") if "dev_per" in line] for run in (whole, out)]
    assert [line["step"] for line in scores[0]] == [3, 6]
    assert scores[0] == scores[1]


def test_a_run_that_is_stopped_right_after_its_last_update_is_not_done_before_its_last_score(
    manifests: Path, whole: Path, tmp_path: Path
) -> None:
    config = config_for(manifests, tmp_path / "run")

    def stop(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedRunError, match="interrupted at step 6 of 6"):
        finetune.run(config, stop)
    finetune.run(config, ignore, resume=True)

    assert [line["step"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if "dev_per" in line] == [3, 6]
    heads = [torch.load(run / "best" / "heads.pt") for run in (whole, tmp_path / "run")]
    assert flat(heads[0]) == flat(heads[1])


def test_whoever_trains_goes_on_with_random_numbers_and_without_gradients_of_their_own(
    manifests: Path, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with torch.inference_mode():
        finetune.run(config_for(manifests, tmp_path / "run", finetune__steps=1), ignore)
        assert torch.is_inference_mode_enabled()

    assert torch.equal(torch.rand(3), expected)


def test_dev_scores_of_several_tasks_are_told_apart(manifests: Path, tmp_path: Path) -> None:
    # speakers by two names: both tasks have a score called acc
    tasks, labels = {"sid": 1.0, "ks": 1.0}, {"ks": "speaker"}
    out = tmp_path / "run"
    finetune.run(config_for(manifests, out, finetune__tasks=tasks, finetune__labels=labels, finetune__steps=2), ignore)

    (scores,) = (line for line in read_metrics(out / "metrics.jsonl") if "loss" not in line)
    assert scores.keys() == {"step", "dev_sid_acc", "dev_ks_acc"}
    events = EventAccumulator(str(out / "tensorboard")).Reload()
    assert {tag for tag in events.Tags()["scalars"] if tag.startswith("dev/")} == {"dev/sid_acc", "dev/ks_acc"}


def test_a_terminal_that_is_closed_stops_no_run_under_nohup(manifests: Path, tmp_path: Path) -> None:
    def hang_up(event: Event) -> None:
        if isinstance(event, TrainingStep):
            os.kill(os.getpid(), signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        finetune.run(config_for(manifests, tmp_path / "run", finetune__steps=2), hang_up)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert read_run(tmp_path / "run")["status"] == "done"


def flat(tree: object) -> object:
    """Tensors as bytes, so that `==` means bit for bit."""
    if isinstance(tree, torch.Tensor):
        return tree.dtype, tuple(tree.shape), tree.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    if isinstance(tree, dict):
        return {key: flat(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [flat(value) for value in tree]
    return tree


def test_a_folder_with_a_run_is_not_overwritten_and_a_done_run_is_not_repeated(manifests: Path, tmp_path: Path) -> None:
    config = config_for(manifests, tmp_path / "run", finetune__steps=2)
    first = finetune.run(config, ignore)
    assert "best dev PER" in first.summary
    before = (tmp_path / "run" / "last" / "state.pt").stat().st_mtime_ns
    with pytest.raises(RequestError, match="holds a fine-tuning run already"):
        finetune.run(config, ignore)
    (tmp_path / "merge").mkdir()
    (tmp_path / "merge" / "merge.json").touch()
    with pytest.raises(RequestError, match=r"(?m)merge: must be a folder of its own, holds a merge$"):
        finetune.run(config_for(manifests, tmp_path / "merge"), ignore)

    assert finetune.run(config, ignore, resume=True) == first
    assert (tmp_path / "run" / "last" / "state.pt").stat().st_mtime_ns == before


def test_a_run_is_not_resumed_with_other_settings(manifests: Path, tmp_path: Path) -> None:
    finetune.run(config_for(manifests, tmp_path / "run", finetune__steps=2), ignore)
    changed = config_for(manifests, tmp_path / "run", finetune__steps=4, finetune__learning_rate=2e-3)
    with pytest.raises(RequestError) as caught:
        finetune.run(changed, ignore, resume=True)

    assert "finetune.learning_rate: was 0.001, is 0.002" in caught.value.message
    assert "finetune.steps: was 2, is 4" in caught.value.message


def test_a_run_is_not_resumed_with_its_tasks_in_another_order(manifests: Path, tmp_path: Path) -> None:
    # the first one selects the checkpoint
    settings = {"finetune__labels": {"ks": "speaker"}, "finetune__steps": 2}
    out = tmp_path / "run"
    finetune.run(config_for(manifests, out, finetune__tasks={"sid": 1.0, "ks": 1.0}, **settings), ignore)
    with pytest.raises(RequestError, match=r"finetune\.tasks: was \['sid', 'ks'\], is \['ks', 'sid'\]"):
        finetune.run(
            config_for(manifests, out, finetune__tasks={"ks": 1.0, "sid": 1.0}, **settings), ignore, resume=True
        )


def test_a_run_is_not_resumed_from_another_base(manifests: Path, tmp_path: Path, tiny: EncoderCheckpoint) -> None:
    base = tmp_path / "base.pt"
    flags = {"encoder__init": None, "encoder__size": None, "encoder__checkpoint": base, "finetune__steps": 2}
    config = config_for(manifests, tmp_path / "run", **flags)
    converted.write(tiny, base)
    finetune.run(config, ignore)
    task = {**cast("dict[str, object]", tiny.container["task_cfg"]), "normalize": True}
    for other in (
        tiny.with_weights({name: 1.01 * tensor for name, tensor in tiny.weights.items()}),
        replace(tiny, container={**tiny.container, "task_cfg": task}),
    ):
        converted.write(other, base)
        with pytest.raises(RequestError, match=r"is not the encoder that the run in .* started from"):
            finetune.run(config, ignore, resume=True)
    converted.write(tiny, base)
    finetune.run(config, ignore, resume=True)


def test_a_dry_run_shows_the_plan_and_writes_nothing(manifests: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    finetune.run(config_for(manifests, tmp_path / "run", finetune__steps=100), events.append, dry_run=True)

    (table,) = [event for event in events if isinstance(event, Table)]
    rows = dict(table.rows)
    assert "head, " in rows["steps 1-10: frozen"]
    assert "head and encoder, " in rows["steps 11-50: hold"]
    assert rows["CNN"] == "never trains"
    assert re.fullmatch(
        r"about [\d.]+ [kM]B while the encoder is frozen, [\d.]+ MB while the encoder is trained, "
        r"for \d+ utterances of up to \d\.\d s",
        rows["activations"],
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flags", [{"frozen_share": 1.0}, {"strategy": "early", "frozen_share": 0.2}])
def test_an_encoder_that_would_never_train_is_told_of(
    manifests: Path, tmp_path: Path, flags: dict[str, object]
) -> None:
    events: list[Event] = []
    config = config_for(manifests, tmp_path / "run", **{f"finetune__{key}": value for key, value in flags.items()})
    finetune.run(config, events.append, dry_run=True)

    said = [event.text for event in events if isinstance(event, Note) and event.important]
    assert any(re.match(r"warning: the encoder is frozen in all of the \d+ updates", text) for text in said)


def test_a_run_on_the_run_before_says_where_its_base_came_from(manifests: Path, tmp_path: Path) -> None:
    short = {"finetune__steps": 1, "finetune__evaluate_every": 1, "finetune__frozen_share": 0.0}
    first, second = tmp_path / "sid", tmp_path / "pr"
    finetune.run(config_for(manifests, first, finetune__task="sid", **short), ignore)
    on_first = {"encoder__init": None, "encoder__size": None, "encoder__checkpoint": first}
    finetune.run(config_for(manifests, second, finetune__task="pr", **on_first, **short), ignore)

    before, base = read_run(first), read_run(second)["base"]
    assert isinstance(base, dict)
    assert base["path"] == str((first / "best" / "encoder.pt").resolve())
    assert base["weights_sha256"] == before["outputs"]["best"]["weights_sha256"]  # type: ignore[index]
    lineage = base["lineage"]
    assert (lineage["made_by"], lineage["folder"], lineage["task"]) == ("finetune", str(first.resolve()), "sid")
    assert lineage["base"]["weights_sha256"] == before["base"]["weights_sha256"]  # type: ignore[index]
    assert lineage["base"]["lineage"] is None


def test_exact_padding_changes_what_is_learnt_from_padded_batches_only(manifests: Path, tmp_path: Path) -> None:
    def loss(batching: str, batch_seconds: float) -> float:
        out = tmp_path / f"{batching}-{batch_seconds}"
        flags = {"finetune__steps": 1, "finetune__frozen_share": 0.0, "finetune__batch_seconds": batch_seconds}
        finetune.run(config_for(manifests, out, finetune__task="pr", finetune__batching=batching, **flags), ignore)
        return float(read_metrics(out / "metrics.jsonl")[0]["loss"])

    assert loss("exact", 0.5) == pytest.approx(loss("stock", 0.5), rel=1e-5)
    assert loss("exact", 6.0) != pytest.approx(loss("stock", 6.0), rel=1e-5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"encoder__init": None, "encoder__size": None}, "encoder.checkpoint: must name the pre-trained encoder"),
        ({"encoder__init": None, "encoder__checkpoint": "no.pt"}, "no.pt: must be a checkpoint, but there is no such"),
        ({"finetune__data": "nowhere"}, "nowhere: must be a folder of manifests, but there is no such folder"),
        ({"finetune__task": "arsr"}, "got 'arsr'; did you mean 'asr'?"),
        ({"finetune__device": "cuda:99"}, "device: must be there, but 'cuda:99' is not"),
        ({"finetune__min_seconds": 50.0}, "12 training utterances left out: shorter than min_seconds"),
        ({"encoder__family": "hubrt"}, "got 'hubrt'; did you mean 'hubert'?"),
    ],
)
def test_a_wrong_request_says_what_and_writes_nothing(
    manifests: Path, tmp_path: Path, flags: dict[str, object], message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        finetune.run(config_for(manifests, tmp_path / "run", **flags), ignore)

    assert message in caught.value.message
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_a_run_from_a_checkpoint_records_it(manifests: Path, tmp_path: Path, tiny_file: Path) -> None:
    config = config_for(
        manifests,
        tmp_path / "run",
        encoder__init=None,
        encoder__size=None,
        encoder__checkpoint=tiny_file,
        finetune__steps=2,
    )
    finetune.run(config, ignore)

    base = json.loads((tmp_path / "run" / "run.json").read_text())["base"]
    assert base["path"] == str(tiny_file)
    assert not (tmp_path / "run" / "base").exists()


def test_a_run_is_not_resumed_on_other_data(manifests: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(manifests, data)
    finetune.run(config_for(data, tmp_path / "run", finetune__steps=2), ignore)
    write_manifest(data, "train", list(read_manifest(data, "train"))[:6])
    with pytest.raises(RequestError, match="has changed since the run in"):
        finetune.run(config_for(data, tmp_path / "run", finetune__steps=2), ignore, resume=True)


def test_a_run_without_a_section_of_its_own_can_be_resumed_with_one(manifests: Path, tmp_path: Path) -> None:
    config = make_config(encoder__init="random", encoder__size="tiny", output_dir=tmp_path, prepare__out=manifests)
    resolved = check_request(config, ignore, resume_from=None).config

    assert yaml.safe_load(config_yaml(resolved))["finetune"]["steps"] == 50_000
    assert resolved.finetune == FinetuneSection()


def test_a_run_that_was_killed_after_its_last_save_makes_no_further_update(manifests: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    config = config_for(manifests, out, finetune__steps=2)
    finetune.run(config, ignore)
    run = read_run(out)
    write_run(out, {**run, "status": "running"})
    before = (out / "last" / "state.pt").read_bytes()
    finetune.run(config, ignore, resume=True)

    assert read_run(out)["steps"] == 2
    assert (out / "last" / "state.pt").read_bytes() == before


def test_a_reading_process_that_is_killed_ends_the_run_with_a_message(manifests: Path, tmp_path: Path) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, TrainingStep) and event.step == 2:
            for process in multiprocessing.active_children():
                process.kill()

    out = tmp_path / "run"
    with pytest.raises(SpeechftError, match=r"finetune\.workers: a process that reads audio has ended: \S") as caught:
        finetune.run(config_for(manifests, out, finetune__workers=1, finetune__steps=1000), kill)
    assert caught.value.hint is not None
    assert "--resume" in caught.value.hint
    assert read_run(out)["status"] == "failed"


def test_a_run_whose_plan_can_not_be_shown_has_not_begun(manifests: Path, tmp_path: Path) -> None:
    def closed(event: Event) -> None:
        if isinstance(event, Table):
            raise BrokenPipeError

    asked = config_for(manifests, tmp_path / "run", finetune__steps=1)
    with pytest.raises(BrokenPipeError):
        finetune.run(asked, closed)
    assert not (tmp_path / "run" / "run.json").exists()
    finetune.run(asked, ignore)
    assert read_run(tmp_path / "run")["status"] == "done"


def test_batches_of_ever_new_shapes_are_not_planned_by_cudnn(manifests: Path, tmp_path: Path) -> None:
    during: list[bool] = []

    def note(event: Event) -> None:
        if isinstance(event, TrainingStep):
            during.append(torch.backends.cuda.cudnn_sdp_enabled())

    before = torch.backends.cuda.cudnn_sdp_enabled()
    finetune.run(config_for(manifests, tmp_path / "run"), note)

    assert before
    assert during == [False] * 6
    assert torch.backends.cuda.cudnn_sdp_enabled()


def test_a_closed_set_task_is_tuned_on_a_closed_set(manifests: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    everything = [each for split in ("train", "dev", "test") for each in read_manifest(manifests, split)]
    speakers = {name: [each for each in everything if each.speaker == name] for name in ("speaker0", "speaker1")}
    write_manifest(data, "train", speakers["speaker0"])  # as speaker-disjoint as LibriSpeech
    write_manifest(data, "dev", speakers["speaker1"][:5])
    write_manifest(data, "test", speakers["speaker1"][5:])
    events: list[Event] = []
    finetune.run(config_for(data, tmp_path / "run", finetune__task="sid"), events.append, dry_run=True)

    (table,) = [event for event in events if isinstance(event, Table)]
    rows = dict(table.rows)
    assert rows["training data"].startswith("16 utterances")  # eight of each speaker's ten
    assert rows["dev data"] == "2 utterances"
