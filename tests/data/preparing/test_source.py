"""The order in which a corpus is wanted."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.lexicon import Gaps
from speechft_cli.data.preparing.source import read_corpus
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.verdicts import Bad, Item


def shuffled(*found: Found, seed: int = 0) -> list[Item]:
    corpus = Corpus(lambda _: iter(found))
    return list(read_corpus(corpus, CorpusRequest(Path("/corpus"), order="random", seed=seed), Gaps()))


def name(item: Item) -> str:
    return item.id if isinstance(item, Bad) else item[1].id


def test_a_random_order_is_that_of_the_hashes_of_seed_and_name() -> None:
    found = [("train", Utterance(f"u{number}", Path("/a.wav"), text=str(number))) for number in range(50)]
    names = [name(each) for each in shuffled(*found, seed=7)]
    assert names == sorted(names, key=lambda name: hashlib.sha256(f"7 {name}".encode()).digest())
    assert set(names) == {f"u{number}" for number in range(50)}
    assert names == [name(each) for each in shuffled(*reversed(found), seed=7)]


def test_the_same_name_twice_keeps_the_order_and_a_name_that_is_not_utf8_is_spelt_out() -> None:
    twins = [("train", Utterance("a", Path("/a.wav"), text=text)) for text in ("z", "y", "x")]
    items = shuffled(
        *twins, Rejected("b", Path("/b.wav"), "dev", "no such file"), ("test", Utterance("\udce9", Path("/c")))
    )
    assert [each[1].text for each in items if not isinstance(each, Bad) and each[1].id == "a"] == ["z", "y", "x"]
    assert {each.reason for each in items if isinstance(each, Bad)} == {"no such file", "name is not UTF-8"}


def test_memory_does_not_grow_with_what_is_put_into_a_random_order() -> None:
    def read(request: CorpusRequest) -> Iterator[Found]:
        for number in range(20_000):
            yield "train", Utterance(f"u{number}", request.root / "a.wav", text=f"{number:02000}")

    tracemalloc.start()
    count = sum(1 for _ in read_corpus(Corpus(read), CorpusRequest(Path("/corpus"), order="random"), Gaps()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 10_000_000  # all of it takes 40 MB and more
