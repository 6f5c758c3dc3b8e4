"""How long the command line takes to answer, against an empty Python process in the same run.

    python benchmarks/startup.py [--runs 20]

Prints a Markdown table: median seconds, the ratio to `python -c pass`, and CPU seconds, which other work on the machine
changes less.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "speechft --help": ["-m", "speechft_cli", "--help"],
    "speechft list encoders": ["-m", "speechft_cli", "list", "encoders"],
    "speechft config validate": ["-m", "speechft_cli", "config", "validate", "-c", "asr.yaml"],
    "speechft config schema": ["-m", "speechft_cli", "config", "schema"],
}


def main() -> None:
    """Times every command in turn, so that a slow moment of the machine hits all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    work: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        asr = Path(folder) / "asr.yaml"
        subprocess.run(
            [sys.executable, "-m", "speechft_cli", "init", "--template", "asr", "-o", str(asr)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(runs + 1):
            for name, arguments in COMMANDS.items():
                before = _cpu_seconds()
                start = time.perf_counter()
                subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder)
                seconds[name].append(time.perf_counter() - start)
                work[name].append(_cpu_seconds() - before)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}  # the first run fills caches
    baseline = medians["python -c pass"]
    print("| command | median [s] | ratio | CPU [s] |\n|---|---|---|---|")
    for name, median in medians.items():
        print(f"| `{name}` | {median:.3f} | {median / baseline:.1f} | {statistics.median(work[name][1:]):.3f} |")


def _cpu_seconds() -> float:
    """What finished child processes have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
