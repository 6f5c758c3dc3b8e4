"""Features on disk, by utterance: shards of safetensors that are whole, checked, and used for nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from speechft_cli.io.atomic import atomic_path, write_json
from speechft_cli.io.hashes import weights_hash

_KEY = "key.json"
_PATTERN = "features-*"
#: A shard is written when it has this much [bytes], this many tensors or this age [s]: what a kill can lose.
_SHARD_BYTES, _SHARD_COUNT, _SHARD_SECONDS = 64 * 2**20, 512, 20.0


class FeatureStore:
    """Tensors by name that depend on one key: weights, manifests, settings.

    Every tensor is checked against its SHA-256 when it is first read; a shard that is not exactly what was written is
    removed, and its tensors count as missing. Several processes may write into one store at the same time.
    """

    def __init__(self, cache: Path, key: Mapping[str, object]) -> None:
        """
        Args:
            cache: Folder of all stores.
            key: All that the tensors depend on besides their name; values of JSON.
        """
        self._text = json.dumps(key, sort_keys=True)
        self._key = dict(key)
        self.folder = cache / f"features-{hashlib.sha256(self._text.encode()).hexdigest()[:32]}"
        self._shards: dict[str, Path] = {}  # name → where it lies
        self._checked: set[str] = set()
        self._waiting: dict[str, Tensor] = {}
        self._waiting_bytes = 0
        self._written_bytes = 0
        self._written_at = time.monotonic()
        self.reload()

    def reload(self) -> None:
        """Looks again at what lies in the folder, as other processes may have written there."""
        self._shards, self._written_bytes = {}, 0
        for path in sorted(self.folder.glob("*.safetensors")):
            names = self._names(path)
            if names is None:
                path.unlink(missing_ok=True)
                continue
            self._shards |= dict.fromkeys(names, path)
            self._written_bytes += path.stat().st_size
        if self._shards:
            (self.folder / _KEY).touch()

    @property
    def bytes(self) -> int:
        """What its tensors take, written or not."""
        return self._written_bytes + self._waiting_bytes

    def __contains__(self, name: str) -> bool:
        return name in self._waiting or name in self._shards

    def get(self, name: str) -> Tensor | None:
        """Returns a tensor on the CPU; None when it is not there, or not what was written."""
        return self.get_all([name]).get(name)

    def get_all(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Returns those of the tensors that are there and what was written, on the CPU."""
        found: dict[str, Tensor] = {}
        by_shard: dict[Path, list[str]] = {}
        for name in names:
            if name in self._waiting:
                found[name] = self._waiting[name]
            elif name in self._shards:
                by_shard.setdefault(self._shards[name], []).append(name)
        for path, inside in by_shard.items():
            tensors = self._read(path, inside)
            if tensors is None:
                path.unlink(missing_ok=True)
                self._shards = {name: where for name, where in self._shards.items() if where != path}
            else:
                found |= tensors
        return found

    def add(self, name: str, tensor: Tensor) -> None:
        """Keeps a tensor; it is on disk when its shard is full, or after `flush`.

        Raises:
            SpeechftError: The shard can't be written.
        """
        self._waiting[name] = tensor
        self._waiting_bytes += tensor.nbytes
        is_due = time.monotonic() - self._written_at >= _SHARD_SECONDS
        if is_due or self._waiting_bytes >= _SHARD_BYTES or len(self._waiting) >= _SHARD_COUNT:
            self.flush()

    def flush(self) -> None:
        """Writes what waits as a shard, whole or not at all.

        Raises:
            SpeechftError: It can't be written.
        """
        if not self._waiting:
            return
        if not (self.folder / _KEY).is_file():
            write_json(self.folder / _KEY, self._key)
        names = hashlib.sha256("\n".join(sorted(self._waiting)).encode()).hexdigest()[:16]
        path = self.folder / f"{names}.safetensors"
        metadata = {
            "key": self._text,
            **{_checksum_key(name): weights_hash({name: each}) for name, each in self._waiting.items()},
        }
        with atomic_path(path) as unfinished:
            save_file({name: each.contiguous() for name, each in self._waiting.items()}, unfinished, metadata=metadata)
        self._written_bytes += path.stat().st_size
        self._shards |= dict.fromkeys(self._waiting, path)
        self._checked |= self._waiting.keys()
        self._waiting, self._waiting_bytes, self._written_at = {}, 0, time.monotonic()

    def _names(self, path: Path) -> list[str] | None:
        """Returns the names in a shard; None when it is damaged or belongs to another key."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata, names = file.metadata() or {}, list(file.keys())
        except (OSError, SafetensorError):
            return None
        return names if metadata.get("key") == self._text else None

    def _read(self, path: Path, names: Sequence[str]) -> dict[str, Tensor] | None:
        """Returns tensors of one shard; None when it is damaged."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in names}
        except (OSError, SafetensorError):
            return None
        for name in set(names) - self._checked:
            if metadata.get(_checksum_key(name)) != weights_hash({name: tensors[name]}):
                return None
            self._checked.add(name)
        return tensors


def evict(cache: Path, *, most: int, used: Iterable[FeatureStore] = ()) -> None:
    """Removes the stores that were not used for longest until all together have at most `most` bytes.

    Args:
        cache: Folder of all stores.
        most: Bytes to keep.
        used: Stores that stay whatever they take.
    """
    kept = {store.folder for store in used}
    found = [folder for folder in cache.glob(_PATTERN) if (folder / _KEY).is_file()]
    sizes = {folder: sum(file.stat().st_size for file in folder.glob("*.safetensors")) for folder in found}
    total = sum(sizes.values())
    for folder in sorted(found, key=lambda folder: (folder / _KEY).stat().st_mtime_ns):
        if total <= most:
            break
        if folder not in kept:
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]


def _checksum_key(name: str) -> str:
    return f"sha256 {name}"
