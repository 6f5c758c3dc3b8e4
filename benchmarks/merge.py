"""Merging against what people do now: one process per alpha that loads everything, adds dictionaries and saves.

Whole processes are timed, imports included, side by side in one run; peaks are resident memory, shared libraries and
mapped files included. `speechft merge` moreover checks every number, hashes what it reads and writes, and waits until
it is on the disk; so one more alpha is compared with writing the same bytes with and without that wait. CPU seconds say
what is left of a comparison on a machine that is busy with other work.

    python benchmarks/merge.py [--size base] [--grid 21] [--baseline-runs 3] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BASELINE = """
import sys, torch
base_path, tuned_path, alpha, out = sys.argv[1:]
base = torch.load(base_path, map_location="cpu", weights_only=False)
tuned = torch.load(tuned_path, map_location="cpu", weights_only=False)
weights = base["model_weight"]
upstream = {name[len("model."):]: tensor for name, tensor in tuned["Upstream"].items()}
vectors = {n: upstream[n] - weights[n] for n in weights if not n.startswith(("final_proj", "label_embs_concat"))}
base["model_weight"] = {n: t + float(alpha) * vectors[n] if n in vectors else t for n, t in weights.items()}
torch.save(base, out)
"""
WRITE = """
import os, sys, time, torch
base = torch.load(sys.argv[1], map_location="cpu", weights_only=False)
base["model_weight"] = {name: tensor.clone() for name, tensor in base["model_weight"].items()}
for number in range(int(sys.argv[3])):
    start, busy = time.perf_counter(), time.process_time()
    torch.save(base, f"{sys.argv[2]}-{number}")
    written, busy = time.perf_counter() - start, time.process_time() - busy
    with open(f"{sys.argv[2]}-{number}", "rb") as file:
        os.fsync(file.fileno())
    print(written, time.perf_counter() - start, busy)
    os.unlink(f"{sys.argv[2]}-{number}")
"""


def make_pair(folder: Path, size: str) -> None:
    """Writes a random base, and a tuned model as an s3prl downstream run with the state of Adam."""
    import torch

    from speechft_cli.encoders import ENCODERS
    from speechft_cli.encoders.formats import converted
    from speechft_cli.encoders.s3prl import random_checkpoint

    base_path, tuned_path = folder / "base.pt", folder / "dev-best.ckpt"
    family = ENCODERS.get("hubert")
    base = random_checkpoint(family, size, seed=0)
    converted.write(base, base_path)
    generator = torch.Generator().manual_seed(1)

    def moved(name: str, tensor: torch.Tensor) -> torch.Tensor:
        is_still = family.is_cnn(name) or family.is_kept(name)
        return tensor if is_still else tensor + 1e-3 * torch.randn(tensor.shape, generator=generator)

    tuned = {name: moved(name, tensor) for name, tensor in base.weights.items()}
    state = {
        number: {"step": torch.tensor(1.0), "exp_avg": torch.rand_like(tensor), "exp_avg_sq": torch.rand_like(tensor)}
        for number, tensor in enumerate(tuned.values())
    }
    tree = {
        "Args": argparse.Namespace(),
        "Upstream": {f"model.{name}": tensor for name, tensor in tuned.items()},
        "Downstream": {},
        "Optimizer": {"state": state, "param_groups": [{"lr": 1e-4, "params": list(state)}]},
    }
    torch.save(tree, tuned_path)


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        time: From start to end [s].
        cpu: Of all its threads together [s].
        peak: Resident memory [GB].
    """

    time: float
    cpu: float
    peak: float


def measure(*command: object) -> Cost:
    """Runs a process and returns what it took."""
    start = os.times().elapsed
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {command}")
    return Cost(os.times().elapsed - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="base")
    parser.add_argument("--grid", type=int, default=21)
    parser.add_argument("--baseline-runs", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make is not None:
        make_pair(given.make, given.size)
        return
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        compare(folder, given.size, given.grid, given.baseline_runs)
    finally:
        shutil.rmtree(folder)


def compare(folder: Path, size: str, grid: int, runs: int) -> None:
    """Measures both ways alternately, so that a change of load meets both."""
    # in a process of its own: a child's peak is never less than what its parent had when it started it
    subprocess.run([sys.executable, __file__, "--make", folder, "--size", size], check=True)
    base, tuned = folder / "base.pt", folder / "dev-best.ckpt"
    ours = (sys.executable, "-m", "speechft_cli", "merge", "--base", base, "--tuned", tuned)
    theirs, single = [], []
    for number in range(runs):
        theirs.append(measure(sys.executable, "-c", BASELINE, base, tuned, 0.25, folder / "baseline.pt"))
        single.append(measure(*ours, "--alpha", "0.25", "--out", folder / f"single-{number}"))
        shutil.rmtree(folder / f"single-{number}")
    many = measure(*ours, "--alphas", f"0:1:{1 / (grid - 1):g}", "--out", folder / "grid")
    shutil.rmtree(folder / "grid")
    command = [sys.executable, "-c", WRITE, str(base), str(folder / "write"), "5"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    columns = zip(*(map(float, line.split()) for line in lines), strict=True)
    written, synced, busy = map(statistics.median, columns)
    one, mine = _median(theirs), _median(single)
    marginal, busy_marginal = ((each(many) - each(mine)) / (grid - 1) for each in (_time, _cpu))
    checkpoint = base.stat().st_size / 1e9
    print(f"HuBERT {size}: base {checkpoint:.2f} GB, tuned {tuned.stat().st_size / 1e9:.2f} GB; medians of {runs}\n")
    print("| | one process per alpha | speechft merge | ratio |")
    print("|---|---|---|---|")
    for what, each in (("time [s]", _time), ("CPU time [s]", _cpu)):
        first, own, all_ = each(one), each(mine), each(many)
        print(f"| one alpha, {what} | {first:.2f} | {own:.2f} | {first / own:.2f} x less |")
        apart = f"{grid * first:.1f} ({grid} x one)"
        print(f"| {grid} alphas, {what} | {apart} | {all_:.1f} | {grid * first / all_:.1f} x less |")
    for what, cost in (("one alpha", mine), (f"{grid} alphas", many)):
        print(f"| peak memory, {what} [GB] | {one.peak:.2f} | {cost.peak:.2f} | {cost.peak / one.peak:.2f} x |")
    for what, base_time, own in (
        ("time [s], against torch.save and waiting for the disk", synced, marginal),
        ("time [s], against torch.save without waiting", written, marginal),
        ("CPU time [s], against torch.save", busy, busy_marginal),
    ):
        print(f"| one more alpha, {what} | {base_time:.2f} | {own:.2f} | {own / base_time:.2f} x |")
    print(f"\nPeak memory of the grid in checkpoints: {many.peak / checkpoint:.2f}")


def _time(cost: Cost) -> float:
    return cost.time


def _cpu(cost: Cost) -> float:
    return cost.cpu


def _median(costs: Sequence[Cost]) -> Cost:
    """Medians of times, and the highest peak."""
    time, cpu = (statistics.median(map(each, costs)) for each in (_time, _cpu))
    return Cost(time, cpu, max(cost.peak for cost in costs))


if __name__ == "__main__":
    main()
