"""What the wizard finds out by looking, so that it need not ask: encoders, corpora, the GPU."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from speechft_cli.config.load import anchored

if TYPE_CHECKING:
    from speechft_cli.data.corpus import Found
    from speechft_cli.data.utterance import Utterance

#: Audio per batch that HuBERT base takes per GiB of a GPU's memory, with room to spare [s].
_SECONDS_PER_GIB = 5
_CPU_SECONDS = 24
#: How much of a corpus is looked at.
_LOOKED_AT = 20


@dataclass(frozen=True)
class Proposal:
    """An answer that was found out.

    Attributes:
        answer: As it would be typed.
        why: What was seen, one line.
    """

    answer: str
    why: str


@dataclass(frozen=True)
class Encoder:
    """What a checkpoint holds.

    Attributes:
        family: Its family.
        layers: Transformer layers; None where they can't be counted.
        text: What was seen, one line.
    """

    family: str
    layers: int | None
    text: str


def encoder_of(name: str, folder: Path) -> Encoder | None:
    """Looks what a checkpoint holds; None when it can't be told. What has a name is not fetched for that."""
    from speechft_cli.encoders.names import family_of, is_name, shipped_file

    if shipped_file(name).is_file():
        return _look(shipped_file(name))
    if is_name(name):
        family = family_of(name)
        return None if family is None else Encoder(family, None, f"{name} is a {family}.")
    path = anchored(name, folder)
    return _look(path) if path.exists() else None


def _look(path: Path) -> Encoder | None:
    from speechft_cli.encoders.dimensions import read_dimensions
    from speechft_cli.encoders.formats import read_encoder
    from speechft_cli.errors import SpeechftError

    try:
        checkpoint = read_encoder(path)
    except SpeechftError:
        return None
    count = sum(each.size for each in checkpoint.arrays.values())
    size, layers = f"{count / 1e6:.1f} M parameters", None
    try:
        found = read_dimensions(checkpoint.arrays)
        layers = found["encoder_layers"]
        size += f", {layers} layers of width {found['encoder_embed_dim']}"
    except SpeechftError:
        pass  # a family with other names; its parameters are counted
    family = checkpoint.family.name
    return Encoder(family, layers, f"{path.name} holds a {family}: {size}.")


def corpus_of(root: Path) -> Proposal | None:
    """Looks which corpus lies in a folder: the first whose reader finds utterances there and misses nothing.

    Readers that take almost anything, a list or class folders, come last in the catalogue's order of trial.
    """
    from speechft_cli.data import CORPORA
    from speechft_cli.data.corpus import Rejected

    if not root.exists():
        return None
    if root.is_file():
        return Proposal("manifest", f"{root} is no folder.")
    lenient = ("manifest", "folder")
    names = [name for name in CORPORA if name not in lenient and CORPORA.get(name).needs_root]
    for name in (*names, *lenient):
        found = _first(name, root)
        sound = sum(not isinstance(each, Rejected) for each in found)
        if sound and sound == len(found):
            return Proposal(name, f"{root} looks like {name}.")
    return None


def utterances_of(corpus: str, root: Path) -> list[Utterance]:
    """Looks at the first utterances of a corpus."""
    from speechft_cli.data.corpus import Rejected

    return [each[1] for each in _first(corpus, root) if not isinstance(each, Rejected)]


def utterances_in(folder: Path) -> list[Utterance]:
    """Looks at the first utterances of a folder of manifests; none where there are no manifests."""
    if not folder.is_dir():
        return []
    from speechft_cli.data.manifests.folder import available_splits, read_manifest
    from speechft_cli.errors import SpeechftError

    try:
        return [
            each for split in available_splits(folder)[:1] for each in islice(read_manifest(folder, split), _LOOKED_AT)
        ]
    except SpeechftError:
        return []


def _first(corpus: str, root: Path) -> list[Found]:
    """Reads the first of what a corpus holds; nothing where it has another layout."""
    from speechft_cli.data import CORPORA
    from speechft_cli.data.corpus import CorpusRequest
    from speechft_cli.errors import SpeechftError

    try:
        return list(islice(CORPORA.get(corpus).read(CorpusRequest(root)), _LOOKED_AT))
    except (SpeechftError, OSError, ValueError):
        return []


def batch_seconds() -> Proposal:
    """Proposes the audio per batch by the memory of the GPU, if there is one."""
    gibibytes = _gpu_gibibytes()
    if gibibytes is None:
        return Proposal(str(_CPU_SECONDS), "No GPU was found; small batches are quick to come by on a CPU.")
    seconds = min(480, max(_CPU_SECONDS, int(gibibytes * _SECONDS_PER_GIB)))
    return Proposal(str(seconds), f"The GPU has {gibibytes:.0f} GiB; the paper's batches held about 120 s.")


def _gpu_gibibytes() -> float | None:
    """Asks the driver, which answers at once; torch takes seconds to import."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        return float(answer.splitlines()[0]) / 1024
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
