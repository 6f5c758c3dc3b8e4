"""Targets of masked prediction: frames of the manifests' audio, clustered and labelled, kept in the run folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from speechft_cli.config.sections.finetune import UnitsSection
from speechft_cli.data.audio import SAMPLE_RATE, read_waveform
from speechft_cli.data.batches import FRAME_STRIDE
from speechft_cli.data.neighbours import batches_to_encode, read_batches
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.memory import lack_of_memory_named
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.errors import RequestError
from speechft_cli.events import Advanced, Finished, Report, Started, counted
from speechft_cli.io.ahead import READERS, in_order
from speechft_cli.io.atomic import atomic_path, write_json
from speechft_cli.io.hashes import weights_hash
from speechft_cli.training.clusters import fit_clusters, mfcc, nearest_clusters
from speechft_cli.training.job import Job
from speechft_cli.training.ranks import Ranks
from speechft_cli.training.units import Units

#: Utterances → the place of each among them and its frames (T, D), features of an encoder or MFCCs, in any order.
FramesOf = Callable[[Sequence[Utterance]], Iterator[tuple[int, Tensor]]]

_CENTRES = "centres.npy"
#: Utterances labelled between two files: what a kill can cost.
_SHARD = 1_000
#: Numbers that clusters are fitted to, at most: 1 GB.
_MOST_VALUES = 250_000_000


@dataclass(frozen=True)
class UnitsRequest:
    """What makes two sets of units the same, beside the utterances.

    Attributes:
        section: What to cluster, and how.
        encoder: Whose features are clustered; None: MFCCs.
        data_sha256: Of the manifests.
        seed: Of the clusters.
    """

    section: UnitsSection
    encoder: EncoderCheckpoint | None
    data_sha256: str
    seed: int

    def place(self, folder: Path) -> Path:
        """Returns the folder of these units among those in `folder`."""
        encoder = self.encoder
        identity = {
            "data": self.data_sha256,
            "layer": self.section.layer,
            "encoder": None if encoder is None else weights_hash(encoder.weights) + encoder.configuration_hash,
            "clusters": self.section.clusters,
            "fit_hours": self.section.fit_hours,
            "seed": self.seed,
        }
        return folder / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def label_frames(
    job: Job, request: UnitsRequest, folder: Path, *, device: torch.device, ranks: Ranks, report: Report
) -> None:
    """Clusters and labels the frames of a job's utterances; what is done already is left as it is.

    Args:
        job: Masked prediction.
        request: What to cluster, and how.
        folder: Where units lie; those of other requests lie there beside.
        device: Where the encoder runs.
        ranks: The first clusters, and all label their share.
        report: Told how far it is.

    Raises:
        RequestError: There are fewer frames than clusters.
    """
    place = request.place(folder)
    if (place / "units.json").is_file():
        return
    features = _features(request, device)
    with ranks.agreed():
        if ranks.is_first:
            _fit_centres(job, place, request, features, report)
    centres = torch.from_numpy(np.load(place / _CENTRES)).to(device)
    total = len(job.train) + len(job.dev)
    shards = {first: place / f"{number:05}.npz" for number, first in enumerate(range(0, total, _SHARD))}
    mine = list(shards)[ranks.rank :: ranks.world]
    report(Started("labelling frames", sum(min(_SHARD, total - first) for first in mine), "utterances"))
    done = 0
    for first in mine:
        if not (file := shards[first]).is_file():
            labelled = {
                place: nearest_clusters(frames.to(device), centres).cpu().numpy().astype(np.int16)
                for place, frames in features(_some(job, first))
            }
            units = [labelled[place] for place in range(len(labelled))]
            with atomic_path(file) as unfinished:
                np.savez(unfinished, units=np.concatenate(units), counts=[len(each) for each in units])
        done += min(_SHARD, total - first)
        report(Advanced(done))
    ranks.wait()
    if ranks.is_first:
        _finish(list(shards.values()), place, len(centres), report)
    ranks.wait()


def _finish(shards: Sequence[Path], place: Path, clusters: int, report: Report) -> None:
    """Puts the units of all shards in one file, and says how they are spread."""
    counts = _join(shards, place, clusters)
    used = counts[counts > 0] / counts.sum()
    perplexity = float(np.exp(-(used * np.log(used)).sum()))
    report(Finished(f"{len(used)} of {clusters} units occur, perplexity {perplexity:.0f}"))
    write_json(place / "units.json", {"units": clusters, "perplexity": perplexity})
    for file in shards:
        file.unlink()


def with_units(job: Job, request: UnitsRequest, folder: Path) -> Job:
    """Returns the job with the units that `label_frames` wrote as its targets."""
    place = request.place(folder)
    return replace(job, units=Units(np.load(place / "units.npy", mmap_mode="r"), np.load(place / "ends.npy")))


def _some(job: Job, first: int) -> list[Utterance]:
    """The utterances of a shard, of train and dev in a row."""
    border = len(job.train)
    return [
        *job.train[first : first + _SHARD],
        *job.dev[max(0, first - border) : max(0, first + _SHARD - border)],
    ]


def _join(shards: Sequence[Path], place: Path, units: int) -> NDArray[np.int64]:
    """Writes all units in a row, and where each utterance's end; returns how often each unit occurs (units,)."""
    lengths = np.concatenate([np.load(file)["counts"] for file in shards]).astype(np.int64)
    occurrences = np.zeros(units, dtype=np.int64)
    first = 0
    with atomic_path(place / "units.npy") as unfinished:
        every = np.lib.format.open_memmap(unfinished, "w+", dtype=np.int16, shape=(int(lengths.sum()),))
        for file in shards:
            own = np.load(file)["units"]
            every[first : first + len(own)] = own
            occurrences += np.bincount(own, minlength=units)
            first += len(own)
        every.flush()
    with atomic_path(place / "ends.npy") as unfinished:
        np.save(unfinished, np.cumsum(lengths))
    return occurrences


