import random
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
