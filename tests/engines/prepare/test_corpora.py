"""Preparing corpora in their own layouts: fetched, unpacked, ordered, with phonemes."""

import shutil
from pathlib import Path

import pytest

from speechft_cli.config.schema import Config
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.engines.prepare import run
from speechft_cli.errors import InterruptedRunError, RequestError
from speechft_cli.events import Event, Note, Started, ignore
from tests.data.corpora.replicas import emodb, librispeech, tedlium, text


def request(corpus: str, root: Path | None, out: Path, **settings: object) -> Config:
    return Config.model_validate({"prepare": {"corpus": corpus, "root": root, "out": out, **settings}})


def test_a_downloaded_archive_is_unpacked_and_prepared(tmp_path: Path) -> None:
    emodb(tmp_path / "packed")
    (tmp_path / "corpora" / ".download").mkdir(parents=True)
    shutil.make_archive(str(tmp_path / "corpora" / ".download" / "download"), "zip", tmp_path / "packed")
    wanted = request("emodb", tmp_path / "corpora", tmp_path / "out", download=True)
    assert run(wanted, ignore).data["skipped"] is False
    assert (tmp_path / "corpora" / "emodb" / "wav" / "03a01Fa.wav").is_file()
    assert run(wanted, ignore).data["skipped"] is True


def test_a_corpus_that_is_made_or_needs_an_account_can_not_be_downloaded(tmp_path: Path) -> None:
    for corpus, root in (("synthetic", None), ("iemocap", tmp_path)):
        with pytest.raises(RequestError, match=r"prepare\.download: must be off"):
            run(request(corpus, root, tmp_path / "out", download=True), ignore)


def test_a_wrong_request_says_so_before_anything_is_fetched(tmp_path: Path) -> None:
    for settings in ({"task": "sid"}, {"split": {"train": 0.5}}, {"lexicon": tmp_path / "gone"}):
        heard: list[Event] = []
        with pytest.raises(RequestError):
            run(request("an4", tmp_path / "corpora", tmp_path / "out", download=True, **settings), heard.append)
        assert heard == []
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_is_interrupted_says_that_it_can_go_on(tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if event == Started("unpacking download.zip", None, "files"):
            raise KeyboardInterrupt

    emodb(tmp_path / "packed")
    archive = tmp_path / "corpora" / ".download" / "download.zip"
    archive.parent.mkdir(parents=True)
    shutil.make_archive(str(archive.with_suffix("")), "zip", tmp_path / "packed")
    with pytest.raises(InterruptedRunError, match="the same command goes on from there"):
        run(request("emodb", tmp_path / "corpora", tmp_path / "out", download=True), interrupt)
    assert list(archive.parent.iterdir()) == [archive]


def test_hours_keep_the_first_of_the_corpus_or_some_drawn_by_seed(tmp_path: Path) -> None:
    tedlium(tmp_path)
    kept = {}
    for order in ("corpus", "random"):
        for seed in range(4):
            out = tmp_path / f"{order}{seed}"
            wanted = request("tedlium", tmp_path, out, hours=2 / 3600, order=order)
            run(wanted.model_copy(update={"seed": seed}), ignore)
            kept[order, seed] = [each.start for each in read_manifest(out, "train")]
    assert [kept["corpus", seed] for seed in range(4)] == [[0.5]] * 4
    assert {tuple(kept["random", seed]) for seed in range(4)} == {(0.5,), (6.25,)}


def test_phonemes_come_from_a_lexicon_and_stay_away_where_a_word_is_not_in_it(tmp_path: Path) -> None:
    librispeech(tmp_path)
    words = (";;; # CMUdict", "HELLO  HH AH0 L OW1", "HELLO(1)  HH EH0 L OW1", "WORLD  W ER1 L D")
    lexicon = text(tmp_path / "cmudict", *words)
    heard: list[Event] = []
    run(request("librispeech", tmp_path, tmp_path / "out", lexicon=lexicon), heard.append)
    missing = "they have words that are not in it, e.g. THE, CAT'S, MODEL"
    assert heard[-1] == Note(f"lexicon: 3 of 6 transcripts have no phonemes: {missing}", important=True)
    first, second = read_manifest(tmp_path / "out", "train")
    assert (first.text, first.phones) == ("HELLO WORLD", "HH AH0 L OW1 W ER1 L D")
    assert (second.text, second.phones) == ("THE CAT'S MODEL", None)
    with pytest.raises(RequestError, match="gone: must be a lexicon"):
        run(request("librispeech", tmp_path, tmp_path / "other", lexicon=tmp_path / "gone"), ignore)
    assert not (tmp_path / "other").exists()


def test_utterances_say_their_language_and_licence(tmp_path: Path) -> None:
    tedlium(tmp_path)
    run(request("tedlium", tmp_path, tmp_path / "out"), ignore)
    first, _ = read_manifest(tmp_path / "out", "dev")
    assert (first.language, first.licence) == ("en", "CC BY-NC-ND 3.0")
    assert (first.text, first.normalised) == ("it 's a well-known fact in 1843", "IT'S A WELL KNOWN FACT IN")


def test_a_synthetic_corpus_is_made_as_its_section_says(tmp_path: Path) -> None:
    wanted = request("synthetic", None, tmp_path, hours=0.002, synthetic={"contents": ["digits"], "speakers": 10})
    run(wanted, ignore)
    train = list(read_manifest(tmp_path, "train"))
    assert all(each.labels["digit"].upper() == each.text for each in train)
    assert run(wanted, ignore).data["skipped"] is True
    again = request("synthetic", None, tmp_path, hours=0.002, synthetic={"contents": ["digits"], "speakers": 11})
    assert run(again, ignore).data["skipped"] is False
