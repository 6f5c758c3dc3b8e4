"""Audio-seconds per second of fine-tuning a HuBERT of base size, against the way s3prl's downstream runner trains.

    python benchmarks/finetune.py [--utterances 16] [--batch 4] [--threads 2] [--precision fp32 bf16]
    python benchmarks/finetune.py --device cuda --wall --utterances 512 --batch 32 --workers 6 --epochs 3 \\
        --precision fp32 bf16 --compile

The baseline is s3prl's way: a fixed number of utterances in random order padded to the longest, float32, the graph
kept through the whole encoder, every training batch decoded and scored, the loss read at every update. Same utterances,
same head, same optimizer, same process. Prints a Markdown table. Times are of the process's CPU, summed over its
threads, so that other work on the machine does not decide; with --wall they are of the clock, as on a GPU they must be.
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
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from speechft_cli.data.audio import SAMPLE_RATE, read_waveform
from speechft_cli.data.batches import Position, plan_updates
from speechft_cli.data.loading import load_updates
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint
from speechft_cli.tasks import TASKS
from speechft_cli.training.freezing import freeze, release, trainable_names
from speechft_cli.training.job import Job
from speechft_cli.training.kernels import attention_for_any_length, choose_kernels
from speechft_cli.training.memory import compile_layers
from speechft_cli.training.precision import Precision
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.state import TrainingState, new_state
from speechft_cli.training.strategies import STRATEGIES
from speechft_cli.training.strategies.base import StrategySettings
from speechft_cli.training.update import make_update
from speechft_cli.training.usable import usable_for_training

#: Trains on everything once; returns how much audio that was and how long it waited for it [s].
Epoch = Callable[[], tuple[float, float]]
LETTERS = np.array(list("ETAONIHSRDLU "))


def main() -> None:
    """Times the baseline and our phases in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4, help="utterances per batch of the baseline")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes that read audio, for the baseline too")
    parser.add_argument("--epochs", type=int, default=1, help="the first one of several is not counted")
    parser.add_argument("--task", default="asr", choices=["asr", "pr"])
    parser.add_argument("--size", default="base")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", nargs="+", default=["fp32"])
    parser.add_argument("--compile", action="store_true", help="time compiled layers as well")
    parser.add_argument("--wall", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.perf_counter if options.wall else time.process_time
    with tempfile.TemporaryDirectory() as folder:
        utterances = make_speech(Path(folder), options.utterances)
        seconds = float(utterances.durations.sum())
        job = make_job(utterances, options.task)
        # as much audio per update as the baseline has on average
        batch_seconds = options.batch * seconds / len(utterances)
        state = partial(make_state, job, options.size, torch.device(options.device))
        ways: dict[str, Callable[[], Epoch]] = {
            "s3prl's way, fp32": partial(like_s3prl, state("fp32"), job, options.batch, options.workers)
        }
        for precision in options.precision:
            for is_compiled in [False, True] if options.compile else [False]:
                made = state(precision, is_compiled)
                name = f"{precision}, compiled" if is_compiled else precision
                for phase, is_frozen in (("head and encoder", False), ("head alone", True)):
                    ways[f"{phase}, {name}"] = partial(ours, made, job, batch_seconds, options.workers, is_frozen)
        rows: list[tuple[str, float, float]] = []
        for name, way in ways.items():
            rows.append((name, *timed(way, clock, options.epochs)))
            print("  {}: {:.2f}, {:.1%} waiting".format(*rows[-1]), flush=True)
    print(f"\n{len(utterances)} utterances, {seconds:.0f} s, {batch_seconds:.0f} s per update on {options.device}\n")
    print("| way | audio-seconds per second | ratio | waiting for data |\n|---|---|---|---|")
    for name, rate, waiting in rows:
        print(f"| {name} | {rate:.2f} | {rate / rows[0][1]:.2f} | {waiting:.1%} |")


def make_speech(folder: Path, count: int) -> Utterances:
    """Noise with transcripts, 1 to 16 s long, most of it short as in read speech."""
    random = np.random.default_rng(0)
    utterances = []
    for index, seconds in enumerate(np.clip(random.gamma(2.0, 3.0, count), 1.0, 16.0).tolist()):
        path = folder / f"{index}.flac"
        soundfile.write(path, 0.1 * random.standard_normal(int(seconds * 16_000)), 16_000)
        text = "".join(random.choice(LETTERS, int(12 * seconds)))
        phones = " ".join(random.choice(LETTERS[:-1], int(12 * seconds)))
        duration = int(seconds * 16_000) / 16_000
        utterances.append(Utterance(f"u{index}", path, duration=duration, text=text, phones=phones))
    return Utterances.of(utterances)


def make_job(utterances: Utterances, name: str) -> Job:
    """A task on them."""
    task, family = TASKS.get(name), ENCODERS.get("hubert")
    vocabulary = task.vocabulary([each.target(task.needs) or "" for each in utterances])
    usable, _ = usable_for_training(
        utterances, task, vocabulary, frame_counts=family.frame_count, min_seconds=0.1, max_seconds=60
    )
    assert len(usable) == len(utterances)
    return Job(task, vocabulary, usable, usable)


def make_state(
    job: Job, size: str, device: torch.device, precision: str, is_compiled: bool = False
) -> Callable[[], TrainingState]:
    """Makes encoder, head and optimizer when asked: one at a time is in memory."""

    def make() -> TrainingState:
        base = random_checkpoint(ENCODERS.get("hubert"), size, seed=0)
        encoder = build_encoder(base, device=device)
        state = new_state(
            encoder,
            {job.task.name: job.task.head(encoder.width, len(job.vocabulary)).to(device)},
            strategy=STRATEGIES.get("stable")(StrategySettings()),
            trainable=trainable_names(encoder),
            base=base.weights,
            precision=Precision.on(precision, device),  # type: ignore[arg-type]
            skip_limit=20,
        )
        for group in state.optimizer.param_groups:
            group["lr"] = 1e-4
        if is_compiled:
            compile_layers(state.encoder)
        return state

    return make


def like_s3prl(make: Callable[[], TrainingState], job: Job, count: int, workers: int) -> Epoch:
    """One epoch the way s3prl's runner trains."""
    state = make()
    state.encoder.requires_grad_(True)
    state.encoder.train()
    optimizer = torch.optim.Adam([*state.heads.parameters(), *state.encoder.parameters()], lr=1e-4)
    read: DataLoader[tuple[int, Tensor]] = DataLoader(
        _Read(job), batch_size=count, shuffle=True, num_workers=workers, collate_fn=list, persistent_workers=workers > 0
    )

    def epoch() -> tuple[float, float]:
        waiting, audio, since = 0.0, 0.0, time.perf_counter()
        for batch in read:
            waiting += time.perf_counter() - since
            chosen = job.train.select([index for index, _ in batch])
            references = [job.reference(each) for each in chosen]
            targets = [job.task.encode(each, job.vocabulary) for each in references]
            waveforms = [wave.to(state.device) for _, wave in batch]
            audio += sum(map(len, waveforms)) / SAMPLE_RATE
            encoded = state.encoder(waveforms)
            logits = state.heads[job.task.name](encoded.last, encoded.frame_counts)
            loss = job.task.loss(logits, encoded.frame_counts, targets, job.vocabulary)
            loss.backward()
            predictions = job.task.predict(logits, encoded.frame_counts, job.vocabulary)
            job.task.score(predictions, references)
            torch.nn.utils.clip_grad_norm_([*state.heads.parameters(), *state.encoder.parameters()], 1.0)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()
            since = time.perf_counter()
        return audio, waiting

    return epoch


class _Read(Dataset[tuple[int, Tensor]]):
    def __init__(self, job: Job) -> None:
        self._train = job.train

    def __len__(self) -> int:
        return len(self._train)

    def __getitem__(self, index: int) -> tuple[int, Tensor]:
        return index, read_waveform(self._train[index])


def ours(make: Callable[[], TrainingState], job: Job, batch_seconds: float, workers: int, is_frozen: bool) -> Epoch:
    """One epoch the way the training loop trains."""
    state = make()
    choose_kernels(state.encoder)
    if is_frozen:
        freeze(state.encoder, with_dropout=True)
    else:
        release(state.encoder, state.attached.trained)
    sources = [job.source(batch_seconds)]
    plan = partial(plan_updates, sources, seed=0, step=0, positions=[Position()])
    batches = next(number for number, each in enumerate(plan(), start=1) if each.positions[0].epoch == 1)
    updates = load_updates(sources, plan, workers=workers, pin_memory=state.device.type == "cuda")

    def epoch() -> tuple[float, float]:
        waiting, audio, since = 0.0, 0.0, time.perf_counter()
        with attention_for_any_length():
            for _, read in islice(updates, batches):
                waiting += time.perf_counter() - since
                _, _, seconds = make_update(
                    state, job, read, is_frozen=is_frozen, gradient_clip=1.0, seed=0, ranks=Ranks()
                )
                audio += seconds
                since = time.perf_counter()
        return audio, waiting

    return epoch


def timed(make: Callable[[], Epoch], clock: Callable[[], float], epochs: int) -> tuple[float, float]:
    """Returns audio-seconds per second and the share of the time spent waiting for data, of all epochs but the first.

    The first one counts only where it is alone: on a GPU much happens once.
    """
    epoch = make()
    if epochs > 1:
        epoch()
    audio = waiting = 0.0
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start, start_of_clock = time.perf_counter(), clock()
    for _ in range(max(1, epochs - 1)):
        heard, waited = epoch()
        audio, waiting = audio + heard, waiting + waited
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return audio / (clock() - start_of_clock), waiting / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
