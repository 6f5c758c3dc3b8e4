"""Converting: a checkpoint in one format → the same encoder in others, checked by its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from speechft_cli import __version__
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import huggingface, read_encoder, save_encoder
from speechft_cli.encoders.local import named_facts
from speechft_cli.encoders.verification import difference, s3prl_features, transformers_features
from speechft_cli.engines.convert.request import RECORD, ConvertRequest, read_source, require_free
from speechft_cli.errors import SpeechftError
from speechft_cli.events import Advanced, Finished, Report, Result, Started, Table
from speechft_cli.io.atomic import atomic_files, write_json
from speechft_cli.io.hashes import file_hash, weights_hash
from speechft_cli.io.lock import locked
from speechft_cli.io.records import now
from speechft_cli.io.space import require_space, size_text

#: The largest difference between features before and after that counts as none; see `difference` for its unit.
TOLERANCE = 1e-5


def run(request: ConvertRequest, report: Report) -> Result:
    """Reads an encoder and writes it in other formats; all of them appear, checked, or none.

    Args:
        request: What to convert.
        report: Told what happens.

    Raises:
        RequestError: It can't be read, a format can't hold it, or something is there already; nothing was written.
        SpeechftError: The features differ, or the disk is full; nothing was written.
    """
    targets = request.targets
    require_free(request)
    checkpoint = read_source(request, report)
    require_space(request.out, len(targets) * sum(tensor.nbytes for tensor in checkpoint.weights.values()))
    steps = len(targets) * (2 if request.verify else 1) + request.verify
    report(Started("converting", steps, "steps"))
    before = _features_before(checkpoint) if request.verify else None
    source = _lineage(checkpoint, request)
    notes = {
        "speechft": __version__,
        "converted_from": request.source.name,
        "weights_sha256": str(source["weights_sha256"]),
    }
    with (
        locked(request.out, report, leave_nothing=True),
        atomic_files(request.out, first=RECORD) as unfinished,
    ):
        written = save_encoder(checkpoint, unfinished, request.formats, stem=request.stem, metadata=notes)
        report(Advanced(len(written) + request.verify, "written"))
        outputs = []
        for count, (name, path) in enumerate(zip(request.formats, written, strict=True), start=1):
            apart = None if before is None else _difference(before, path, checkpoint)
            outputs.append(_output(path, name, apart))
            report(Advanced(len(written) + request.verify + count, path.name))
        report(Finished())
        record = {"speechft": __version__, "created": now(), "source": source, "outputs": outputs}
        write_json(unfinished / RECORD, record)
    report(_table(outputs, request.out))
    return Result(
        f"encoder converted: {checkpoint.family.name} from {checkpoint.format} to {', '.join(request.formats)}",
        str(request.out.absolute()),
        data={**record, "folder": str(request.out.absolute())},
    )


def _features_before(checkpoint: EncoderCheckpoint) -> tuple[Tensor, ...]:
    """What the source gives, by transformers where the source is its folder and by s3prl where it is anything else."""
    path = checkpoint.path
    if checkpoint.format == huggingface.NAME and path is not None:
        normalizes = checkpoint.family.normalizes(checkpoint.container)
        return transformers_features(path.parent, checkpoint.family, normalizes=normalizes)
    return s3prl_features(checkpoint)


def _difference(before: Sequence[Tensor], path: Path, checkpoint: EncoderCheckpoint) -> float:
    """Returns how far the features of what was written are from those before.

    Raises:
        SpeechftError: Farther than rounding explains.
    """
    family = checkpoint.family
    if path.is_dir():
        normalizes = family.normalizes(checkpoint.container)
        after = transformers_features(path, family, normalizes=normalizes)
    else:
        after = s3prl_features(read_encoder(path))
    apart = difference(before, after)
    if not apart <= TOLERANCE:
        raise SpeechftError(
            f"{path.name}: must give the features of {checkpoint.path}, differs by {apart:.1e}; nothing was written",
            "please report it; --no-verify writes it all the same",
        )
    return apart


def _output(path: Path, name: str, apart: float | None) -> dict[str, object]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {
        "format": name,
        "file": path.name,
        "bytes": sum(file.stat().st_size for file in files),
        "sha256": {file.name: file_hash(file) for file in files},
        "feature_difference": apart,
    }


def _lineage(checkpoint: EncoderCheckpoint, request: ConvertRequest) -> dict[str, object]:
    assert checkpoint.path is not None
    return {
        "path": str(checkpoint.path.resolve()),
        **named_facts(checkpoint.path),
        "sha256": file_hash(checkpoint.path),
        "weights_sha256": weights_hash(checkpoint.weights),
        "format": checkpoint.format,
        "family": checkpoint.family.name,
        "base": None if request.base is None else str(request.base.resolve()),
        "zero_filled": sorted(checkpoint.filled),
    }


def _table(outputs: Sequence[Mapping[str, object]], out: Path) -> Table:
    rows = []
    for each in outputs:
        apart = each["feature_difference"]
        rows.append(
            (
                str(each["format"]),
                size_text(int(str(each["bytes"]))),
                "not checked" if apart is None else f"{apart:.1e}",
                str(out / str(each["file"])),
            )
        )
    title = "Converted; largest difference of a feature, where the largest feature is 1"
    return Table(title, ("format", "size", "difference", "path"), tuple(rows))
