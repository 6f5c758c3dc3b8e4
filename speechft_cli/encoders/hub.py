"""Encoders from the Hugging Face hub."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from speechft_cli.encoders.names import HubName, read_hub
from speechft_cli.errors import SpeechftError
from speechft_cli.events import Finished, Report, Started
from speechft_cli.io.hashes import file_hash
from speechft_cli.io.kept import cache_folder, once, record
from speechft_cli.io.space import size_text

#: What of a repository is fetched: configuration and card, and the weights as safetensors or else as `.bin`.
_FACTS = ("config.json", "preprocessor_config.json", "README.md", "*.index.json")
_WEIGHTS = ("*.safetensors", "*.bin")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def hub_folder(name: str, report: Report) -> Path:
    """Returns the folder of `hf:ORG/NAME[@REVISION]`: fetched at its first use, checked at each.

    What a branch pointed to at the first use is what the name stands for from then on.

    Args:
        name: The name.
        report: Hears of a download.

    Raises:
        RequestError: It is no such name.
        SpeechftError: It can't be fetched, or is no longer what came.
    """
    asked = read_hub(name)
    place = f"{asked.repository}@{asked.revision}".replace("/", "--")
    folder = cache_folder() / "hub" / place
    facts = once(folder, lambda: _fetch(name, asked, folder, report), report)
    return folder / f"models--{asked.repository.replace('/', '--')}" / "snapshots" / str(facts["commit"])


def _fetch(name: str, asked: HubName, folder: Path, report: Report) -> Mapping[str, object]:
    """Fetches a snapshot and writes it down; what came whole before a break is not fetched again."""
    report(Started(f"downloading {name}", None, "files"))
    try:
        for kind in _WEIGHTS:
            snapshot = _snapshot(asked, folder, [*_FACTS, kind])
            if found := list(snapshot.glob(kind)):
                _check_large(name, found)
                files = sorted(each for each in snapshot.rglob("*") if each.is_file())
                report(Finished(size_text(sum(each.stat().st_size for each in files))))
                return record(folder, {"name": name, "commit": snapshot.name}, files)
    except (OSError, ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SpeechftError(
            f"{name}: can't be fetched from the Hugging Face hub: {first}",
            f"try again later, or fetch huggingface.co/{asked.repository} in another way and give the folder's path",
        ) from error
    raise SpeechftError(f"{name}: must have weights ({', '.join(_WEIGHTS)}), has none", "look at its files")


def _snapshot(asked: HubName, folder: Path, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    had_bars = not are_progress_bars_disabled()
    disable_progress_bars()  # they would paint over ours
    try:
        return Path(
            snapshot_download(
                asked.repository,
                revision=asked.revision,
                cache_dir=folder,
                allow_patterns=patterns,
                endpoint=os.environ.get("HF_ENDPOINT"),
            )
        )
    finally:
        if had_bars:
            enable_progress_bars()


def _check_large(name: str, files: list[Path]) -> None:
    """Compares large files with the SHA-256 that the hub calls them by."""
    for file in files:
        expected = file.resolve().name
        if _SHA256.fullmatch(expected) and (got := file_hash(file)) != expected:
            file.resolve().unlink()
            file.unlink(missing_ok=True)
            raise SpeechftError(
                f"{name}: {file.name} must have the SHA-256 {expected}, got {got}",
                "what came was thrown away; try again",
            )
