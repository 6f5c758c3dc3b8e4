"""Audio → features of chosen layers, in files for whatever comes next."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from speechft_cli.data.audio import SAMPLE_RATE, read_waveform
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.encoder import FrozenEncoder
from speechft_cli.encoders.names import DEFAULT_SEED
from speechft_cli.engines.device import choose_device
from speechft_cli.engines.extract_sources import read_audio, states
from speechft_cli.engines.stopping import stoppable
from speechft_cli.errors import RequestError
from speechft_cli.events import Advanced, Finished, Report, Result, Started, ignore
from speechft_cli.io.atomic import atomic_path, write_json, write_text
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import locked
from speechft_cli.probing.candidates import build_candidate, named
from speechft_cli.probing.encoding import Batching, encode_batch, plan_batches
from speechft_cli.training.ranks import joined

FileFormat = Literal["safetensors", "npy"]
Precision = Literal["fp32", "fp16", "bf16"]

_RECORD, _INDEX, _PARTS = "extract.json", "index.jsonl", "parts"
_STOPPED = "interrupted; the parts that are done are kept, and the same command goes on from there"
_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
#: Audio of one part [s]: what a kill can lose.
_PART_SECONDS = 600.0


@dataclass(frozen=True)
class ExtractRequest:
    """What to extract.

    Attributes:
        encoder: Checkpoint, folder or name, as `named` takes it.
        audio: Folder of manifests, folder of recordings, or a recording.
        out: Folder to write into.
        splits: Splits of the manifests; all when empty.
        layers: Which hidden states, 0 for the input of the first layer, negative from the end; all when empty.
        file_format: `safetensors`: a file per part, a tensor per utterance; `npy`: a file per utterance.
        precision: Of what is written.
        is_pooled: Write the mean over frames instead of the frames.
        batching: How utterances share a batch.
        family: Of the encoder; recognised from the file when None.
        base: Lends its configuration to a checkpoint that has none.
        device: Where to encode.
    """

    encoder: Path
    audio: Path
    out: Path
    splits: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    file_format: FileFormat = "safetensors"
    precision: Precision = "fp32"
    is_pooled: bool = False
    batching: Batching = "exact"
    family: str | None = None
    base: Path | None = None
    device: str = "auto"


def run(request: ExtractRequest, report: Report) -> Result:
    """Writes the features of every utterance, an index of them, and extract.json, which says what they are.

    The utterances are divided into parts. A part that is there, made in the same way, is not made again, so an
    interrupted run goes on where it was; under torchrun all processes share the parts.

    Raises:
        RequestError: Something asked for can't be; nothing was written.
        SpeechftError: A recording can't be read, or the disk is full; the parts that were done stay.
        InterruptedRunError: SIGINT or SIGTERM arrived.
    """
    with stoppable(_STOPPED), joined() as ranks:
        report = report if ranks.is_first else ignore
        with ranks.agreed():  # the first says what is wrong before a launcher ends it because another has ended
            encoder, layers, digest = _open(request, report)
            utterances = read_audio(request.audio, request.splits, encoder.framing, report)
            key = _key(request, utterances, layers, digest + encoder.configuration)
            _check_folder(request.out, key)
        parts = _parts(plan_batches(utterances, request.batching))
        mine = [(number, part) for number, part in enumerate(parts) if number % ranks.world == ranks.rank]
        with locked(request.out, leave_nothing=True) if ranks.is_first else contextlib.nullcontext():
            report(Started("extracting", sum(len(batch) for _, part in mine for batch in part), "utterances"))
            done, reused = 0, 0
            for number, part in mine:
                if _is_done(request.out, number, key):
                    reused += 1
                    done += sum(map(len, part))
                    report(Advanced(done))
                    continue
                features: dict[str, Tensor] = {}
                for batch in part:
                    states = encode_batch(encoder, batch, read=read_waveform)
                    for utterance, each in zip(batch, states, strict=True):
                        chosen = each[layers].mean(dim=1) if request.is_pooled else each[layers]
                        features[utterance.id] = chosen.to(_PRECISIONS[request.precision]).cpu().contiguous()
                    done += len(batch)
                    report(Advanced(done))
                _write_part(request, number, key, [each for batch in part for each in batch], features)
            report(Finished())
            ranks.wait()
            if not ranks.is_first:
                return Result(f"rank {ranks.rank} of {ranks.world}: extracted its share", str(request.out))
            index = [line for number in range(len(parts)) for line in _read_part(request.out, number)["utterances"]]
            write_text(request.out / _INDEX, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in index))
            record = _record(request, encoder, layers, digest, index, key)
            write_json(request.out / _RECORD, record)
    again = f", {reused} of {len(parts)} parts were there" if reused else ""
    return Result(
        f"{len(index)} utterances, hidden states {', '.join(map(str, layers))}{again}", str(request.out), data=record
    )


def _open(request: ExtractRequest, report: Report) -> tuple[FrozenEncoder, list[int], str]:
    """Returns the encoder, the hidden states asked for, and the hash of its weights.

    Raises:
        RequestError: The encoder can't be read, is of another family, or has no such hidden state.
    """
    family = None if request.family is None else ENCODERS.get(request.family)
    device = choose_device(request.device)
    candidate = named("encoder", request.encoder, seed=DEFAULT_SEED)
    is_exact = request.batching == "exact"
    encoder = build_candidate(
        candidate, family, base=request.base, device=device, exact_padding=is_exact, report=report
    )
    if family is not None and candidate.baseline is None and encoder.kind != family.name:
        raise RequestError(
            f"--family: must be what {request.encoder} says itself, {encoder.kind}, got {family.name}",
            "leave --family out, or check the path",
        )
    with torch.no_grad():
        count = len(encoder([torch.zeros(SAMPLE_RATE, device=device)]).hidden_states)
    wrong = [layer for layer in request.layers if not -count <= layer < count]
    if wrong:
        raise RequestError(
            f"--layers: must lie between 0 and {count - 1} for {request.encoder}, got {', '.join(map(str, wrong))}",
            "default: all",
        )
    layers = [layer % count for layer in request.layers] or list(range(count))
    return encoder, list(dict.fromkeys(layers)), weights_hash(encoder.weights())


def _key(request: ExtractRequest, utterances: Sequence[Utterance], layers: Sequence[int], identity: str) -> str:
    """Returns a hash of all that the files depend on."""
    heard = [(each.id, str(each.audio), each.start, each.duration) for each in utterances]
    how = [request.file_format, request.precision, request.is_pooled, request.batching]
    return hashlib.sha256(json.dumps([identity, layers, how, heard, states(utterances)]).encode()).hexdigest()


def _check_folder(out: Path, key: str) -> None:
    parts = sorted((out / _PARTS).glob("*.json"))
    if out.exists() and not out.is_dir():
        raise RequestError(f"{out}: must be a folder, is a file", "choose another --out")
    if parts and _read_part(out, int(parts[0].stem)).get("key") != key:
        raise RequestError(
            f"{out}: holds features of another encoder, other audio or other settings", "choose another --out"
        )


def _parts(batches: Sequence[list[Utterance]]) -> list[list[list[Utterance]]]:
    """Groups batches into parts of some minutes; depends on nothing but the batches."""
    parts: list[list[list[Utterance]]] = []
    seconds = math.inf
    for batch in batches:
        if seconds >= _PART_SECONDS:
            parts.append([])
            seconds = 0.0
        parts[-1].append(batch)
        seconds += sum(each.duration for each in batch)
    return parts


def _write_part(
    request: ExtractRequest, number: int, key: str, utterances: Sequence[Utterance], features: Mapping[str, Tensor]
) -> None:
    """Writes the features of a part, then the note that they are there."""
    lines = []
    name = f"features-{number:05}.safetensors"
    if request.file_format == "safetensors":
        with atomic_path(request.out / name) as unfinished:
            save_file(dict(features), unfinished, metadata={"key": key})
    for each in utterances:
        feature = features[each.id]
        if request.file_format == "npy":
            name = f"npy/{_inside(each.id)}.npy"
            with atomic_path(request.out / name) as unfinished:
                np.save(unfinished, feature.numpy())
        frames = 1 if request.is_pooled else feature.shape[1]
        lines.append({"id": each.id, "file": name, "frames": frames, "start": each.start, "duration": each.duration})
    files = {name: (request.out / name).stat().st_size for name in dict.fromkeys(str(line["file"]) for line in lines)}
    write_json(request.out / _PARTS / f"{number:05}.json", {"key": key, "files": files, "utterances": lines})


def _inside(name: str) -> str:
    """Returns an id as a path inside a folder: as it is, where it can be; escaped it is soon too long for a name."""
    path = PurePosixPath(name)
    is_plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    return name if is_plain else urllib.parse.quote(name, safe=" ")


def _is_done(out: Path, number: int, key: str) -> bool:
    """Whether a part is there, made in the same way, with files as long as they were."""
    part = _read_part(out, number)
    files = part.get("files", {})
    return part.get("key") == key and all(
        (out / name).is_file() and (out / name).stat().st_size == size for name, size in files.items()
    )


def _read_part(out: Path, number: int) -> dict[str, Any]:
    try:
        part: dict[str, Any] = json.loads((out / _PARTS / f"{number:05}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return part


def _record(
    request: ExtractRequest,
    encoder: FrozenEncoder,
    layers: Sequence[int],
    digest: str,
    index: Sequence[Mapping[str, object]],
    key: str,
) -> dict[str, object]:
    return {
        "encoder": str(request.encoder),
        "family": encoder.kind,
        "weights_sha256": digest,
        "audio": str(request.audio),
        "splits": list(request.splits),
        "hidden_states": list(layers),
        "shape": "(hidden states, features)" if request.is_pooled else "(hidden states, frames, features)",
        "precision": request.precision,
        "batching": request.batching,
        "frame_stride_seconds": encoder.framing.stride / SAMPLE_RATE,
        "frame_width_seconds": encoder.framing.width / SAMPLE_RATE,
        "utterances": len(index),
        "frames": sum(int(str(line["frames"])) for line in index),
        "index": _INDEX,
        "key": key,
    }
