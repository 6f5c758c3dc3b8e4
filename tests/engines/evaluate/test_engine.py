"""The evaluate stage from files to files, on a true tiny encoder and recordings of two pitches."""

from __future__ import annotations

import json
import re
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
import torch

from speechft_cli.config.schema import Config
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.encoders.s3prl import random_checkpoint
from speechft_cli.engines import evaluate, merge
from speechft_cli.errors import ConfigError, InterruptedRunError, RequestError, SpeechftError
from speechft_cli.events import Advanced, Event, Finished, Note, Result, Started, Table, ignore
from speechft_cli.io.hashes import weights_hash
from speechft_cli.reporting.scores import Score, read_scores
from tests.conftest import make_config
from tests.manifest_files import write_manifest

STEPS = {"sid": 20, "pr": 6}


def nudged(tiny: EncoderCheckpoint, amount: float) -> EncoderCheckpoint:
    """The tiny encoder with every layer norm's scale changed by a share."""
    return tiny.with_weights(
        {
            name: tensor * (1 + amount) if name.endswith("layer_norm.weight") else tensor.clone()
            for name, tensor in tiny.weights.items()
        }
    )


@pytest.fixture
def experiment(tmp_path: Path, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path) -> Path:
    return what_stages_before_leave(tmp_path, tiny, tiny_file, manifests)


@dataclass(frozen=True)
class Evaluated:
    """An experiment that was evaluated as it stands; tests that change something do so in another output folder."""

    folder: Path
    events: list[Event]
    result: Result

    @property
    def out(self) -> Path:
        return self.folder / "evaluate"

    def copied(self, out: Path) -> Path:
        shutil.copytree(self.out, out)
        return out


@pytest.fixture(scope="module")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path
) -> Evaluated:
    folder = what_stages_before_leave(tmp_path_factory.mktemp("evaluated"), tiny, tiny_file, manifests)
    events: list[Event] = []
    return Evaluated(folder, events, evaluate.run(config(folder), events.append))


@pytest.fixture(scope="module")
def evaluated_alone(
    tmp_path_factory: pytest.TempPathFactory, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path
) -> Evaluated:
    """The same with one encoder, called mine."""
    folder = what_stages_before_leave(tmp_path_factory.mktemp("alone"), tiny, tiny_file, manifests)
    events: list[Event] = []
    return Evaluated(folder, events, evaluate.run(config(folder, evaluate__models={"mine": tiny_file}), events.append))


def what_stages_before_leave(within: Path, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path) -> Path:
    """Makes a run whose best encoder is 0.5 away, and alphas 0 and 0.5."""
    folder = within / "runs"
    converted.write(nudged(tiny, 0.5), folder / "finetune" / "best" / "encoder.pt")
    (folder / "finetune" / "run.json").write_text(json.dumps({"base": {"path": str(tiny_file)}}))
    merge.run(make_config(output_dir=folder, merge__base=tiny_file, merge__alphas="0,0.5"), ignore)
    shutil.copytree(manifests, folder / "data")
    return folder


def config(folder: Path, **changed: object) -> Config:
    flags = {
        "name": "my-run",
        "output_dir": folder,
        "evaluate__tasks": ["sid", "pr"],
        "evaluate__steps": STEPS,
        "evaluate__device": "cpu",
        "evaluate__extend_learning_rates": 0,
        "evaluate__seeds": 1,
        **changed,
    }
    return make_config(**flags)


def started(events: list[Event]) -> list[str]:
    return [event.what for event in events if isinstance(event, Started) and event.what != "evaluation"]


def values(scores: list[Score], label: str) -> list[float]:
    return [score.value for score in scores if score.label == label]


def rerun(folder: Path, **changed: object) -> list[str]:
    """Runs again and returns which probes were trained."""
    events: list[Event] = []
    evaluate.run(config(folder, **changed), events.append)
    return [what for what in started(events) if "probes" in what]


