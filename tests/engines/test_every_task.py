"""Every task of the catalogue that has labels, from manifests through fine-tuning and probing of a tiny encoder."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.engines import evaluate, finetune
from speechft_cli.errors import RequestError
from speechft_cli.events import Event, Note, ignore
from speechft_cli.reporting.scores import read_scores
from speechft_cli.tasks import TASKS
from tests.conftest import make_config
from tests.manifest_files import write_manifest

#: `hubert` makes its own targets, and is fine-tuned only; `qbe` is evaluated only.
LABELLED = [name for name in TASKS if name not in ("hubert", "qbe")]
PROBED = [*LABELLED, "qbe"]


@pytest.fixture(scope="module")
def everything(manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings of two pitches with all that any task needs."""
    folder = tmp_path_factory.mktemp("everything")
    asked = {field for name in LABELLED for field in TASKS.get(name).needs.split("+") if not field.endswith("?")}
    asked -= {"id", "duration", "text", "phones", "speaker", "language"}
    for split in ("train", "dev", "test"):
        utterances = []
        for each in read_manifest(manifests, split):
            pitch = each.speaker or ""
            labels = {
                **dict.fromkeys(asked, pitch),
                "action": "play",
                "location": "none",
                "slots": "word",
                **({} if split == "train" else {"query": each.text or ""}),
                "segments": f"{pitch} 0 {each.duration / 2:.3f};other 0.3 0.9",
            }
            utterances.append(replace(each, language=pitch, labels=labels))
        write_manifest(folder, split, utterances)
    return folder


@pytest.mark.parametrize("name", LABELLED)
def test_a_task_can_be_fine_tuned_on(name: str, everything: Path, tiny_file: Path, tmp_path: Path) -> None:
    config = make_config(
        output_dir=tmp_path,
        encoder__checkpoint=tiny_file,
        finetune__data=everything,
        finetune__task=name,
        finetune__steps=2,
        finetune__evaluate_every=2,
        finetune__log_every=1,
        finetune__batch_seconds=8,
        finetune__workers=0,
        finetune__device="cpu",
    )

    result = finetune.run(config, ignore)

    assert (tmp_path / "finetune" / "best" / "encoder.pt").is_file()
    assert TASKS.get(name).metrics[0].title in result.summary


def test_all_tasks_are_probed_in_one_run(everything: Path, tiny_file: Path, tmp_path: Path) -> None:
    config = make_config(
        output_dir=tmp_path,
        evaluate__models={"base": tiny_file},
        evaluate__data=everything,
        evaluate__tasks=PROBED,
        evaluate__steps={name: 20 if TASKS.get(name).is_pooled else 1 for name in LABELLED},
        evaluate__learning_rates={name: [1e-2] for name in LABELLED},
        evaluate__seeds=1,
        evaluate__drift_seconds=0,
        evaluate__device="cpu",
    )

    evaluate.run(config, ignore)

    scores = read_scores(tmp_path / "evaluate" / "scores.jsonl")
    values = {(each.task, each.metric): each.value for each in scores if each.split == "test"}
    assert {task for task, _ in values} == set(PROBED)
    assert all(math.isfinite(value) for value in values.values())
    # two pitches are told apart by every utterance task
    assert [values[task, "acc"] for task in ("sid", "er", "ks", "ic")] == [100.0] * 4


def test_a_split_that_can_not_be_scored_is_refused_before_anything_is_trained(
    everything: Path, tiny_file: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for split in ("train", "dev", "test"):
        utterances = list(read_manifest(everything, split))
        write_manifest(
            data, split, [replace(each, speaker="alone") for each in utterances] if split == "dev" else utterances
        )
    config = make_config(
        output_dir=tmp_path,
        encoder__checkpoint=tiny_file,
        finetune__data=data,
        finetune__task="asv",
        evaluate__models={"base": tiny_file},
        evaluate__data=data,
        evaluate__tasks=["asv"],
    )

    for engine in (finetune, evaluate):
        with pytest.raises(RequestError, match=r"data: dev: asv: must have pairs .* has 6 and 0"):
            engine.run(config, ignore)
        assert not (tmp_path / engine.__name__.rpartition(".")[2]).exists()


def test_trials_that_name_nobody_are_counted_though_no_utterance_is_left_out(
    everything: Path, tiny_file: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    for split in ("train", "dev", "test"):
        first, *rest = read_manifest(everything, split)
        same = next(each for each in rest if each.speaker == first.speaker)
        other = next(each for each in rest if each.speaker != first.speaker)
        trials = f"1:{same.id} 0:{other.id} 0:nobody"
        write_manifest(data, split, [replace(first, labels={**first.labels, "trials": trials}), *rest])
    config = make_config(
        output_dir=tmp_path, encoder__checkpoint=tiny_file, finetune__data=data, finetune__task="asv",
        finetune__min_seconds=0.1,
    )  # fmt: skip
    events: list[Event] = []
    finetune.run(config, events.append, dry_run=True)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "dev: trials left out, as they name an utterance that is not there: 1" in notes
    assert not any(" dev utterance" in note for note in notes)
