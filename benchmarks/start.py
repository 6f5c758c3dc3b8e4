"""How long a fine-tuning takes to its first update, and how much memory, by the size of its manifest.

    python benchmarks/start.py [--utterances 1000 1000000] [--task asr] [--workers 2]

Makes ten recordings and manifests of stretches of them in a temporary folder, and removes them. Every figure is of a
process of its own, from the start of the interpreter on, with a tiny encoder of random weights. Memory is the main
process's peak, of which mapped manifests are a part, and what the reading processes have beside what they share.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from speechft_cli.data.columns import Row
from speechft_cli.data.manifests.blocks import make_block
from speechft_cli.data.manifests.folder import manifest_writer

SAMPLE_RATE = 16_000
#: Length of a recording [s].
LENGTH = 60.0
WORDS = ("THE", "OF", "SPEECH", "WITHOUT", "MORNING", "A", "TRAVELLER", "AND", "WHITHER", "HOUSES", "DO", "CONSIDER")
PHONES = ("AH0", "B", "CH", "D", "EH1", "F", "G", "HH", "IY0", "K", "L", "M", "N", "OW2", "P", "R", "S", "T")


def make_manifests(folder: Path, count: int) -> None:
    """Writes recordings, `count` stretches of 2 to 16 s to train on and ten of dev, with text, phones and speaker."""
    random = np.random.default_rng(0)
    for number in range(10):
        samples = random.integers(-9000, 9000, int(SAMPLE_RATE * LENGTH), dtype=np.int16)
        soundfile.write(folder / f"{number}.wav", samples, SAMPLE_RATE)
    words = [WORDS[each] for each in random.integers(len(WORDS), size=2000)]
    spelt = [PHONES[each] for each in random.integers(len(PHONES), size=2000)]
    for split, size in (("train", count), ("dev", 10)):
        rows: list[Row] = []
        with manifest_writer(folder, split) as add:
            for number in range(size):
                seconds = float(np.round(random.uniform(2, 16), 3))
                start = float(np.round(random.uniform(0, LENGTH - seconds), 3))
                # 15 characters and 12 phonemes a second, as in read speech
                first = int(random.integers(1000))
                text = " ".join(words[first : first + int(seconds * 2.5)])
                phones = " ".join(spelt[first : first + int(seconds * 12)])
                of = (text, None, phones, f"speaker{number % min(2000, -(-count // 10))}", "en", None, None, None)
                name = f"{split}-{number:08}"
                rows.append(Row(start, seconds, SAMPLE_RATE, 0, 0, name, f"{number % 10}.wav", *of))
                if len(rows) == 1024 or number == size - 1:
                    add(make_block(split, rows))
                    rows.clear()


class FirstUpdateError(Exception):
    """It is made, and there is nothing more to measure: ten utterances in a hundred would be evaluated on."""


def start(data: Path, out: Path, task: str, workers: int, began: float) -> dict[str, float]:
    """Fine-tunes to the first update; returns its time [s] and the memory it took [MB]."""
    from speechft_cli.config.schema import Config
    from speechft_cli.config.sections.encoder import EncoderSection
    from speechft_cli.config.sections.finetune import FinetuneSection
    from speechft_cli.engines.finetune import run
    from speechft_cli.events import Event, TrainingStep

    figures: dict[str, float] = {}

    def hear(event: Event) -> None:
        if isinstance(event, TrainingStep):
            figures["seconds"] = time.time() - began
            figures["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            figures["own"] = max(map(private_memory, children()), default=0.0)
            raise FirstUpdateError

    section = FinetuneSection(
        data=data, out=out, task=task, steps=2, log_every=1, workers=workers, batch_seconds=32.0, evaluate_every=2
    )
    with contextlib.suppress(FirstUpdateError):
        run(Config(encoder=EncoderSection(init="random", size="tiny"), finetune=section), hear)
    return figures


def children() -> list[int]:
    """Returns the processes that this one started."""
    return [int(each) for each in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def private_memory(process: int) -> float:
    """Returns what memory a process shares with no other [MB]."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--task", nargs="+", default=["asr"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--action", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.action:
        data, out, task, workers, began = arguments.action
        print(json.dumps(start(Path(data), Path(out), task, int(workers), float(began))))
        return
    print("| utterances | task | first update after [s] | CPU [s] | peak memory [MB] | own memory of a reader [MB] |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.utterances:
            data = Path(folder) / str(count)
            data.mkdir()
            make_manifests(data, count)
            for task in arguments.task:
                before = os.times()
                command = [
                    sys.executable,
                    __file__,
                    "--action",
                    data,
                    data / task,
                    task,
                    arguments.workers,
                    time.time(),
                ]
                output = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE).stdout
                after = os.times()
                cpu = after.children_user + after.children_system - before.children_user - before.children_system
                got = json.loads(output)
                print(
                    f"| {count} | {task} | {got['seconds']:.1f} | {cpu:.1f} | {got['memory']:.0f} | {got['own']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