def test_an_experiment_is_evaluated_from_base_to_tuned(evaluated: Evaluated, tiny: EncoderCheckpoint) -> None:
    result, out = evaluated.result, evaluated.out
    assert result.output == str(out / "report.html")
    assert "best merged encoder by dev: " in result.summary
    scores = read_scores(out / "scores.jsonl")
    labels = ["base", "tuned", "alpha-0", "alpha-0.5"]
    assert [(score.label, score.task, score.split, score.metric) for score in scores] == [
        (label, task, split, metric)
        for label in labels
        for task, metric in (("sid", "acc"), ("pr", "per"))
        for split in ("dev", "test")
    ]
    assert {score.label: score.alpha for score in scores} == {
        **dict.fromkeys(labels),
        "alpha-0": 0.0,
        "alpha-0.5": 0.5,
    }
    assert scores[0].weights_hash == weights_hash(tiny.weights)
    assert {score.utterances for score in scores} == {4}
    assert [score.value for score in scores if (score.label, score.task) == ("base", "sid")] == [100.0, 100.0]
    table = next(event for event in evaluated.events if isinstance(event, Table))
    assert table.columns == ("encoder", "SID acc % ↑", "Δ base", "PER % ↓", "Δ base")
    assert [row[0] for row in table.rows] == labels
    assert json.loads(json.dumps(result.data))["scores"][0]["label"] == "base"


def test_the_caller_s_torch_is_neither_changed_nor_in_the_way(tmp_path: Path, tiny_file: Path, manifests: Path) -> None:
    before = torch.get_rng_state()
    asked = make_config(
        evaluate__models={"base": tiny_file}, evaluate__data=manifests, evaluate__tasks=["sid"],
        evaluate__steps={"sid": 2}, evaluate__seeds=1, evaluate__extend_learning_rates=0, evaluate__device="cpu",
        evaluate__out=tmp_path / "report",
    )  # fmt: skip
    with torch.inference_mode():
        evaluate.run(asked, ignore)
    assert torch.equal(before, torch.get_rng_state())


def test_every_piece_of_work_begins_advances_and_ends(evaluated: Evaluated) -> None:
    work = [event for event in evaluated.events if isinstance(event, Started | Advanced | Finished)]
    begun: list[Started] = []
    done: list[int] = []
    for event in work:
        match event:
            case Started():
                begun.append(event)
                done.append(0)
            case Advanced():
                assert event.done >= done[-1]
                done[-1] = event.done
            case Finished():
                assert done.pop() == begun.pop().total
    assert not begun
    standing = [event.note for event in work if isinstance(event, Advanced) and event.note]
    assert standing[-1].startswith("SID acc dev of alpha-0.5 ")
    assert ", best " in standing[-1]


def test_the_same_weights_under_two_labels_are_evaluated_once(evaluated: Evaluated) -> None:
    events = evaluated.events
    scores = read_scores(evaluated.out / "scores.jsonl")
    assert values(scores, "alpha-0") == values(scores, "base")
    assert [what for what in started(events) if "alpha-0:" in what] == ["alpha-0: drift"]
    assert [what for what in started(events) if what.endswith("encoding")] == [
        "base: encoding", "tuned: encoding", "alpha-0.5: encoding",
    ]  # fmt: skip
    assert [what for what in started(events) if "probes" in what] == [
        "base: pr probes", "tuned: pr probes", "alpha-0.5: pr probes", "3 encoders: sid probes",
    ]  # fmt: skip


def test_equal_weights_that_make_other_features_are_refused(
    experiment: Path, tiny: EncoderCheckpoint, tiny_file: Path, tmp_path: Path
) -> None:
    task = {**cast("dict[str, object]", tiny.container["task_cfg"]), "normalize": True}
    converted.write(replace(tiny, container={**tiny.container, "task_cfg": task}), tmp_path / "other.pt")
    models = {"base": tiny_file, "same": tiny_file, "other": tmp_path / "other.pt"}
    # scores and features are known by the hash of the weights: it would get the base's
    with pytest.raises(RequestError, match="other: must make the features of base, whose weights it has"):
        evaluate.run(config(experiment, evaluate__models=models), ignore)
    assert not (experiment / "evaluate").exists()


