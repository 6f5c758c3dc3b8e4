"""What pre-training taught: probes of log mel features, of random weights and of encoders trained on other speech.

    python benchmarks/miniature/pretrain.py --recordings FOLDER --out FOLDER [--processes 2]

Makes `hubert-small` as templates/pretrain-small.yaml says, once from real recordings, once from synthetic speech, once
from both, and prints the tables of docs/base.md. FOLDER holds the packages of `recordings.py`. What is done
already is not done again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import recordings
from tables import first_metrics, shown

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
#: As much as there is of real speech.
SYNTHETIC_HOURS = 6.8
#: Speech → which encoder is probed: after one round all three, for the same number of updates.
SPEECH = ("real", "synthetic", "both")
#: Tables of docs/base.md: corpus → how it is probed.
PROBES = {
    "read": ["--task", "pr", "--set", "evaluate.steps={pr: 500}"],
    "words": ["--task", "sid", "--task", "ks"],
}


def speechft(*arguments: str | Path) -> None:
    """Runs one command of speechft; its talk goes to stderr."""
    command = [sys.executable, "-m", "speechft_cli", *map(str, arguments)]
    print("$ speechft", *arguments, file=sys.stderr, flush=True)
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)


def prepare(packages: Path, out: Path) -> None:
    """Prepares the speech to train on and the speech to probe on."""
    listed = out / "lists" / "real.jsonl"
    recordings.write_pretraining_list(packages, listed)
    speechft("prepare", "manifest", "--root", listed, "--out", out / "data/real", "--set", "prepare.min_seconds=0.5")
    speechft("prepare", "synthetic", "--hours", str(SYNTHETIC_HOURS), "--out", out / "data/synthetic")
    speechft("prepare", "--join", out / "data/real", "--join", out / "data/synthetic", "--out", out / "data/both")
    for name, package in {"read": recordings.READ, "words": recordings.WORDS}.items():
        listed = out / "lists" / f"{name}.jsonl"
        recordings.write_probing_list(packages / package, listed)
        # half an hour of each split teaches a linear probe of phonemes what it can learn
        limit = ["--hours", "0.5", "--order", "random"] if name == "read" else []
        speechft("prepare", "manifest", "--root", listed, "--out", out / "data" / name, *limit)


def pretrain(speech: str, template: str, out: Path, *extra: str) -> Path:
    """Runs one round, or goes on with it; returns its run folder."""
    folder = out / f"{speech}-{template}"
    resume = ["--resume"] if (folder / "run.json").is_file() else []
    config = ["-c", TEMPLATES / f"{template}.yaml", "--data", out / "data" / speech, "--out", folder]
    speechft("finetune", *config, *resume, "--set", "finetune.device=cpu", *extra)
    return folder


def probe(corpus: str, encoders: dict[str, str | Path], out: Path) -> None:
    """Probes all encoders on one corpus."""
    models = [part for name, encoder in encoders.items() for part in ("--model", f"{name}={encoder}")]
    speechft("evaluate", *models, *PROBES[corpus], "--data", out / "data" / corpus, "--out", out / "probes" / corpus)


def table(out: Path, encoders: Sequence[str]) -> str:
    """The scores on test, with 95 % intervals over the probes' seeds."""
    scores = [score for corpus in PROBES for score in first_metrics(out / "probes" / corpus) if score.split == "test"]
    cells = {(score.label, f"{score.task} {score.title} [{score.unit}]"): shown(score.values) for score in scores}
    heads = list(dict.fromkeys(head for _, head in cells))
    rows = [f"| {name} | " + " | ".join(cells[name, head] for head in heads) + " |" for name in encoders]
    return "\n".join(["| encoder | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads), *rows])


def main() -> None:
    """Runs what is asked for and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    out = asked.out.absolute()
    prepare(asked.recordings, out)
    with ThreadPoolExecutor(asked.processes) as pool:
        rounds = list(pool.map(lambda speech: pretrain(speech, "pretrain-small", out), SPEECH))
        second = pretrain("real", "pretrain-small-2", out, "--encoder", str(rounds[0]))
        encoders: dict[str, str | Path] = {"log mel": "logmel", "FBANK": "fbank", "random": "random:hubert-small"}
        encoders |= {f"{speech}, round 1": folder for speech, folder in zip(SPEECH, rounds, strict=True)}
        encoders["real, round 2"] = second
        list(pool.map(lambda corpus: probe(corpus, encoders, out), PROBES))
    print(table(out, list(encoders)))


if __name__ == "__main__":
    main()
