"""`speechft import-s3prl`: the configs of s3prl's tasks and of the published Speech-FT code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.config.load import load_config
from tests.data.corpora import replicas

RUNNER = (
    "runner: {total_steps: 30000, gradient_clipping: 1, gradient_accumulate_steps: 8, log_step: 500, eval_step: 1000}"
)
ADAM = "optimizer: {name: TorchOptim, torch_optim_name: Adam, lr: 1.0e-4}"
STABLE = "scheduler: {name: stable_finetuning_schedule}\ngrad_scheduler: {finetune_steps: 0.1}"
ER = "{root: /data/IEMOCAP, test_fold: fold2, train_batch_size: 4, num_workers: 6, valid_ratio: 0.2}"


def _file(folder: Path, *parts: str, data: str = ER, head: str = "{select: UtteranceLevel}") -> Path:
    text = "\n".join([RUNNER, *parts, f"downstream_expert: {{datarc: {data}, modelrc: {head}}}\n"])
    (folder / "theirs.yaml").write_text(text, encoding="utf-8")
    return folder / "theirs.yaml"


def test_the_emotion_recipe_of_the_paper_is_carried(speechft, tmp_path: Path) -> None:
    result = speechft("import-s3prl", _file(tmp_path, ADAM, STABLE), "--encoder", "mine.pt")
    assert (result.exit_code, result.stdout) == (
        0,
        "theirs.yaml carried over, 3 things to know → speechft.yaml; next: speechft prepare -c speechft.yaml\n",
    )
    assert result.stderr == (
        "batch size: 4 utterances became 18 s, at 4.5 s each on average: here batches are seconds\n"
        "downstream_expert.modelrc: the head is the task's own: docs/tasks.md\n"
        "grad_scheduler.finetune_steps: carried, and done: the published code reads it nowhere\n"
    )
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.encoder is not None
    assert config.prepare is not None
    assert config.finetune is not None
    tune = config.finetune
    assert config.encoder.checkpoint == tmp_path / "mine.pt"
    assert (config.prepare.corpus, config.prepare.root) == ("iemocap", Path("/data/IEMOCAP"))
    assert config.prepare.splits == {"test": ["Session2"]}
    assert (tune.task, tune.steps, tune.batch_seconds, tune.batches_per_update) == ("er", 30_000, 18, 8)
    assert (tune.strategy, tune.frozen_share, tune.warmup_share, tune.hold_share) == ("stable", 0.1, 0.1, 0.4)
    assert (tune.learning_rate, tune.gradient_clip, tune.evaluate_every, tune.workers) == (1e-4, 1, 1000, 6)


@pytest.mark.parametrize(
    ("data", "task", "corpus"),
    [
        (
            "{libri_root: L, zero_infinity: true, train: [train-clean-100], dev-clean: [dev-clean]}",
            "asr",
            "librispeech",
        ),
        ("{bucket_file: data/ted/len_for_bucket, zero_infinity: true}", "asr", "tedlium"),
        ("{file_path: VoxCeleb1, meta_data: list.txt}", "sid", "voxceleb1"),
        ("{file_path: VoxCeleb1, train_meta_data: ids.txt, test_meta_data: trials.txt}", "asv", "voxceleb1"),
        ("{chunk_size: 2000, frame_shift: 160, num_speakers: 2, rate: 16000}", "sd", "manifest"),
        ("{speech_commands_root: train, batch_size: 32}", "ks", "speech-commands"),
        ("{file_path: fluent}", "ic", "fluent-speech-commands"),
    ],
)
def test_a_task_is_told_by_its_keys(speechft, tmp_path: Path, data: str, task: str, corpus: str) -> None:
    assert speechft("import-s3prl", _file(tmp_path, ADAM, data=data)).exit_code == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert config.prepare is not None
    assert config.evaluate is not None
    assert (config.finetune.task, config.prepare.corpus, config.evaluate.tasks) == (task, corpus, [task])
    # s3prl fine-tunes all from the first update on, at a constant rate, unless it is told otherwise
    assert (config.finetune.strategy, config.finetune.hold_share) == ("regular", 1)


def test_eight_seconds_stay_eight_seconds(speechft, tmp_path: Path) -> None:
    speechft("import-s3prl", _file(tmp_path, data="{file_path: VoxCeleb1, meta_data: list.txt, max_timestep: 128000}"))
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert config.finetune.crop_seconds == 8


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        ("{speech_commands_root: train, batch_size: 32}", 32),  # of one second each
        # s3prl reads batch_size and halves it: its buckets are compared in samples with a limit meant in frames
        ("{libri_root: L, zero_infinity: true, train_batch_size: 8, batch_size: 32}", 200),
        ("{bucket_file: b, zero_infinity: true, train_batch_size: 32}", 120),  # the paper's 16 utterances
        ("{chunk_size: 2000, frame_shift: 160}\n  loaderrc: {train_batchsize: 8, num_workers: 4}", 160),
    ],
)
def test_a_batch_is_as_long_as_s3prls(speechft, tmp_path: Path, data: str, seconds: float) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(f"{RUNNER}\ndownstream_expert:\n  datarc: {data}\n  modelrc: {{select: X}}\n", encoding="utf-8")
    assert speechft("import-s3prl", path).exit_code == 0
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert config.finetune.batch_seconds == seconds


def test_short_utterances_train_as_in_s3prl(speechft, tmp_path: Path) -> None:
    shortest = {}
    for name, data in {
        "ks": "{speech_commands_root: train, batch_size: 32}",  # a tenth of Speech Commands is shorter than a second
        "asv": "{file_path: Vox, train_meta_data: ids.txt, vad_config: {min_sec: 32000}}",
        "tedlium": "{bucket_file: b, zero_infinity: true}",  # where the published code leaves out what is below 1 s
    }.items():
        speechft("import-s3prl", _file(tmp_path, data=data), "-o", f"{name}.yaml")
        config = load_config(tmp_path / f"{name}.yaml").config
        assert config.finetune is not None
        shortest[name] = config.finetune.min_seconds
    assert shortest == {"ks": 0.1, "asv": 2, "tedlium": 1}


@pytest.mark.parametrize(
    ("corpus", "data"),
    [
        ("iemocap", "{root: corpus, test_fold: fold1, valid_ratio: 0.2, train_batch_size: 4}"),
        ("voxceleb1", "{file_path: corpus, meta_data: list.txt, max_timestep: 128000, train_batch_size: 8}"),
        (
            "voxceleb1",
            "{file_path: corpus, train_meta_data: ids.txt, max_timestep: 128000, vad_config: {min_sec: 1600}, "
            "train_batch_size: 8}",
        ),
        ("speech_commands", "{speech_commands_root: corpus, batch_size: 32}"),
        ("fluent_speech_commands", "{file_path: corpus, train_batch_size: 32}"),
        ("librispeech", "{libri_root: corpus, zero_infinity: true, train: [train-clean-100], batch_size: 32}"),
    ],
)
def test_what_was_carried_prepares_and_trains(
    speechft, tmp_path: Path, tiny_file: Path, corpus: str, data: str
) -> None:
    getattr(replicas, corpus)(tmp_path / "corpus")
    assert speechft("import-s3prl", _file(tmp_path, ADAM, data=data), "--encoder", tiny_file).exit_code == 0
    assert speechft("prepare", "-c", "speechft.yaml").exit_code == 0
    assert speechft("finetune", "-c", "speechft.yaml", "--dry-run").exit_code == 0


def test_the_corpus_of_the_folder_ctc_is_carried(speechft, tmp_path: Path) -> None:
    (tmp_path / "slots.yaml").write_text(
        "runner: {total_steps: 1000, fp16: true}\n"
        "optimizer: {name: AdamW, lr: 2.0e-4}\n"
        "scheduler: {name: constant_decay_schedule_with_warmup, num_warmup_steps: 100}\n"
        "downstream_expert: {corpus: {name: snips, path: /data/SNIPS, train: [train], dev: [valid], test: [test], "
        "batch_size: 32, train_speakers: [Ivy], valid_speakers: [Amy], test_speakers: [Brian]}}\n",
        encoding="utf-8",
    )
    result = speechft("import-s3prl", "slots.yaml", "--json")
    assert set(json.loads(result.stdout)["notes"]) == {
        "optimizer",
        "batch size",
        "downstream_expert.corpus.train_speakers",
        "specaug",  # theirs has none, ours always has
    }
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert config.prepare is not None
    assert config.prepare.root == Path("/data/SNIPS")
    assert config.prepare.splits == {"train": ["train"], "dev": ["valid"], "test": ["test"]}
    assert (config.finetune.precision, config.finetune.warmup_share, config.finetune.hold_share) == ("fp16", 0.1, 0.9)


def test_phonemes_come_with_their_lexicon(speechft, tmp_path: Path) -> None:
    (tmp_path / "pr.yaml").write_text(
        "runner: {total_steps: 100000}\noptimizer: {torch_optim_name: SGD, lr: 1.0e-2}\n"
        "scheduler: {name: linear_schedule_with_warmup, num_warmup_steps: 1000}\n"
        "downstream_expert: {corpus: {name: libriphone, lexicon: [one.txt, two.txt], batch_size: 16}}\n",
        encoding="utf-8",
    )
    result = speechft("import-s3prl", "pr.yaml", "--json")
    assert json.loads(result.stdout)["notes"] == {
        "optimizer": "the optimizer is Adam, not SGD",
        "downstream_expert.corpus.lexicon": "one lexicon is read, the first: one.txt",
        "batch size": "16 utterances became 200 s, at 12.5 s each on average: here batches are seconds",
    }
    config = load_config(tmp_path / "speechft.yaml").config
    assert config.finetune is not None
    assert config.prepare is not None
    assert (config.finetune.task, config.finetune.warmup_share, config.finetune.hold_share) == ("pr", 0.01, 0)
    assert config.prepare.lexicon == tmp_path / "one.txt"


def test_what_has_no_key_here_is_said(speechft, tmp_path: Path) -> None:
    result = speechft("import-s3prl", _file(tmp_path, "scheduler: {name: cosine}\nmystery: {knob: 1}"))
    assert "scheduler.name: cosine is not known; the rate is constant, once it has risen\n" in result.stderr
    assert "mystery.knob: no key here does this\n" in result.stderr
    assert "# mystery.knob: no key here does this" in (tmp_path / "speechft.yaml").read_text(encoding="utf-8")


def test_the_merge_config_of_the_published_code_is_carried(speechft, tmp_path: Path) -> None:
    (tmp_path / "theirs.yaml").write_text(
        "merge_method: linear\nalpha: 0.25\nbase_model_name: hubert\nbase_model_ckpt_path: base.pt\n"
        "finetune_model_paths: [dev-best.ckpt]\noutput_dir: out\n",
        encoding="utf-8",
    )
    result = speechft("import-s3prl", "theirs.yaml")
    assert result.stdout.endswith("next: speechft merge -c speechft.yaml\n")
    ours, theirs = (load_config(tmp_path / name).config for name in ("speechft.yaml", "theirs.yaml"))
    assert ours.merge == theirs.merge


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "seed: 1\n",
            "theirs.yaml: must be a downstream config of s3prl, with runner.total_steps and downstream_expert",
        ),
        (
            "runner: {total_steps: 1}\ndownstream_expert: {datarc: {vcc2020: x}}\n",
            "theirs.yaml: must be of asr, pr, sid, asv, sd, er, ks, ic or sf, got one of another task",
        ),
        (
            # intents of SNIPS, which only look like those of Fluent Speech Commands
            "runner: {total_steps: 1}\ndownstream_expert: {datarc: {file_path: x}, modelrc: {module: Transformer}}\n",
            "theirs.yaml: must be of asr, pr, sid, asv, sd, er, ks, ic or sf, got one of another task",
        ),
        (
            # phonemes by frame, where only libri_root is as in asr
            "runner: {total_steps: 1}\ndownstream_expert: {datarc: {libri_root: x, phone_path: y}}\n",
            "theirs.yaml: must be of asr, pr, sid, asv, sd, er, ks, ic or sf, got one of another task",
        ),
        (
            "runner: {}\ndownstream_expert: {datarc: {dataset_root: x}, dtwrc: {subsequence: true}}\n",
            "theirs.yaml: must be of a task that trains, got query by example",
        ),
        (
            "runner: {total_steps: many}\ndownstream_expert: {datarc: {speech_commands_root: x}}\n",
            "runner.total_steps: must be a number, got 'many'",
        ),
    ],
)
def test_what_is_no_such_config_is_refused(speechft, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "theirs.yaml").write_text(text, encoding="utf-8")
    result = speechft("import-s3prl", "theirs.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.yaml"]
