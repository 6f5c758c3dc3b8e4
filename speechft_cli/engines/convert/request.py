"""What a conversion starts from: what was asked for, and the encoder, which every format asked for can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from speechft_cli.config.sections.base import plain_name
from speechft_cli.encoders import ENCODERS, FORMATS
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.s3prl import check_fit
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report

#: Name of the file that says what was converted from what.
RECORD = "convert.json"


@dataclass(frozen=True)
class ConvertRequest:
    """What to convert.

    Attributes:
        source: A checkpoint, in any format that is read.
        formats: Names of the formats to write.
        out: The folder to write into.
        stem: Of the names of what is written.
        family: The encoder's family; told by the file when None.
        base: A checkpoint of the same family and size, which lends the configuration and the pre-training head to a
            source that has none.
        trust: Whether the files may execute code while they are read.
        verify: Whether to compare the features before and after.
        force: Whether what is there already may be replaced.
    """

    source: Path
    formats: Sequence[str]
    out: Path
    stem: str = "encoder"
    family: str | None = None
    base: Path | None = None
    trust: bool = False
    verify: bool = True
    force: bool = False

    @property
    def targets(self) -> list[Path]:
        """What is to be written, in the order of the formats."""
        return [self.out / f"{self.stem}{FORMATS.get(name).ending}" for name in self.formats]


def require_free(request: ConvertRequest) -> None:
    """Raises what speaks against writing there.

    Raises:
        RequestError: No format or one of them twice, something is there already, or it is the source itself.
    """
    targets = request.targets
    if not request.formats:
        raise RequestError("--format: must be given at least once", f"one of {', '.join(FORMATS)}")
    if len(set(request.formats)) < len(request.formats):
        raise RequestError(f"--format: must differ, got {', '.join(request.formats)}", "name each once")
    if request.out.exists() and not request.out.is_dir():
        raise RequestError(f"{request.out}: must be a folder, is a file", "choose another --out")
    try:
        plain_name(request.stem)
    except ValueError as error:
        raise RequestError(f"--stem: {error}", "--out names the folder, --stem what is in it") from None
    record = request.out / RECORD
    taken = [str(path) for path in (*targets, record) if path.exists()]
    if taken and not request.force:
        other = "--out" if record.exists() else "--out or --stem"
        raise RequestError("\n".join(f"{path}: exists" for path in taken), f"choose another {other}, or --force")
    if any(target.resolve() == request.source.resolve() for target in targets):
        raise RequestError(f"{request.source}: is what would be replaced", "choose another --out or --stem")


def read_source(request: ConvertRequest, report: Report) -> EncoderCheckpoint:
    """Returns the encoder to convert, completed by the base where there is one.

    Raises:
        RequestError: It can't be read, is incomplete, has NaN or infinities, or a format can't hold it.
    """
    base = None if request.base is None else read_encoder(request.base, trust=request.trust, report=report)
    family = ENCODERS.get(request.family) if request.family is not None else None if base is None else base.family
    checkpoint = read_encoder(request.source, family, trust=request.trust, report=report)
    if base is not None:
        checkpoint = _completed(checkpoint, base)
    if not checkpoint.is_complete:
        raise RequestError(
            f"{checkpoint.path}: has weights but no configuration, as a {checkpoint.format} has none",
            f"--base FILE brings it: the {checkpoint.family.name} checkpoint that the weights were trained from",
        )
    if checkpoint.filled:
        text = (
            f"{checkpoint.path} lacks {len(checkpoint.filled)} tensors that only pre-training uses; they become zeros"
        )
        report(Note(f"{text}; --base FILE brings them", important=True))
    check_fit(checkpoint)
    for name in request.formats:
        FORMATS.get(name).require(checkpoint)
    checkpoint.require_finite()
    return checkpoint


def _completed(checkpoint: EncoderCheckpoint, base: EncoderCheckpoint) -> EncoderCheckpoint:
    """Returns the checkpoint with the base's configuration, and its pre-training head where there is none."""
    base.require_complete()
    family = checkpoint.family
    if checkpoint.is_complete and family.normalizes(checkpoint.container) != family.normalizes(base.container):
        raise RequestError(
            f"{base.path}: must agree with {checkpoint.path} on whether waveforms are normalised, and does not",
            "it is no base of it",
        )
    head = {
        name: tensor
        for name, tensor in base.weights.items()
        if family.is_untrained(name) and (name not in checkpoint.weights or name in checkpoint.filled)
    }
    container = checkpoint.container if checkpoint.is_complete and not checkpoint.filled else base.container
    return replace(checkpoint, weights={**checkpoint.weights, **head}, container=container, filled=frozenset())