def test_a_configuration_in_other_words_is_no_other_one(
    experiment: Path, tiny: EncoderCheckpoint, tiny_file: Path, tmp_path: Path
) -> None:
    model = {**cast("dict[str, object]", tiny.container["model_cfg"]), "label_rate": 100}  # which no feature depends on
    converted.write(replace(tiny, container={**tiny.container, "model_cfg": model}), tmp_path / "other.pt")
    models, events = {"base": tiny_file, "other": tmp_path / "other.pt"}, list[Event]()
    evaluate.run(config(experiment, evaluate__models=models, evaluate__tasks=["sid"]), events.append)
    assert [what for what in started(events) if what.endswith("encoding")] == ["base: encoding"]


def test_a_configuration_that_was_mended_is_scored_anew_and_a_file_that_moved_is_not(
    experiment: Path, tiny: EncoderCheckpoint, tmp_path: Path
) -> None:
    def scored(name: str, *, normalize: bool) -> list[str]:
        task = {**cast("dict[str, object]", tiny.container["task_cfg"]), "normalize": normalize}
        base = replace(tiny, container={**tiny.container, "task_cfg": task})
        converted.write(base, tmp_path / name)
        converted.write(nudged(base, 0.1), tmp_path / "tuned.pt")
        models, events = {"base": tmp_path / name, "tuned": tmp_path / "tuned.pt"}, list[Event]()
        asked = config(experiment, evaluate__models=models, evaluate__tasks=["sid"], evaluate__out=tmp_path / "out")
        evaluate.run(asked, events.append)
        return started(events)

    first = scored("base.pt", normalize=False)
    assert {"base: encoding", "tuned: encoding", "base: drift", "tuned: drift"} < set(first)
    assert scored("moved.pt", normalize=False) == []
    assert scored("base.pt", normalize=True) == first
    scores = read_scores(tmp_path / "out" / "scores.jsonl")
    assert len({score.configuration for score in scores}) == 1
    assert len(list((tmp_path / "out" / "cache").glob("features-*"))) == 4


def test_the_report_says_what_was_done(evaluated: Evaluated) -> None:
    out = evaluated.out
    html, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    scores = read_scores(out / "scores.jsonl")
    for page in (html, text):
        assert "my-run: evaluation" in page
        assert "recording channel alone" in page
        assert scores[0].weights_hash[:16] in page
        assert scores[0].manifest_hash in page
        assert "Best merged encoder by dev: " in page
    assert f"\n| threads | {torch.get_num_threads()} |\n" in text  # another number rounds otherwise
    pictures = ["alpha-pr", "alpha-sid", "drift-cka", "drift-llfc", "drift-variance", "groups-pr", "groups-sid"]
    assert sorted(each.stem for each in (out / "report-figures").iterdir()) == pictures
    assert all(f"(report-figures/{name}.png)" in text and f'id="{name}-' in html for name in pictures)
    outside = re.findall(r'(?:src|href)="(?!#|data:)([^"]*)', html)
    assert outside == []
    assert sorted(each.name for each in out.iterdir() if not each.name.startswith(".")) == [
        "cache",
        "drift.jsonl",
        "predictions",
        "report-figures",
        "report.html",
        "report.md",
        "scores.jsonl",
    ]


def test_a_rerun_trains_nothing_and_changes_no_score(evaluated: Evaluated) -> None:
    before = (evaluated.out / "scores.jsonl").read_bytes()
    assert rerun(evaluated.folder) == []
    assert (evaluated.out / "scores.jsonl").read_bytes() == before


