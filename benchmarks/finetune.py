"""Audio-seconds per second of fine-tuning a HuBERT of base size, against the way s3prl's downstream runner trains.

    python benchmarks/finetune.py [--utterances 16] [--batch 4] [--threads 2] [--precision fp32 bf16]

The baseline is s3prl's way: a fixed number of utterances in random order padded to the longest, float32, the graph
kept through the whole encoder, every training batch decoded and scored, the loss read at every update. Same utterances,
same head, same optimizer, same process. Prints a Markdown table. Times are of the process's CPU, summed over its
threads, so that other work on the machine does not decide; with --wall they are of the clock.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.batches import Position, plan_updates
from speechft_cli.data.loading import load_updates
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint
from speechft_cli.tasks import TASKS
from speechft_cli.training.freezing import freeze, release, trainable_names
from speechft_cli.training.job import Job
from speechft_cli.training.precision import Precision
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.state import TrainingState, new_state
from speechft_cli.training.strategies import STRATEGIES
from speechft_cli.training.strategies.base import StrategySettings
from speechft_cli.training.update import make_update
from speechft_cli.training.usable import usable_for_training

LETTERS = np.array(list("ETAONIHSRDLU "))


def main() -> None:
    """Times the baseline and our phases in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4, help="utterances per batch of the baseline")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", default="base")
    parser.add_argument("--precision", nargs="+", default=["fp32"])
    parser.add_argument("--wall", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.perf_counter if options.wall else time.process_time
    with tempfile.TemporaryDirectory() as folder:
        utterances = make_speech(Path(folder), options.utterances)
        seconds = float(utterances.durations.sum())
        job = make_job(utterances)
        # as much audio per update as the baseline has on average
        batch_seconds = options.batch * seconds / len(utterances)
        rows: list[tuple[str, float]] = []
        for name, run in (
            ("s3prl's way", partial(like_s3prl, make_state(job, "fp32", options.size), job, options.batch)),
            *(
                (
                    f"{phase}, {precision}",
                    partial(ours, make_state(job, precision, options.size), job, batch_seconds, is_frozen),
                )
                for precision in options.precision
                for phase, is_frozen in (("head and encoder", False), ("head alone", True))
            ),
        ):
            rows.append((name, seconds / timed(run, clock)))
            print(f"  {name}: {rows[-1][1]:.2f}", flush=True)
    print(
        f"\n{len(utterances)} utterances, {seconds:.0f} s\n\n| way | audio-seconds per second | ratio |\n|---|---|---|"
    )
    for name, rate in rows:
        print(f"| {name} | {rate:.2f} | {rate / rows[0][1]:.2f} |")


def make_speech(folder: Path, count: int) -> Utterances:
    """Noise with transcripts, 1 to 16 s long, most of it short as in read speech."""
    random = np.random.default_rng(0)
    utterances = []
    for index, seconds in enumerate(np.clip(random.gamma(2.0, 3.0, count), 1.0, 16.0).tolist()):
        path = folder / f"{index}.flac"
        soundfile.write(path, 0.1 * random.standard_normal(int(seconds * 16_000)), 16_000)
        text = "".join(random.choice(LETTERS, int(12 * seconds)))
        utterances.append(Utterance(f"u{index}", path, duration=int(seconds * 16_000) / 16_000, text=text))
    return Utterances.of(utterances)


def make_job(utterances: Utterances) -> Job:
    """Speech recognition on them."""
    task, family = TASKS.get("asr"), ENCODERS.get("hubert")
    vocabulary = task.vocabulary([])
    usable, _ = usable_for_training(
        utterances, task, vocabulary, frame_counts=family.frame_counts, min_seconds=0.1, max_seconds=60
    )
    assert len(usable) == len(utterances)
    return Job(task, vocabulary, usable, usable)


def make_state(job: Job, precision: str, size: str) -> Callable[[], TrainingState]:
    """Makes encoder, head and optimizer when asked: one at a time is in memory."""

    def make() -> TrainingState:
        base = random_checkpoint(ENCODERS.get("hubert"), size, seed=0)
        encoder = build_encoder(base, device=torch.device("cpu"))
        state = new_state(
            encoder,
            {"asr": job.task.head(encoder.width, len(job.vocabulary))},
            strategy=STRATEGIES.get("stable")(StrategySettings()),
            trainable=trainable_names(encoder),
            base=base.weights,
            precision=Precision.on(precision, torch.device("cpu")),  # type: ignore[arg-type]
            skip_limit=20,
        )
        for group in state.optimizer.param_groups:
            group["lr"] = 1e-4
        return state

    return make


def like_s3prl(make: Callable[[], TrainingState], job: Job, count: int) -> Callable[[], object]:
    """One epoch the way s3prl's runner trains."""
    state = make()
    state.encoder.requires_grad_(True)
    state.encoder.train()
    optimizer = torch.optim.Adam([*state.heads.parameters(), *state.encoder.parameters()], lr=1e-4)
    order = np.random.default_rng(1).permutation(len(job.train)).tolist()

    def epoch() -> None:
        for first in range(0, len(order), count):
            chosen = job.train.select(order[first : first + count])
            references = [job.reference(each) for each in chosen]
            targets = [job.task.encode(each, job.vocabulary) for each in references]
            encoded = state.encoder([read_waveform(each) for each in chosen])
            logits = state.heads["asr"](encoded.last, encoded.frame_counts)
            loss = job.task.loss(logits, encoded.frame_counts, targets, job.vocabulary)
            loss.backward()
            predictions = job.task.predict(logits, encoded.frame_counts, job.vocabulary)
            job.task.score(predictions, references)
            torch.nn.utils.clip_grad_norm_([*state.heads.parameters(), *state.encoder.parameters()], 1.0)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()

    return epoch


def ours(make: Callable[[], TrainingState], job: Job, batch_seconds: float, is_frozen: bool) -> Callable[[], object]:
    """One epoch the way the training loop trains."""
    state = make()
    if is_frozen:
        freeze(state.encoder, with_dropout=True)
    else:
        release(state.encoder, state.attached.trained)
    sources = [job.source(batch_seconds)]
    plan = partial(plan_updates, sources, seed=0, step=0, positions=[Position()])
    batches = next(number for number, each in enumerate(plan(), start=1) if each.positions[0].epoch == 1)

    def epoch() -> None:
        for _, read in islice(load_updates(sources, plan, workers=0), batches):
            make_update(state, job, read, is_frozen=is_frozen, gradient_clip=1.0, seed=0, ranks=Ranks())

    return epoch


def timed(make: Callable[[], Callable[[], object]], clock: Callable[[], float]) -> float:
    """Returns the seconds of one epoch."""
    epoch = make()
    start = clock()
    epoch()
    return clock() - start


if __name__ == "__main__":
    main()
