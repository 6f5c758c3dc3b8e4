"""Checkpoint formats: one file each, `read_encoder`, which tells them apart by their content, and `save_encoder`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from speechft_cli.encoders import ENCODERS, FORMATS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats import converted, downstream, fairseq, huggingface, lightning, safetensors
from speechft_cli.encoders.local import local_path
from speechft_cli.encoders.names import family_of, is_name, is_shipped, meant
from speechft_cli.errors import RequestError
from speechft_cli.events import Report, ignore
from speechft_cli.io.checkpoints import check_sums, read_arrays

#: Where a folder of ours keeps its encoder, best first.
_IN_FOLDER = (
    Path("best") / "encoder.pt",
    Path("encoder.pt"),
    Path("best") / "encoder.safetensors",
    Path("encoder.safetensors"),
    Path("encoder-hf"),
)


def read_encoder(
    path: Path,
    family: EncoderFamily | None = None,
    *,
    trust: bool = False,
    check: bool = True,
    report: Report = ignore,
) -> EncoderCheckpoint:
    """Reads an encoder from any format that is known, told apart by the content.

    Args:
        path: The file, a Hugging Face folder, a fine-tuning run folder (its best checkpoint is read), a merged
            `alpha-*` folder; or a name, which is fetched where it is not here yet.
        family: What it must be; told by the file when not said.
        trust: Whether a file may execute code while it is read.
        check: Whether to read all tensors and compare them with the checksums in the file; without, only the headers
            are read, and `check_whole` is left to the caller.
        report: Hears of a download.

    Raises:
        RequestError: There is no such file, it holds no encoder, or one of another family.
        SpeechftError: A name can't be fetched.
    """
    file = _resolve(local_path(path, report))
    known = family_of(str(path))
    checkpoint = _read(file, family or (ENCODERS.get(known) if known is not None else None), trust=trust)
    if check:
        check_whole(checkpoint)
    if is_shipped(file):
        # shipped in half the bytes; every fp16 number is one of fp32
        whole = {name: each.astype(np.float32) for name, each in checkpoint.arrays.items()}
        checkpoint = replace(checkpoint, weights=Tensors(whole))
    if family is not None and checkpoint.family.name != family.name:
        raise RequestError(
            f"{file}: must hold a {family.name} encoder, holds one of {checkpoint.family.name}",
            "check the path, and the encoder family in the config",
        )
    return checkpoint


def check_whole(checkpoint: EncoderCheckpoint) -> None:
    """Makes sure that the tensors that a file holds are what was written, where it has checksums.

    Raises:
        RequestError: One differs; says which.
    """
    if checkpoint.path is not None and checkpoint.path.is_file():
        check_sums(checkpoint.path, checkpoint.arrays)


def encoder_in(folder: Path) -> Path | None:
    """Returns which file or folder `read_encoder` reads of a folder; None when it holds no encoder."""
    if huggingface.recognises(folder):
        return folder
    inside = (folder / name for name in _IN_FOLDER)
    return next((path for path in inside if path.is_file() or huggingface.recognises(path)), None)


def require_there(path: Path) -> None:
    """Makes sure that a path leads to a checkpoint, without reading or fetching anything; names are passed over.

    Raises:
        RequestError: It leads to none.
    """
    if path.is_absolute() or not is_name(str(path)):
        _resolve(path)


def save_encoder(
    checkpoint: EncoderCheckpoint,
    folder: Path,
    formats: Sequence[str],
    *,
    stem: str = "encoder",
    metadata: Mapping[str, str] | None = None,
) -> list[Path]:
    """Writes an encoder in one or more formats where nobody reads yet.

    Args:
        checkpoint: What to write; with configuration.
        folder: Where to; made when it does not exist.
        formats: Names in the catalogue `FORMATS`.
        stem: Of the file names.
        metadata: Goes into the formats that have a place for it.

    Returns:
        What was written, in the order of `formats`.

    Raises:
        RequestError: A format is unknown, or can't hold this encoder; nothing was written.
        OSError: The disk is full or the folder can't be written to.
    """
    checkpoint.require_complete()
    chosen = [FORMATS.get(name) for name in dict.fromkeys(formats)]
    for each in chosen:
        each.require(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}{each.ending}" for each in chosen]
    for each, path in zip(chosen, paths, strict=True):
        each.save(checkpoint, path, metadata)
    return paths


def _read(file: Path, family: EncoderFamily | None, *, trust: bool) -> EncoderCheckpoint:
    if file.is_dir():
        return huggingface.read(file, trust=trust)
    if file.suffix == ".safetensors":
        return safetensors.read(file, family)
    return _take(read_arrays(file, trust=trust), family, file)


def _take(tree: Mapping[str, object], family: EncoderFamily | None, file: Path) -> EncoderCheckpoint:
    """Takes the encoder out of what lies in a torch checkpoint."""
    if downstream.recognises(tree):
        return downstream.read(tree, family, file)
    if lightning.recognises(tree):
        return lightning.read(tree, family, file)
    if fairseq.recognises(tree):
        return fairseq.read(tree, family, file)
    found = family if family and converted.recognises(tree, family) else converted.find_family(tree, str(file))
    if found is not None:
        return converted.read(tree, found, file)
    if fairseq.recognises(alone := {"model": tree}):  # a network's state_dict, and nothing around it
        return fairseq.read(alone, family, file)
    wanted = f"a {family.name} encoder (keys {', '.join(family.required_keys)})" if family else "an encoder"
    raise RequestError(
        f"{file}: must hold {wanted} in a format that docs/formats.md names, has "
        f"{', '.join(map(str, list(tree)[:8])) or 'nothing'}",
        _hint(tree),
    )


def _resolve(path: Path) -> Path:
    if path.name in huggingface.WEIGHT_FILES and huggingface.recognises(path.parent):
        return path.parent
    if path.is_dir():
        if (found := encoder_in(path)) is not None:
            return found
        raise RequestError(
            f"{path}: must be a checkpoint file, a run folder with best/encoder.pt, a folder with encoder.pt, or a "
            f"Hugging Face folder with {huggingface.CONFIG}",
            "name the file itself; speechft list checkpoints shows the encoders that need no file",
        )
    if not path.exists():
        raise RequestError(f"{path}: must be a checkpoint, but there is no such file", meant(path))
    return path


def _hint(tree: Mapping[str, object]) -> str:
    if "Downstream" in tree:
        return "s3prl saves the encoder only when it trains: run its downstream training with -f"
    return "check the path, and the encoder family in the config"