def test_an_interrupted_run_goes_on_where_it_was(evaluated: Evaluated, tmp_path: Path) -> None:
    again_and_again = config(evaluated.folder, evaluate__out=tmp_path)
    seen: list[Event] = []

    def interrupt(event: Event) -> None:
        seen.append(event)
        if isinstance(event, Started) and event.what == "tuned: pr probes":
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError) as caught:
        evaluate.run(again_and_again, interrupt)
    assert caught.value.exit_code == 130
    scores = read_scores(tmp_path / "scores.jsonl")
    # alpha-0 has the base's weights, so its scores are known already
    assert {(score.label, score.task) for score in scores} == {("base", "pr"), ("alpha-0", "pr")}
    again: list[Event] = []
    evaluate.run(again_and_again, again.append)
    assert [what for what in started(again) if not what.endswith("drift")] == [
        "base: encoding", "tuned: encoding", "tuned: pr probes", "alpha-0.5: encoding", "alpha-0.5: pr probes",
        "3 encoders: sid probes",
    ]  # fmt: skip
    assert (tmp_path / "scores.jsonl").read_bytes() == (evaluated.out / "scores.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"evaluate__steps": {**STEPS, "pr": 7}}, {"pr"}),
        ({"evaluate__learning_rates": {"sid": [0.05]}}, {"sid"}),
        ({"evaluate__crop_seconds": 0.5}, {"sid"}),
        ({"evaluate__seeds": 2}, {"sid", "pr"}),
        ({"evaluate__batching": "stock"}, {"sid", "pr"}),
        ({"evaluate__frame_precision": "bf16"}, {"pr"}),
        ({"evaluate__extend_learning_rates": 1}, {"sid", "pr"}),
        ({"seed": 2}, {"sid", "pr"}),
    ],
)
def test_scores_made_in_another_way_are_made_again(
    evaluated_alone: Evaluated, tiny_file: Path, tmp_path: Path, changed: dict[str, object], again: set[str]
) -> None:
    only = {"evaluate__models": {"mine": tiny_file}, "evaluate__out": evaluated_alone.copied(tmp_path / "again")}
    assert not rerun(evaluated_alone.folder, **only)
    trained = {what.partition(",")[0] for what in rerun(evaluated_alone.folder, **only, **changed)}
    assert trained == {f"mine: {task} probes" for task in again}


def test_scores_of_other_data_or_weights_are_made_again(
    experiment: Path, tiny: EncoderCheckpoint, tiny_file: Path, tmp_path: Path
) -> None:
    only: dict[str, object] = {"evaluate__models": {"mine": tiny_file}, "evaluate__tasks": ["sid"]}
    evaluate.run(config(experiment, **only), ignore)
    utterances = list(read_manifest(experiment / "data", "train"))
    write_manifest(experiment / "data", "train", utterances[:-1])
    assert rerun(experiment, **only) == ["mine: sid probes"]
    converted.write(nudged(tiny, 0.1), tmp_path / "other.pt")
    assert rerun(experiment, **{**only, "evaluate__models": {"mine": tmp_path / "other.pt"}}) == ["mine: sid probes"]


def test_another_task_of_the_same_encoder_stays_in_the_scores(experiment: Path, tiny_file: Path) -> None:
    only = {"evaluate__models": {"mine": tiny_file}}
    evaluate.run(config(experiment, **only, evaluate__tasks=["sid"]), ignore)
    evaluate.run(config(experiment, **only, evaluate__tasks=["pr"]), ignore)
    scores = read_scores(experiment / "evaluate" / "scores.jsonl")
    assert [score.task for score in scores] == ["pr", "pr", "sid", "sid"]
    assert rerun(experiment, **only) == []


def test_scores_of_another_label_go_when_their_encoder_is_scored_in_another_way(
    experiment: Path, tiny_file: Path
) -> None:
    mine, yours = {"evaluate__models": {"mine": tiny_file}}, {"evaluate__models": {"yours": tiny_file}}
    evaluate.run(config(experiment, **mine), ignore)
    evaluate.run(config(experiment, **yours, evaluate__steps={**STEPS, "pr": 2}), ignore)
    scores = read_scores(experiment / "evaluate" / "scores.jsonl")
    assert {(score.label, score.task) for score in scores} == {("yours", "sid"), ("yours", "pr"), ("mine", "sid")}
    # else the figures would be of 6 updates, and the predictions that are broken down of 2
    assert rerun(experiment, **mine) == ["mine: pr probes"]


def test_without_alphas_there_is_no_curve_and_no_recommendation(
    evaluated: Evaluated, tiny_file: Path, tmp_path: Path
) -> None:
    out = evaluated.copied(tmp_path / "again")
    assert list((out / "report-figures").iterdir()) != []
    only = {"evaluate__models": {"mine": tiny_file}, "evaluate__out": out}
    result = evaluate.run(config(evaluated.folder, **only), ignore)
    assert result.summary == "1 encoder × 2 tasks scored"
    assert result.data["recommended"] is None
    assert list((out / "report-figures").iterdir()) == []


