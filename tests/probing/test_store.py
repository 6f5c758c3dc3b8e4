import json
import os
from pathlib import Path

import pytest
import torch

from speechft_cli.probing.store import FeatureStore, evict

KEY = {"weights": "w", "manifests": "m"}


def filled(cache: Path, count: int = 3, **changed: object) -> FeatureStore:
    store = FeatureStore(cache, {**KEY, **changed})
    for number in range(count):
        store.add(f"u{number}", torch.full((2, 3), float(number)))
    store.flush()
    return store


def names(store: FeatureStore) -> set[str]:
    return set(store.get_all([f"u{number}" for number in range(10)]))


def test_what_is_written_is_there_for_another_process_and_before_it_is_written_for_this_one(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.add("u7", torch.zeros(1, dtype=torch.bfloat16))
    assert names(store) == {"u0", "u1", "u2", "u7"}
    assert ["u0" in store, "u7" in store, "u8" in store] == [True, True, False]
    assert store.bytes == sum(path.stat().st_size for path in store.folder.glob("*.safetensors")) + 2
    other = FeatureStore(tmp_path, KEY)
    assert names(other) == {"u0", "u1", "u2"}
    tensor = other.get("u2")
    assert tensor is not None
    assert torch.equal(tensor, torch.full((2, 3), 2.0))
    assert json.loads((store.folder / "key.json").read_text()) == KEY


@pytest.mark.parametrize(("count", "size"), [(512, 1), (2, 2**23)])
def test_many_tensors_or_large_ones_are_on_the_disk_before_anybody_flushes(
    tmp_path: Path, count: int, size: int
) -> None:
    store = FeatureStore(tmp_path, KEY)
    for number in range(count - 1):
        store.add(f"u{number}", torch.zeros(size))
    assert not list(tmp_path.rglob("*.safetensors"))
    store.add(f"u{count - 1}", torch.zeros(size))  # 512 of them, or 64 MiB
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    assert f"u{count - 1}" in FeatureStore(tmp_path, KEY)


@pytest.mark.parametrize("changed", [{"weights": "x"}, {"manifests": "x"}, {"batching": "stock"}])
def test_another_key_is_another_store(tmp_path: Path, changed: dict[str, object]) -> None:
    filled(tmp_path)
    assert names(FeatureStore(tmp_path, {**KEY, **changed})) == set()


def test_a_shard_of_another_key_under_the_right_name_is_not_used(tmp_path: Path) -> None:
    here, there = filled(tmp_path), filled(tmp_path, weights="x")
    (mine,), (foreign,) = here.folder.glob("*.safetensors"), there.folder.glob("*.safetensors")
    mine.write_bytes(foreign.read_bytes())
    assert names(FeatureStore(tmp_path, KEY)) == set()


@pytest.mark.parametrize("damage", ["a flipped bit", "half a file", "nothing in it", "a renamed tensor"])
def test_a_damaged_shard_is_noticed_removed_and_can_be_written_again(tmp_path: Path, damage: str) -> None:
    store = filled(tmp_path)
    store.add("u7", torch.zeros(1))
    store.flush()
    shard = next(path for path in store.folder.glob("*.safetensors") if b"u7" not in path.read_bytes())
    content = bytearray(shard.read_bytes())
    if damage == "a flipped bit":
        content[-5] ^= 1
    elif damage == "a renamed tensor":
        content = bytearray(bytes(content).replace(b'"u1":', b'"u5":'))
    shard.write_bytes(b"" if damage == "nothing in it" else content[: len(content) // (1 + (damage == "half a file"))])
    again = FeatureStore(tmp_path, KEY)
    assert names(again) == {"u7"}
    assert ["u0" in again, "u7" in again] == [False, True]
    assert not shard.exists()
    assert names(filled(tmp_path)) == {"u0", "u1", "u2", "u7"}


def test_the_store_that_was_not_used_for_longest_goes_first_and_nothing_else(tmp_path: Path) -> None:
    stores = [filled(tmp_path, weights=name) for name in ("a", "b", "c")]
    (tmp_path / "features-mine").mkdir()
    (tmp_path / "features-mine" / "notes.txt").write_text("not ours")
    for age, store in enumerate(stores):
        os.utime(store.folder / "key.json", (1_000_000 - age, 1_000_000 - age))
    each = stores[0].bytes
    evict(tmp_path, most=3 * each)
    assert [store.folder.exists() for store in stores] == [True, True, True]
    FeatureStore(tmp_path, {**KEY, "weights": "c"})  # looking is using
    evict(tmp_path, most=2 * each)
    assert [store.folder.exists() for store in stores] == [True, False, True]
    evict(tmp_path, most=0, used=[stores[0]])
    assert [store.folder.exists() for store in stores] == [True, False, False]
    assert (tmp_path / "features-mine" / "notes.txt").exists()
