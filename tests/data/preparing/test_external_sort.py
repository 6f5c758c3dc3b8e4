import random
import tracemalloc
from pathlib import Path

from speechft_cli.data.preparing.external_sort import ExternalSort


def test_more_than_fits_is_sorted_and_can_be_read_twice(tmp_path: Path) -> None:
    records = [((f"{number % 50:02}", number), f'{{"a":"{number}"}}'.encode()) for number in range(1000)]
    random.Random(0).shuffle(records)
    sort = ExternalSort(tmp_path, run_bytes=10_000)
    for key, value in records:
        sort.add(key, value)
    assert list(sort.sorted()) == sorted(records)
    assert list(sort.sorted()) == sorted(records)
    sort.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_sorted_too(tmp_path: Path) -> None:
    assert list(ExternalSort(tmp_path).sorted()) == []


def test_what_does_not_fit_into_memory_is_on_the_disk(tmp_path: Path) -> None:
    sort = ExternalSort(tmp_path, run_bytes=100_000)
    tracemalloc.start()
    for number in range(20_000):
        sort.add((f"{number * 7919 % 20_000:05}",), bytes(500))
    keys = [key for key, _ in sort.sorted()]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    sort.close()
    assert keys == sorted(keys)
    assert peak < 5_000_000  # of 10 MB of values