def test_speaker_disjoint_manifests_are_split_anew_and_it_is_said(experiment: Path, tiny_file: Path) -> None:
    for split, name in (("dev", "ann"), ("test", "bob")):
        utterances = [replace(each, speaker=name) for each in read_manifest(experiment / "data", split)]
        write_manifest(experiment / "data", split, utterances)
    events: list[Event] = []
    evaluate.run(config(experiment, evaluate__models={"m": tiny_file}, evaluate__tasks=["sid"]), events.append)
    said = "80/10/10 of each class's utterances, in the order of a hash of their ids, over all manifests"
    assert Note(f"sid: splits are {said}") in events
    assert said in (experiment / "evaluate" / "report.md").read_text()


def test_the_superb_score_names_its_constants_and_its_tasks_everywhere(
    experiment: Path, tiny_file: Path, tmp_path: Path
) -> None:
    constants = tmp_path / "mine.yaml"
    constants.write_text("sid: {acc: [0, 200]}\npr: {per: [200, 0]}\ner: {acc: [0, 100]}\n")
    events: list[Event] = []
    only = {"evaluate__models": {"base": tiny_file}, "evaluate__tasks": ["sid"]}
    result = evaluate.run(config(experiment, evaluate__score_file=constants, **only), events.append)
    title = "SUPERB score, mine, 1 of 3 tasks"
    assert [event.title for event in events if isinstance(event, Table)] == ["test", title]
    assert title in (experiment / "evaluate" / "report.md").read_text()
    assert result.data["superb_scores"] == {"base": {"value": 500.0, "tasks": {"sid": 500.0}, "constants": "mine"}}


Change = Callable[[Path], dict[str, object]]


