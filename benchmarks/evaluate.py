"""What encoding once saves: speaker identification by the usual way, by cached features, a sweep, a grid.

    python benchmarks/evaluate.py [encoder] [sweep] [grid]

Times are CPU seconds of one thread, which neighbours on the machine disturb least. Speakers are made up: a pitch, a
vocal tract of three resonances, and noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import scipy.signal
import soundfile
import torch
from torch.nn.functional import cross_entropy

from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.cnn_outputs import CnnOutputs
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint
from speechft_cli.merging.linear import Linear
from speechft_cli.merging.plan import plan_merge
from speechft_cli.merging.weights import draw
from speechft_cli.probing.encoding import Waveforms
from speechft_cli.probing.features import Features, Keeping, Needs, Share
from speechft_cli.probing.pooled import PooledExamples, predict_pooled, train_pooled_probes
from speechft_cli.probing.probe import Probe, Randomness, Trained, evaluation_steps
from speechft_cli.tasks.sid import SID

CPU = torch.device("cpu")
BATCH_SIZE = 32
EVALUATIONS = 5
SPEAKERS = 8
RATES, SEEDS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5), (1, 2, 3)
Splits = dict[str, list[Utterance]]


class Clock:
    """CPU seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.process_time()

    def seconds(self) -> float:
        """Returns the CPU seconds since then."""
        return time.process_time() - self._start


def speech(folder: Path, *, per_speaker: dict[str, int], seconds: float) -> Splits:
    """Writes utterances of made-up speakers."""
    folder.mkdir()
    random = np.random.default_rng(0)
    splits: Splits = {split: [] for split in per_speaker}
    for speaker in range(SPEAKERS):
        pitch, tract = random.uniform(80, 250), random.uniform((300, 900, 2200), (800, 2000, 3200))
        for split, count in per_speaker.items():
            for number in range(count):
                size = round(seconds * 16_000)
                track = pitch * (1 + 0.1 * np.cumsum(random.standard_normal(size)) / size**0.5)
                wave = scipy.signal.sawtooth(2 * np.pi * np.cumsum(track) / 16_000)
                for formant in tract * random.normal(1, 0.03, 3):
                    wave = scipy.signal.lfilter(*scipy.signal.iirpeak(formant, 4, fs=16_000), wave) + 0.1 * wave
                wave = wave / np.abs(wave).max() + 0.05 * random.standard_normal(size)
                path = folder / f"{split}-{speaker}-{number}.wav"
                soundfile.write(path, 0.3 * wave, 16_000)
                splits[split].append(
                    Utterance(path.stem, path, duration=seconds, sample_rate=16_000, speaker=f"s{speaker}")
                )
    return splits


def encode_once(
    checkpoint: EncoderCheckpoint,
    splits: Splits,
    cache: Path,
    name: str,
    read: Waveforms,
    heard: CnnOutputs | None = None,
) -> dict[str, PooledExamples]:
    """Builds an encoder, encodes all splits, and reads the pooled vectors back."""

    def build() -> Encoder:
        encoder = build_encoder(checkpoint, device=CPU, exact_padding=True)
        if heard is not None:
            encoder.share_cnn(heard)
        return encoder

    utterances = [each for split in splits.values() for each in split]
    keeping = Keeping(cache, "benchmark", "exact", True, 0, 2**40, torch.float32)
    features = Features(build, name, Needs(utterances, []), keeping, read=read)
    features.encode(Share(), lambda _: None)
    return {
        split: PooledExamples(features.pooled(each)[None], [str(one.speaker) for one in each])
        for split, each in splits.items()
    }


def train(
    splits: dict[str, PooledExamples], rates: Sequence[float], seeds: Sequence[int], steps: int
) -> list[dict[float, list[Trained]]]:
    """Trains all probes at once."""
    return train_pooled_probes(
        SID,
        splits["train"],
        splits["dev"],
        learning_rates=rates,
        seeds=seeds,
        steps=steps,
        batch_size=BATCH_SIZE,
        evaluations=EVALUATIONS,
        device=CPU,
        advance=lambda _: None,
    )


def usual_way(encoder: Encoder, splits: Splits, *, rate: float, seed: int, steps: int) -> float:
    """One probe whose encoder hears every batch anew, as SUPERB's code does; returns its accuracy on test [%]."""
    names = SID.vocabulary(str(each.speaker) for each in splits["train"])
    read = Waveforms(budget=2**30)

    def classes(utterances: Sequence[Utterance]) -> torch.Tensor:
        return torch.tensor([names.symbols.index(str(each.speaker)) for each in utterances])

    def logits(probe: Probe, utterances: Sequence[Utterance]) -> torch.Tensor:
        with torch.no_grad():
            encoded = encoder([read(each) for each in utterances])
            states = torch.stack(encoded.hidden_states, dim=1)
        result: torch.Tensor = probe(states, encoded.frame_counts)
        return result

    def hear(probe: Probe, split: str) -> tuple[float, float]:
        with torch.no_grad():
            parts = [splits[split][first : first + BATCH_SIZE] for first in range(0, len(splits[split]), BATCH_SIZE)]
            heard, truth = torch.cat([logits(probe, part) for part in parts]), classes(splits[split])
        return 100 * float((heard.argmax(dim=1) == truth).double().mean()), float(cross_entropy(heard, truth))

    with Randomness(seed, CPU)():
        probe = Probe(SID.probe(encoder.width, len(names)), encoder.layer_count)
    adam = torch.optim.Adam(probe.parameters(), lr=rate)
    order = torch.Generator().manual_seed(seed)
    best: tuple[float, float, dict[str, torch.Tensor]] = (-1.0, 0.0, {})
    step = 0
    while step < steps:
        for rows in torch.randperm(len(splits["train"]), generator=order).split(BATCH_SIZE):
            if step == steps:
                break
            step += 1
            batch = [splits["train"][row] for row in rows.tolist()]
            adam.zero_grad()
            cross_entropy(logits(probe, batch), classes(batch)).backward()
            torch.nn.utils.clip_grad_norm_(probe.parameters(), 1.0)
            adam.step()
            if step in evaluation_steps(steps, EVALUATIONS):
                accuracy, loss = hear(probe, "dev")
                if (accuracy, -loss) > best[:2]:
                    best = accuracy, -loss, {name: value.clone() for name, value in probe.state_dict().items()}
    probe.load_state_dict(best[2])
    return hear(probe, "test")[0]


