"""What `speechft doctor` looks at: each check says how it is and, if it is not well, what to do."""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from speechft_cli import __version__
from speechft_cli.io.ahead import cores

PAIR_CURE = 'pip install "torch==2.11.*" "torchaudio==2.11.*"'
_FORMATS = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "OPUS", "MP3": "MPEG_LAYER_III", "NIST": "PCM_16"}
_GIB = 2**30


@dataclass(frozen=True)
class Check:
    """How one thing is.

    Attributes:
        name: What was looked at.
        status: `ok`, `warning` (something will be slow or missing) or `problem` (something will fail).
        text: What was found.
        cure: What to do; empty when all is well.
    """

    name: str
    status: Literal["ok", "warning", "problem"]
    text: str
    cure: str = ""


def checks() -> Iterator[Check]:
    """Yields the checks one by one; later ones are slow (torch, s3prl)."""
    yield _python()
    yield Check("speechft", "ok", __version__)
    yield _disk(Path.cwd())
    yield _memory()
    yield Check("cores", "ok", str(cores()))
    yield _network()
    yield _formats()
    yield _espeak()
    yield _libraries()
    yield torch_pair(*(_version(name) for name in ("torch", "torchaudio")))
    yield _s3prl()
    yield _gpu()


def torch_pair(torch: str | None, torchaudio: str | None) -> Check:
    """Compares the installed versions of torch and torchaudio; None is not installed."""
    name = "torch, torchaudio"
    if torch is None or torchaudio is None:
        missing = " and ".join(part for part, found in (("torch", torch), ("torchaudio", torchaudio)) if found is None)
        return Check(name, "problem", f"{missing} not installed", PAIR_CURE)
    text = f"{torch}, {torchaudio}"
    if _release(torch) != _release(torchaudio):
        return Check(name, "problem", f"{text}: must come from the same release, and do not", PAIR_CURE)
    if _build(torch) and _build(torchaudio) and _build(torch) != _build(torchaudio):
        return Check(name, "problem", f"{text}: must be built for the same device, and are not", PAIR_CURE)
    try:
        for module in ("torch", "torchaudio"):
            importlib.import_module(module)
    except Exception as error:  # a broken binary raises anything: ImportError, OSError, RuntimeError
        return Check(name, "problem", f"{text}: can't be imported: {_first_line(error)}", PAIR_CURE)
    return Check(name, "ok", text)


def _python() -> Check:
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("Python", "ok", version)
    return Check("Python", "problem", f"{version}: must be 3.11, 3.12 or 3.13", "make a virtual environment with one")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free / _GIB
    status: Literal["ok", "warning", "problem"] = "ok" if free >= 10 else "warning" if free >= 1 else "problem"
    cure = "" if status == "ok" else "a run of HuBERT base keeps about 3 GB; free some space or use another --out"
    return Check("free disk", status, f"{free:.1f} GiB here", cure)


def _memory() -> Check:
    try:
        facts = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return Check("free memory", "ok", "not known on this system")
    kib = re.search(r"^MemAvailable:\s+(\d+)", facts, re.MULTILINE)
    free = int(kib[1]) * 1024 / _GIB if kib else 0.0
    if free >= 4:
        return Check("free memory", "ok", f"{free:.1f} GiB")
    return Check("free memory", "warning", f"{free:.1f} GiB", "use a smaller finetune.batch_seconds")


def _network() -> Check:
    from speechft_cli.io.kept import cache_folder

    # what needs no download needs no network, so nothing is reached for
    told = "".join(f", {name} is set" for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(name))
    what = f"needed once for each encoder by name (kept in {cache_folder()}) and for prepare --download"
    return Check("network", "ok", f"{what}{told}")


def _formats() -> Check:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        return Check("audio formats", "problem", _first_line(error), "pip install --force-reinstall soundfile")
    missing = [f"{kind} ({subtype})" for kind, subtype in _FORMATS.items() if not soundfile.check_format(kind, subtype)]
    if missing:
        cure = "pip install --force-reinstall soundfile; its wheel brings libsndfile 1.2"
        return Check("audio formats", "warning", f"can't read {', '.join(missing)}", cure)
    return Check(
        "audio formats", "ok", f"WAV, FLAC, OGG/Opus, MP3, NIST SPHERE (libsndfile {soundfile.__libsndfile_version__})"
    )


def _espeak() -> Check:
    cure = "pip install --force-reinstall espeakng-loader; only the synthetic corpus needs it"
    try:
        import espeakng_loader

        paths = [Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())]
    except (ImportError, OSError) as error:
        return Check("espeak-ng", "warning", _first_line(error), cure)
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        return Check("espeak-ng", "warning", f"{missing[0]} is missing", cure)
    return Check("espeak-ng", "ok", f"espeakng-loader {_version('espeakng-loader')}")


def _libraries() -> Check:
    """Compares what is installed with what speechft asks for: pip lets other packages change it, with a warning."""
    try:
        from packaging.requirements import Requirement

        found = [Requirement(each) for each in metadata.requires("speechft") or ()]
    except (ImportError, metadata.PackageNotFoundError) as error:
        return Check("libraries", "warning", f"unknown: {_first_line(error)}", "pip install . where speechft lies")
    asked = [each for each in found if each.marker is None or each.marker.evaluate({"extra": ""})]
    wrong = {}
    for each in asked:
        version = _version(each.name)
        if version is None or not each.specifier.contains(version, prereleases=True):
            wrong[f'"{each.name}{each.specifier}"'] = f"{each.name} {version or 'is missing'}"
    if wrong:
        return Check("libraries", "problem", ", ".join(wrong.values()), f"pip install {' '.join(wrong)}")
    return Check("libraries", "ok", f"{len(asked)}, all of versions that speechft asks for")


def _s3prl() -> Check:
    try:
        import torch

        from speechft_cli.encoders import ENCODERS
        from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint

        tiny = random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=0)
        build_encoder(tiny, device=torch.device("cpu"))
    except Exception as error:  # s3prl's imports fail in any way at all when torch or torchaudio moves on
        return Check("s3prl", "problem", f"a tiny HuBERT can't be built: {_first_line(error)}", PAIR_CURE)
    return Check("s3prl", "ok", f"{_version('s3prl')}, builds a tiny HuBERT")


def _gpu() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("GPU", "warning", f"unknown: {_first_line(error)}", PAIR_CURE)
    if not torch.cuda.is_available():
        cure = "fine for the demo and for tiny encoders; fine-tuning HuBERT base takes a GPU"
        return Check("GPU", "warning", "none that torch can use", cure)
    gpu = torch.cuda.get_device_properties(0)
    return Check("GPU", "ok", f"{gpu.name}, {gpu.total_memory / _GIB:.0f} GiB; {torch.cuda.device_count()} in all")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> list[str]:
    return version.split("+")[0].split(".")[:2]


def _build(version: str) -> str:
    return version.partition("+")[2]


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