def spoil_tuned(folder: Path) -> dict[str, object]:
    (folder / "finetune" / "best" / "encoder.pt").write_bytes(b"no checkpoint")
    return {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: {"evaluate__tasks": ["sidd"]}, "did you mean 'sid'"),
        (lambda _: {"evaluate__learning_rates": {"prr": [0.1]}}, r"evaluate\.learning_rates: .*'prr'"),
        (lambda folder: {"evaluate__score_file": folder / "none.yaml"}, r"none\.yaml"),
        (lambda folder: {"evaluate__models": {"mine": folder / "nothing.pt"}}, r"nothing\.pt"),
        (lambda folder: {"evaluate__data": folder / "nowhere"}, "nowhere: must be a folder of manifests"),
        (lambda _: {"evaluate__crop_seconds": 0.01}, r"evaluate\.crop_seconds"),
        (lambda _: {"evaluate__device": "cuda:7"}, "cuda:7"),
        (spoil_tuned, r"best/encoder\.pt"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(experiment: Path, change: Change, message: str) -> None:
    changed = change(experiment)
    with pytest.raises(RequestError, match=message) as caught:
        evaluate.run(config(experiment, **changed), ignore)
    assert caught.value.exit_code == 2
    assert not (experiment / "evaluate").exists()


def test_a_test_utterance_that_is_in_dev_too_is_refused(experiment: Path) -> None:
    dev, test = (list(read_manifest(experiment / "data", split)) for split in ("dev", "test"))
    write_manifest(experiment / "data", "dev", [*dev, replace(test[0], id="smuggled")])
    with pytest.raises(RequestError, match=r"is in dev \(smuggled\) and in test \(test-00\)"):
        evaluate.run(config(experiment), ignore)
    assert not (experiment / "evaluate").exists()


def test_all_unknown_tasks_are_named_at_once(experiment: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        evaluate.run(config(experiment, evaluate__tasks=["sidd", "pr", "asrr"]), ignore)
    assert len(caught.value.problems) == 2


def test_without_encoders_it_says_where_it_looked(tmp_path: Path, manifests: Path) -> None:
    with pytest.raises(RequestError, match=r"finetune/best/encoder\.pt"):
        evaluate.run(make_config(output_dir=tmp_path, evaluate__data=manifests), ignore)


def test_a_recording_that_vanished_ends_the_run_by_name(experiment: Path, tiny_file: Path, tmp_path: Path) -> None:
    utterances = list(read_manifest(experiment / "data", "test"))
    gone = replace(utterances[0], audio=tmp_path / "gone.wav")
    write_manifest(experiment / "data", "test", [gone, *utterances[1:]])
    with pytest.raises(SpeechftError, match=rf"utterance {gone.id}: .*gone\.wav"):
        evaluate.run(config(experiment, evaluate__models={"m": tiny_file}), ignore)


def test_what_was_merged_from_other_encoders_is_left_out(experiment: Path, tiny: EncoderCheckpoint) -> None:
    converted.write(nudged(tiny, 0.9), experiment / "finetune" / "best" / "encoder.pt")  # fine-tuned again, not merged
    events: list[Event] = []
    evaluate.run(config(experiment, evaluate__tasks=["sid"]), events.append)

    notes = [event.text for event in events if isinstance(event, Note) and event.important]
    assert sum("was merged from another tuned encoder than this experiment's" in note for note in notes) == 2
    assert {score.label for score in read_scores(experiment / "evaluate" / "scores.jsonl")} == {"base", "tuned"}


def test_scores_are_means_over_seeds_with_an_interval_and_say_what_was_tried(experiment: Path, tiny_file: Path) -> None:
    evaluate.run(
        config(
            experiment,
            evaluate__models={"mine": tiny_file},
            evaluate__tasks=["sid"],
            evaluate__seeds=3,
            evaluate__learning_rates={"sid": [1e-4, 1e-3]},
            evaluate__extend_learning_rates=2,
        ),
        ignore,
    )
    for score in read_scores(experiment / "evaluate" / "scores.jsonl"):
        assert len(score.values) == len(score.seeds) == len(score.steps) == 3
        assert score.value == pytest.approx(statistics.mean(score.values))
        # t(0.975, 2) = 4.3027
        assert score.interval == pytest.approx(4.3027 * statistics.stdev(score.values) / 3**0.5, rel=1e-4)
        rates = [rate for rate, _ in score.tried]
        assert len(rates) in (3, 4)  # the best of two is at an edge, always
        assert score.is_edge == (score.learning_rate in (rates[0], rates[-1]))
        assert (score.preset, score.method) == ("default", None)


def test_predictions_for_every_test_utterance_are_kept(experiment: Path, tiny_file: Path) -> None:
    only = {"evaluate__models": {"mine": tiny_file}, "evaluate__tasks": ["sid"], "evaluate__seeds": 2}
    evaluate.run(config(experiment, **only), ignore)
    (file,) = (experiment / "evaluate" / "predictions").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"test-{number:02}" for number in range(4)]
    scores = read_scores(experiment / "evaluate" / "scores.jsonl")
    hits = [100 * sum(line["predictions"][seed] == line["target"] for line in lines) / 4 for seed in range(2)]
    assert [score.values for score in scores if score.split == "test"] == [tuple(hits)]


def test_an_older_score_never_stands_beside_newer_predictions(
    evaluated_alone: Evaluated, tiny_file: Path, tmp_path: Path
) -> None:
    out = evaluated_alone.copied(tmp_path / "again")
    (file,) = (out / "predictions").glob("pr-*")
    file.unlink()
    file.mkdir()  # so that nothing can take its place: a kill in the last moment before something does
    changed = {"evaluate__models": {"mine": tiny_file}, "evaluate__out": out, "evaluate__steps": {**STEPS, "pr": 7}}
    with pytest.raises(SpeechftError, match=r"pr-.*can't be written"):
        evaluate.run(config(evaluated_alone.folder, **changed), ignore)
    assert {score.task for score in read_scores(out / "scores.jsonl")} == {"sid"}


def test_what_is_encoded_is_used_by_all_tasks_and_by_later_runs(experiment: Path, tiny_file: Path) -> None:
    only = {"evaluate__models": {"mine": tiny_file}, "evaluate__tasks": ["sid"]}
    evaluate.run(config(experiment, **only), ignore)
    scored = (experiment / "evaluate" / "scores.jsonl").read_text()
    for file in (experiment / "data" / "audio").iterdir():
        file.unlink()
    with pytest.raises(SpeechftError):  # the audio is gone, and sequence tasks need more than pooled vectors
        evaluate.run(config(experiment, **{**only, "evaluate__tasks": ["pr"]}), ignore)
    (experiment / "evaluate" / "scores.jsonl").unlink()
    evaluate.run(config(experiment, **only), ignore)
    assert (experiment / "evaluate" / "scores.jsonl").read_text() == scored


def test_baselines_stand_beside_encoders_and_have_no_drift(tmp_path: Path, tiny_file: Path, manifests: Path) -> None:
    models = {"base": tiny_file, "fbank": Path("fbank"), "random": Path("random:hubert-tiny@3")}
    events: list[Event] = []
    asked = config(tmp_path, evaluate__models=models, evaluate__data=manifests, seed=1)
    evaluate.run(asked, events.append)
    scores = read_scores(tmp_path / "evaluate" / "scores.jsonl")
    assert list(dict.fromkeys(score.label for score in scores)) == ["base", "fbank", "random"]
    page = (tmp_path / "evaluate" / "report.md").read_text()
    assert "log mel features (80 bands, deltas; normalised over the utterance: SUPERB's FBANK), no weights" in page
    assert "random weights: hubert tiny, seed 3" in page
    assert not [what for what in started(events) if "drift" in what]
    assert rerun(tmp_path, evaluate__models=models, evaluate__data=manifests, seed=1) == []


def test_encoders_of_several_families_are_compared_and_only_one_like_the_base_has_drift(
    tmp_path: Path, tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path
) -> None:
    # two families with weights of the same names and shapes
    other = random_checkpoint(ENCODERS.get("unispeech_sat"), "tiny", seed=1)
    converted.write(other, tmp_path / "other.pt")
    converted.write(nudged(tiny, 0.5), tmp_path / "mine.pt")
    models = {"base": tiny_file, "mine": tmp_path / "mine.pt", "other": tmp_path / "other.pt"}
    events: list[Event] = []
    asked = config(tmp_path, evaluate__models=models, evaluate__data=manifests, evaluate__tasks=["sid"])
    evaluate.run(asked, events.append)
    scores = read_scores(tmp_path / "evaluate" / "scores.jsonl")
    assert list(dict.fromkeys(score.label for score in scores)) == list(models)
    assert scores[-1].weights_hash == weights_hash(other.weights)
    assert "hubert, unispeech" in (tmp_path / "evaluate" / "report.md").read_text()
    assert "other: is no encoder like the base, so its drift can't be measured" in {
        event.text for event in events if isinstance(event, Note)
    }
    measured = (tmp_path / "evaluate" / "drift.jsonl").read_text()
    assert '"mine"' in measured
    assert '"other"' not in measured


def test_a_folder_of_merges_brings_all_of_them(experiment: Path, tiny_file: Path) -> None:
    models = {"base": tiny_file, "grid": experiment / "merge"}
    evaluate.run(config(experiment, evaluate__models=models, evaluate__tasks=["sid"]), ignore)
    scores = read_scores(experiment / "evaluate" / "scores.jsonl")
    labels = ["base", "grid/alpha-0", "grid/alpha-0.5"]
    assert list(dict.fromkeys(score.label for score in scores)) == labels
    assert "grid/alpha-0.5" in (experiment / "evaluate" / "report.md").read_text()


def test_baselines_can_be_compared_alone_but_not_for_drift(tmp_path: Path, manifests: Path) -> None:
    flags = {"evaluate__models": {"fbank": Path("logmel")}, "evaluate__data": manifests, "evaluate__tasks": ["sid"]}
    evaluate.run(config(tmp_path, **flags), ignore)
    assert {score.label for score in read_scores(tmp_path / "evaluate" / "scores.jsonl")} == {"fbank"}
    with pytest.raises(RequestError, match="a baseline is fbank"):
        evaluate.run(config(tmp_path, **flags, evaluate__drift_only=True), ignore)