def accuracy(probe: Trained, split: PooledExamples, names: Sequence[str]) -> float:
    """Returns a probe's accuracy on a split [%]."""
    predictions = predict_pooled(SID, probe.weights, split.features[0], SID.vocabulary(names), device=CPU)
    return SID.score(predictions, split.targets)["acc"]


def one_encoder(folder: Path) -> None:
    """The usual way against features encoded once, one probe, tiny HuBERT."""
    splits = speech(folder / "audio", per_speaker={"train": 12, "dev": 4, "test": 12}, seconds=1.0)
    checkpoint = random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=0)
    steps = 400
    clock = Clock()
    usual = usual_way(build_encoder(checkpoint, device=CPU), splits, rate=1e-2, seed=1, steps=steps)
    usual_seconds = clock.seconds()
    clock = Clock()
    examples = encode_once(checkpoint, splits, folder / "one", "tiny", Waveforms(budget=0))
    (probes,) = train(examples, (1e-2,), (1,), steps)
    once = accuracy(probes[1e-2][0], examples["test"], examples["train"].targets)
    seconds = clock.seconds()
    ratio = usual_seconds / seconds
    print(f"{steps} updates, usual way: {usual_seconds:.1f} s, test accuracy {usual:.2f} %")
    print(f"{steps} updates, encoded once: {seconds:.1f} s, test accuracy {once:.2f} %; {ratio:.1f} times as fast")


def sweep(folder: Path) -> None:
    """Five learning rates and three seeds against encoding, HuBERT base."""
    splits = speech(folder / "audio", per_speaker={"train": 4, "dev": 1, "test": 1}, seconds=8.0)
    checkpoint = random_checkpoint(ENCODERS.get("hubert"), "base", seed=0)
    clock = Clock()
    examples = encode_once(checkpoint, splits, folder / "base", "base", Waveforms(budget=0))
    encoding = clock.seconds()
    steps = 25  # 25 epochs of these 32 utterances
    train(examples, RATES[:2], SEEDS[:1], 2)  # torch loads its compiler at the first optimizer
    clock = Clock()
    train(examples, RATES, SEEDS, steps)
    seconds = clock.seconds()
    tried = f"{len(RATES)} learning rates x {len(SEEDS)} seeds"
    print(f"HuBERT base, 48 utterances of 8 s encoded: {encoding:.1f} s")
    print(f"{tried}, {steps} epochs: {seconds:.2f} s, {seconds / encoding:.1%} on top")


def grid(folder: Path) -> None:
    """21 alphas in memory against 21 encodings, tiny HuBERT."""
    splits = speech(folder / "audio", per_speaker={"train": 8, "dev": 2, "test": 2}, seconds=4.0)
    family = ENCODERS.get("hubert")
    base, other = (random_checkpoint(family, "tiny", seed=seed) for seed in (0, 1))
    # fine-tuning leaves the CNN alone
    tuned = base.with_weights(
        Tensors({name: (base if family.is_cnn(name) else other).arrays[name] for name in base.arrays})
    )
    clock = Clock()
    encode_once(base, splits, folder / "single", "base", Waveforms(budget=0))
    one = clock.seconds()
    clock = Clock()
    plan = plan_merge(base.arrays, [("tuned", tuned.arrays)], is_kept=family.is_kept)
    weights_at = draw(Linear(), base.arrays, [tuned.arrays], plan)
    read, heard = Waveforms(budget=2**30), CnnOutputs(budget=2**30)
    merged = [base.with_weights(Tensors(weights_at(number / 20))) for number in range(21)]
    found = [encode_once(each, splits, folder / "all", f"{number}", read, heard) for number, each in enumerate(merged)]
    encoding = clock.seconds()
    together = {
        split: PooledExamples(torch.cat([each[split].features for each in found]), found[0][split].targets)
        for split in splits
    }
    clock = Clock()
    train(together, (1e-2,), (1,), 50)
    share = encoding / (21 * one) - 1
    print(
        f"tiny HuBERT, one encoding: {one:.2f} s; 21 alphas in memory: {encoding:.1f} s, {share:+.1%} on 21 encodings"
    )
    print(f"their 21 probes together, 50 updates: {clock.seconds():.1f} s")


PARTS = {"encoder": one_encoder, "sweep": sweep, "grid": grid}


def main() -> None:
    """Measures one part after the other and prints each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all by default")
    torch.set_num_threads(1)
    for part in parser.parse_args().parts or PARTS:
        with TemporaryDirectory() as folder:
            PARTS[part](Path(folder))


if __name__ == "__main__":
    main()
