"""How fast `prepare` is against opening the same files' headers, and how its memory grows.

    python benchmarks/prepare.py [--files 100000] [--repeats 5] [--processes 2] [--utterances 10000 1000000]

Makes short WAV files and lists in a temporary folder, and removes them. Every figure is taken in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16_000


def make_corpus(root: Path, count: int) -> None:
    """Writes `count` files of 0.1 to 0.15 s, a thousand to a folder, and their list."""
    random = np.random.default_rng(0)
    with (root / "manifest.jsonl").open("w") as file:
        for number in range(count):
            path = root / f"{number // 1000:04d}" / f"{number:07d}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(
                path, random.integers(-9000, 9000, random.integers(1600, 2400), dtype=np.int16), SAMPLE_RATE
            )
            line = {"audio": str(path.relative_to(root)), "text": f"UTTERANCE {number}", "speaker": f"s{number % 500}"}
            file.write(json.dumps(line) + "\n")


def make_stretches(root: Path, count: int) -> None:
    """Writes ten recordings and a list of `count` stretches of them: a large corpus on a small disk."""
    random = np.random.default_rng(0)
    for number in range(10):
        samples = random.integers(-9000, 9000, SAMPLE_RATE * 60, dtype=np.int16)
        soundfile.write(root / f"{number}.wav", samples, SAMPLE_RATE)
    with (root / "manifest.jsonl").open("w") as file:
        for number in range(count):
            start = (number // 10) * 59 / (count / 10)
            line = {
                "id": f"{number * 7919 % count:08d}",
                "audio": f"{number % 10}.wav",
                "start": round(start, 6),
                "duration": 0.5,
                "text": f"THIS IS SENTENCE {number} OF MANY AND IT IS AS LONG AS ONE THAT PEOPLE SAY",
                "speaker": f"s{number % 500}",
            }
            file.write(json.dumps(line) + "\n")


def open_headers(paths: Sequence[str]) -> int:
    """Opens each file's header; returns how many samples they promise."""
    total = 0
    for path in paths:
        with soundfile.SoundFile(path) as audio:
            total += audio.frames
    return total


def time_headers(root: Path, processes: int) -> float:
    """Returns how long it takes to open all headers [s]."""
    paths = [str(path) for path in sorted(root.glob("*/*.wav"))]
    chunks = [paths[first : first + 500] for first in range(0, len(paths), 500)]
    with multiprocessing.Pool(processes) as pool:
        pool.map(open_headers, chunks[:processes])  # they are up
        start = time.perf_counter()
        pool.map(open_headers, chunks, chunksize=1)
        return time.perf_counter() - start


def prepare(root: Path, out: Path, processes: int) -> dict[str, float]:
    """Prepares a corpus in this process; returns seconds and this process's peak memory [MB]."""
    from speechft_cli.config.schema import Config
    from speechft_cli.config.sections.prepare import PrepareSection
    from speechft_cli.engines.prepare import run
    from speechft_cli.events import ignore

    section = PrepareSection(corpus="manifest", root=root, out=out, workers=processes)
    start = time.perf_counter()
    run(Config(prepare=section), ignore)
    return {
        "seconds": time.perf_counter() - start,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_own_process(action: str, *arguments: object) -> dict[str, float]:
    """Runs one measurement of this file in a new interpreter."""
    command = [sys.executable, __file__, "--action", action, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # type: ignore[no-any-return]


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--utterances", type=int, nargs="*", default=[10_000, 1_000_000])
    parser.add_argument("--action", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.action:
        name, root, *more = arguments.action
        if name == "headers":
            print(json.dumps({"seconds": time_headers(Path(root), int(more[0]))}))
        else:
            print(json.dumps(prepare(Path(root), Path(more[0]), int(more[1]))))
        return
    processes = arguments.processes
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "corpus"
        root.mkdir()
        if arguments.files:
            make_corpus(root, arguments.files)
            os.sync()
            headers, prepared = [], []
            for run in range(arguments.repeats):  # in turn, so that both meet the same of what else the machine does
                headers.append(in_own_process("headers", root, processes)["seconds"])
                prepared.append(in_own_process("prepare", root, Path(folder) / f"out-{run}", processes)["seconds"])
            opened, all_of_it = statistics.median(headers), statistics.median(prepared)
            print(f"| {arguments.files} files, {processes} processes | files/s | ratio |\n|---|---|---|")
            print(f"| headers opened with soundfile | {arguments.files / opened:.0f} | 1.00 |")
            print(f"| `prepare manifest`, all of it | {arguments.files / all_of_it:.0f} | {opened / all_of_it:.2f} |")
            each = ", ".join(f"{header / own:.2f}" for header, own in zip(headers, prepared, strict=True))
            print(f"\nRatios, pair by pair: {each}\n", flush=True)
        print("| utterances | utterances/s | peak memory [MB] |\n|---|---|---|")
        for count in arguments.utterances:
            root = Path(folder) / f"stretches-{count}"
            root.mkdir()
            make_stretches(root, count)
            run = in_own_process("prepare", root, Path(folder) / f"out-{count}", processes)
            rate = count / run["seconds"]
            print(f"| {count} | {rate:.0f} | {run['memory']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
