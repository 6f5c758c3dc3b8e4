"""How long the command line takes to answer, against an empty Python process in the same run.

    python benchmarks/startup.py [--runs 20]

Prints a Markdown table: median seconds and the ratio to `python -c pass`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "speechft --help": ["-m", "speechft_cli", "--help"],
    "speechft list encoders": ["-m", "speechft_cli", "list", "encoders"],
    "speechft config schema": ["-m", "speechft_cli", "config", "schema"],
}


def main() -> None:
    """Times every command in turn, so that a slow moment of the machine hits all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs + 1):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}  # the first run fills caches
    baseline = medians["python -c pass"]
    print("| command | median [s] | ratio |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| `{name}` | {median:.3f} | {median / baseline:.1f} |")


if __name__ == "__main__":
    main()
