"""How far encoders have moved from their base, on speech without labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.events import Advanced, Finished, Note, Report, Started
from speechft_cli.probing.candidates import BASE, TUNED, Candidate
from speechft_cli.probing.drift.features import Encode, Interpolation, feature_drift, sample
from speechft_cli.probing.drift.weights import is_comparable, weight_drift
from speechft_cli.probing.encoding import Needs
from speechft_cli.probing.features import Features, Keeping
from speechft_cli.reporting.drift import Drift, mean_drift, read_drift
from speechft_cli.reporting.json_lines import write_lines

#: Counts up whenever drift would come out differently.
_VERSION = 2


def drift_utterances(data: Path, duration: Seconds) -> list[Utterance]:
    """Returns what drift is measured on: some of dev, or of train where there is no dev; never of test.

    Args:
        data: Folder of the manifests; their labels are not looked at.
        duration: At most this much [s], but at least one utterance.
    """
    split = "dev" if "dev" in available_splits(data) else "train"
    return sample(read_manifest(data, split), duration)


@dataclass(frozen=True)
class DriftJob:
    """What to measure, on what.

    Attributes:
        candidates: The encoders; one is called `base`.
        hashes: Label → hash of the weights as they load.
        configurations: That hash → hash of what else features depend on.
        utterances: What to hear.
        read: Reads an encoder so that it can be built.
        device: Where to encode.
        keeping: Where features are kept.
    """

    candidates: Sequence[Candidate]
    hashes: Mapping[str, str]
    configurations: Mapping[str, str]
    utterances: Sequence[Utterance]
    read: Callable[[Candidate], EncoderCheckpoint]
    device: torch.device
    keeping: Keeping

    def encode(self, checkpoint: EncoderCheckpoint, digest: str, *, memory: int) -> Encode:
        """Returns how to encode with a checkpoint, each utterance alone, with `memory` bytes to keep hidden states."""
        keeping = replace(
            self.keeping, batching="exact", are_frames_alone=True, memory=memory, disk=0, precision=torch.float32
        )
        needs = Needs([], self.utterances)
        encoder = partial(build_encoder, checkpoint, device=self.device)
        identity = digest + checkpoint.configuration_hash
        features = Features(encoder, identity, needs, keeping, read=read_waveform)
        return lambda utterance: features.hidden_states([utterance])[0]

    def candidate(self, label: str) -> Candidate | None:
        """Returns the encoder called `label`, if there is one."""
        return next((each for each in self.candidates if each.label == label), None)


def measure_drift(job: DriftJob, path: Path, report: Report) -> list[Drift]:
    """Measures every encoder's drift from the base, and writes drift.jsonl after each.

    An encoder that the file already has, with the same weights, speech and base, is not measured again.

    Args:
        job: What to measure.
        path: drift.jsonl.
        report: Told the progress.

    Returns:
        The lines of all encoders that can be compared with the base, in their order.
    """
    source = _source(job)
    before = [line for line in read_drift(path) if line.source == source]
    known: dict[tuple[str, float | None], list[Drift]] = {}
    for line in before:
        known.setdefault((line.weights_hash, line.alpha), []).append(replace(line, label=""))
    ends = _Ends(job)
    lines: list[Drift] = []
    for candidate in job.candidates:
        key = job.hashes[candidate.label], _alpha(candidate)
        if key not in known:
            checkpoint = job.read(candidate)
            if not ends.are_comparable(checkpoint):
                report(Note(f"{candidate.label}: is no encoder like the base, so its drift can't be measured"))
                continue
            known[key] = _measure(candidate, checkpoint, job, ends, source, report)
            # after an interruption the file still has all that it had before
            write_lines(path, [*lines, *_labelled(known[key], candidate), *before])
        lines += _labelled(known[key], candidate)
    write_lines(path, lines)
    return lines


class _Ends:
    """The base and the tuned encoder, built when they are first needed, their hidden states kept as memory allows."""

    def __init__(self, job: DriftJob) -> None:
        self._job = job
        self._encodes: dict[str, Encode] = {}
        base = job.candidate(BASE)
        assert base is not None
        self.base = job.read(base)

    def encode(self, label: str) -> Encode | None:
        """Returns how to encode with the base or the tuned encoder; None when there is no tuned one that fits."""
        candidate = self._job.candidate(label)
        if candidate is None:
            return None
        digest = self._job.hashes[label]
        if digest not in self._encodes:
            checkpoint = self._job.read(candidate)
            if not self.are_comparable(checkpoint):
                return None
            memory = self._job.keeping.memory // 2  # base and tuned
            self._encodes[digest] = self._job.encode(checkpoint, digest, memory=memory)
        return self._encodes[digest]

    def are_comparable(self, checkpoint: EncoderCheckpoint) -> bool:
        """Whether an encoder is of the base's family and shape."""
        is_alike = checkpoint.family.name == self.base.family.name
        return is_alike and is_comparable(self.base.weights, checkpoint.weights)

    def known(self, digest: str) -> Encode | None:
        """Returns how to encode with weights that are the base's or the tuned encoder's, as at alpha 0 and 1."""
        return self._encodes.get(digest)


def _measure(
    candidate: Candidate, checkpoint: EncoderCheckpoint, job: DriftJob, ends: _Ends, source: str, report: Report
) -> list[Drift]:
    base, tuned = ends.encode(BASE), ends.encode(TUNED)
    assert base is not None
    between = None
    if tuned is not None and candidate.alpha is not None:
        between = Interpolation(tuned, float(candidate.alpha))
    digest = job.hashes[candidate.label]
    encode = ends.known(digest) or job.encode(checkpoint, digest, memory=0)
    report(Started(f"{candidate.label}: drift", len(job.utterances), "utterances"))
    features = feature_drift(
        base, encode, job.utterances, between=between, advance=lambda count: report(Advanced(count))
    )
    weights = weight_drift(ends.base.weights, checkpoint.weights, is_kept=checkpoint.family.is_kept)
    lines = [
        Drift(
            label="",
            weights_hash=digest,
            alpha=_alpha(candidate),
            layer=layer,
            # a hidden state past the last layer, such as a prediction head's, has no layer of its own
            distance=weights[layer].distance if layer < len(weights) else None,
            size=weights[layer].size if layer < len(weights) else None,
            relative=weights[layer].relative if layer < len(weights) else None,
            cka=each.cka,
            cosine=each.cosine,
            llfc=each.llfc,
            variance=each.variance,
            utterances=len(job.utterances),
            seconds=sum(utterance.duration for utterance in job.utterances),
            source=source,
        )
        for layer, each in enumerate(features)
    ]
    report(Finished(f"1 − CKA {mean_drift(lines):.4f}"))
    return lines


def _labelled(lines: Sequence[Drift], candidate: Candidate) -> list[Drift]:
    """The lines under the encoder's label, once: the file may have had them under several."""
    return [replace(line, label=candidate.label) for line in dict.fromkeys(lines)]


def _alpha(candidate: Candidate) -> float | None:
    return None if candidate.alpha is None else float(candidate.alpha)


def _source(job: DriftJob) -> str:
    """Hash of what all lines depend on: the base, the tuned encoder, data and utterances, the way of measuring."""
    heard = [(each.id, str(each.audio), each.start, each.duration) for each in job.utterances]
    configurations = sorted({job.configurations[job.hashes[each.label]] for each in job.candidates})
    # a recording that was mended in place is told by the hash of the data alone
    parts = [_VERSION, job.hashes[BASE], job.hashes.get(TUNED), configurations, job.keeping.manifest_hash, heard]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
