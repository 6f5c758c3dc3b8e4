"""The paper in miniature: does an encoder that is fine-tuned and interpolated keep what it knew, and gain?

    python benchmarks/miniature/run.py --recordings FOLDER --out FOLDER [--seeds 3] [--processes 2] [--device cpu]

Fine-tunes `hubert-small` on spoken digits (ASR), speakers and emotions in every way that the paper compares, merges
what stable fine-tuning gives with the base over a grid of alphas, probes all of them on phonemes, speakers, keywords
and emotions, and writes `tables.md`. FOLDER holds the packages of `recordings.py`. What is done already is not done
again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import recordings
from tables import write_tables

from speechft_cli.config.schema import Config
from speechft_cli.engines import evaluate, finetune, merge, prepare
from speechft_cli.events import ignore

BASE = "hubert-small"
STRATEGIES = ("regular", "stable", "l2sp", "lora", "early")
#: Whose tuned encoders are interpolated with the base.
MERGED = ("stable",)
ALPHAS = "0.25:0.75:0.25"


@dataclass(frozen=True)
class Corpus:
    """A package among the recordings, and how much of it is used: a hundred encoders have to hear it."""

    package: str
    needs: str | None = None
    every: Mapping[str, int] = field(default_factory=dict)


CORPORA = {
    "digits": Corpus(recordings.DIGITS, every={"valid": 8, "test": 8}),
    "phones": Corpus(recordings.READ, every={"train": 24, "valid": 8, "test": 6}),
    "words": Corpus(recordings.WORDS, needs="split_sid", every={"train": 4, "valid": 3, "test": 4}),
    "emotions": Corpus(recordings.EMOTIONS),
}
#: Task → the corpus it is fine-tuned on. Digits, because so few updates don't teach to transcribe anything longer.
TUNED_ON = {"sid": "words", "er": "emotions", "asr": "digits"}
#: Task → updates: to transcribe is learnt last.
STEPS = {"sid": 120, "er": 120, "asr": 300}
FINETUNING: dict[str, object] = {
    "batch_seconds": 8,
    "learning_rate": 1e-3,
    "evaluate_every": 60,
    "min_seconds": 0.3,
    "max_seconds": 8,
    "workers": 0,
}
#: Corpus → the probes on it.
PROBES: dict[str, dict[str, object]] = {
    "phones": {
        "tasks": ["pr"],
        "steps": {"pr": 80},
        "learning_rates": {"pr": [1e-2]},
        "seeds": 1,
        "drift_seconds": 30,
    },
    "words": {"tasks": ["sid", "ks"], "drift_seconds": 0},
    "emotions": {"tasks": ["er"], "crop_seconds": 1.5, "drift_seconds": 0},
}


@dataclass(frozen=True)
class Run:
    """One fine-tuning."""

    task: str
    strategy: str
    seed: int

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.task}-{self.strategy}-{self.seed}"


def prepare_corpora(packages: Path, out: Path) -> None:
    """Lists and prepares the recordings of every corpus."""
    for name, corpus in CORPORA.items():
        listed = out / "lists" / f"{name}.jsonl"
        if not listed.is_file():
            recordings.write_probing_list(packages / corpus.package, listed, needs=corpus.needs, every=corpus.every)
        section = {"corpus": "manifest", "root": listed, "keep_duplicates": True, "min_seconds": 0.3}
        prepare.run(_config(out, prepare=section | {"out": out / "data" / name}), ignore)


def tune(out: Path, run: Run, device: str) -> None:
    """Fine-tunes the base; merges what came out with it where that is asked for."""
    folder = out / "runs" / run.name
    asked = {"task": run.task, "strategy": run.strategy, "data": out / "data" / TUNED_ON[run.task], "out": folder}
    section = FINETUNING | asked | {"steps": STEPS[run.task], "device": device}
    config = _config(out, seed=run.seed, encoder={"checkpoint": BASE}, finetune=section)
    finetune.run(config, ignore, resume=(folder / "run.json").is_file())
    if run.strategy in MERGED:
        merging = {"base": BASE, "tuned": [folder], "alphas": ALPHAS, "out": out / "merged" / run.name}
        merge.run(_config(out, merge=merging), ignore)
    print(f"tuned {run.name}", flush=True)


def probe(out: Path, corpus: str, group: str, runs: Sequence[Run], device: str) -> None:
    """Probes the base and everything made of it by some runs on one corpus."""
    models: dict[str, Path | str] = {"base": BASE}
    for run in runs:
        models[f"{run.name}-1"] = out / "runs" / run.name
        for folder in sorted((out / "merged" / run.name).glob("alpha-*")):
            models[f"{run.name}-{folder.name.removeprefix('alpha-')}"] = folder
    section = PROBES[corpus] | {
        "models": models,
        "data": out / "data" / corpus,
        "out": out / "probes" / corpus / group,
        "cache_gib": 50,
        "device": device,
    }
    evaluate.run(_config(out, evaluate=section), ignore)
    print(f"probed {corpus} {group}", flush=True)


def _config(out: Path, *, seed: int = 1337, **sections: object) -> Config:
    return Config.model_validate({"name": "miniature", "seed": seed, "output_dir": out, **sections})


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def main() -> None:
    """Runs what is asked for and writes the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="of all processes")
    asked = parser.parse_args()
    out = asked.out.absolute()
    prepare_corpora(asked.recordings.absolute(), out)
    runs = [Run(task, way, seed) for seed in range(1, asked.seeds + 1) for task in TUNED_ON for way in STRATEGIES]
    # one thread each: so small a network gains nothing from more
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(asked.processes, initializer=_one_thread) as pool:
        pool.starmap(tune, [(out, run, asked.device) for run in runs], chunksize=1)
        # what is probed together shares the base, and is as much as one process should have to do
        groups: dict[str, list[Run]] = {}
        for run in runs:
            groups.setdefault(f"{run.task}-{run.seed}", []).append(run)
        probed = [(out, corpus, name, of_group, asked.device) for name, of_group in groups.items() for corpus in PROBES]
        pool.starmap(probe, probed, chunksize=1)
    write_tables(out, PROBES)


if __name__ == "__main__":
    main()
