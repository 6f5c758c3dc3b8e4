"""The features of some minutes of audio, written together: what a kill can lose, and what is not made again."""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from speechft_cli.data.utterance import Utterance
from speechft_cli.engines.extract.request import ExtractRequest
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_path, write_json
from speechft_cli.io.records import read_json

_PARTS = "parts"
#: Audio of one part [s]: what a kill can lose.
_PART_SECONDS = 600.0


def check_folder(out: Path, key: str) -> None:
    """Raises a RequestError where a folder to write into is none, or holds parts that were made in another way."""
    parts = sorted((out / _PARTS).glob("*.json"))
    if out.exists() and not out.is_dir():
        raise RequestError(f"{out}: must be a folder, is a file", "choose another --out")
    if parts and read_part(out, int(parts[0].stem)).get("key") != key:
        raise RequestError(
            f"{out}: holds features of another encoder, other audio or other settings", "choose another --out"
        )


def parts_of(batches: Sequence[list[Utterance]]) -> list[list[list[Utterance]]]:
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


def write_part(
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
    """Returns an id as a path inside a folder; it is escaped only where it must be: that makes it long."""
    path = PurePosixPath(name)
    is_plain = str(path) == name and not path.is_absolute() and ".." not in path.parts
    return name if is_plain else urllib.parse.quote(name, safe=" ")


def is_done(out: Path, number: int, key: str) -> bool:
    """Whether a part is there, made in the same way, with files as long as they were."""
    part = read_part(out, number)
    files = part.get("files", {})
    return part.get("key") == key and all(
        (out / name).is_file() and (out / name).stat().st_size == size for name, size in files.items()
    )


def read_part(out: Path, number: int) -> dict[str, Any]:
    """Returns the note of a part; empty where there is none to read."""
    return read_json(out / _PARTS / f"{number:05}.json")
