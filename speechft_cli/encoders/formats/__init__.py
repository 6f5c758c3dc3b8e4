"""Checkpoint formats: one file each, and `read_encoder`, which tells them apart by their content."""

from __future__ import annotations

from pathlib import Path

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, downstream
from speechft_cli.errors import RequestError
from speechft_cli.io.checkpoints import read_checkpoint

#: Where a run folder keeps its encoders, best first.
_IN_RUN_FOLDER = (Path("best") / "encoder.pt", Path("encoder.pt"))


def read_encoder(path: Path, family: EncoderFamily) -> EncoderCheckpoint:
    """Reads an encoder from an s3prl converted `.pt`, an s3prl downstream `.ckpt`, or a folder of ours.

    Args:
        path: The file, a fine-tuning run folder (its best checkpoint is read), or a merged `alpha-*` folder.
        family: What it must be.

    Raises:
        RequestError: There is no such file, it holds no encoder, or one of another family.
    """
    file = _resolve(path)
    tree = read_checkpoint(file)
    if converted.recognises(tree, family):
        return converted.read(tree, family, file)
    if downstream.recognises(tree):
        return downstream.read(tree, family, file)
    raise RequestError(
        f"{file}: must hold a {family.name} encoder (keys {', '.join(family.required_keys)}) or an s3prl downstream "
        f"run (key Upstream), has {', '.join(map(str, list(tree)[:8])) or 'nothing'}",
        _hint(tree),
    )


def _resolve(path: Path) -> Path:
    if path.is_dir():
        for inside in _IN_RUN_FOLDER:
            if (path / inside).is_file():
                return path / inside
        raise RequestError(
            f"{path}: must be a checkpoint file, a run folder with best/encoder.pt, or a folder with encoder.pt"
        )
    if not path.exists():
        raise RequestError(f"{path}: must be a checkpoint, but there is no such file")
    return path


def _hint(tree: dict[str, object]) -> str:
    if "Downstream" in tree:
        return "s3prl saves the encoder only when it trains: run its downstream training with -f"
    if "args" in tree or ("cfg" in tree and "model" in tree):
        return "this looks like a fairseq checkpoint or one of another family"
    return "check the path, and the encoder family in the config"