def _features(request: UnitsRequest, device: torch.device) -> FramesOf:
    if request.encoder is None or request.section.layer is None:
        return _mfccs
    layer, encoder = request.section.layer, build_encoder(request.encoder, device=device, exact_padding=True)

    @torch.no_grad()
    def features(utterances: Sequence[Utterance]) -> Iterator[tuple[int, Tensor]]:
        durations = np.array([each.duration for each in utterances])
        for batch, waveforms in read_batches(utterances, batches_to_encode(durations, device=device.type)):
            with lack_of_memory_named({utterances[place].id: float(durations[place]) for place in batch}):
                encoded = encoder([waveform.to(device) for waveform in waveforms])
            counts = encoded.frame_counts.tolist()
            for place, own, count in zip(batch, encoded.hidden_states[layer], counts, strict=True):
                yield place, own[:count].float()

    return features


def _mfccs(utterances: Sequence[Utterance]) -> Iterator[tuple[int, Tensor]]:
    return enumerate(in_order(lambda each: mfcc(read_waveform(each)), utterances, workers=READERS))


def _fit_centres(job: Job, place: Path, request: UnitsRequest, features: FramesOf, report: Report) -> None:
    """Writes the clusters' centres (C, D), unless they are there."""
    if (place / _CENTRES).is_file():
        return
    frames = _fit_frames(job.train, request, features, report)
    clusters = request.section.clusters
    if len(frames) < clusters:
        raise RequestError(
            f"finetune.units.clusters: must be at most the number of frames, {len(frames)}, got {clusters}"
        )
    report(Started(f"clustering {len(frames)} frames into {clusters} units"))
    centres = fit_clusters(frames, clusters=clusters, seed=request.seed)
    report(Finished())
    with atomic_path(place / _CENTRES) as unfinished:
        np.save(unfinished, centres)


def _fit_frames(
    utterances: Utterances, request: UnitsRequest, features: FramesOf, report: Report
) -> NDArray[np.float32]:
    """The frames (F, D) that clusters are fitted to: of random utterances, all frames or as many as fit."""
    random = np.random.default_rng((request.seed, 4))
    chosen = _fit_set(utterances, request.section.fit_hours, random)
    frames: list[NDArray[np.float32]] = []
    share = 1.0
    for _, each in counted(features(chosen), report, "reading frames to cluster", len(chosen), "utterances"):
        own = each.cpu().numpy()
        if not frames:
            values = float(chosen.durations.sum()) * SAMPLE_RATE / FRAME_STRIDE * own.shape[1]
            share = min(1.0, _MOST_VALUES / values)
        frames.append(own if share == 1.0 else own[random.random(len(own)) < share])
    return np.concatenate(frames)


def _fit_set(utterances: Utterances, hours: float, random: np.random.Generator) -> Utterances:
    """Utterances in random order until there are `hours` of them [h]."""
    order = random.permutation(len(utterances))
    before = np.cumsum(utterances.durations[order])[:-1]
    return utterances.select(order[: 1 + int(np.count_nonzero(before < hours * 3600))])
