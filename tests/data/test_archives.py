"""Archives of corpora, unpacked from files that are there already: nothing is fetched."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from speechft_cli.data import CORPORA
from speechft_cli.data.archives import Archive, obtain
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Event, Note, ignore
from tests.serving import Server


def put(root: Path, archive: Archive, *members: str) -> None:
    """Puts an archive where a finished download leaves it."""
    path = root / ".download" / archive.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for member in members:
                packed.writestr(member, member)
        return
    with tarfile.open(path, "w:gz") as packed_tar:
        for member in members:
            info = tarfile.TarInfo(member)
            info.size = len(member)
            packed_tar.addfile(info, io.BytesIO(member.encode()))


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def fetched(root: Path, *archives: Archive, parts: tuple[str, ...] = ()) -> set[str]:
    obtain(archives, root, parts=parts, page="https://corpus.example", report=ignore)
    return files(root)


def part(name: str, *, is_default: bool = True) -> Archive:
    return Archive(f"http://127.0.0.1:1/{name}.tar.gz", f"Corpus/{name}", part=name, is_default=is_default)


def test_parts_of_one_corpus_are_unpacked_beside_each_other(tmp_path: Path) -> None:
    put(tmp_path, part("dev"), "Corpus/README", "Corpus/dev/1/a.flac")
    put(tmp_path, part("test"), "Corpus/README", "Corpus/test/1/b.flac")
    there = fetched(tmp_path, part("dev"), part("test"), part("train", is_default=False))
    assert there == {"Corpus/README", "Corpus/dev/1/a.flac", "Corpus/test/1/b.flac"}
    assert not (tmp_path / ".download").exists()


def test_only_wanted_parts_are_fetched_and_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "Corpus" / "dev").mkdir(parents=True)
    put(tmp_path, part("train"), "Corpus/train/a.flac")
    assert fetched(tmp_path, part("dev"), part("test"), part("train"), parts=("train", "dev")) == {
        "Corpus/train/a.flac"
    }
    with pytest.raises(RequestError, match="must name parts among dev, train, got tarin"):
        fetched(tmp_path, part("dev"), part("train"), parts=("tarin",))


def test_the_root_may_be_the_corpuss_own_folder(tmp_path: Path) -> None:
    put(tmp_path, part("dev"), "Corpus/dev/a.flac")
    fetched(tmp_path / "Corpus", part("dev"))
    assert files(tmp_path) == {"Corpus/dev/a.flac"}


def test_an_archive_without_a_top_folder_or_with_another_gets_one_of_the_corpuss_name(tmp_path: Path) -> None:
    for url, members in (
        ("http://127.0.0.1:1/many.zip", ("wav/a.wav", "list.txt")),
        ("http://127.0.0.1:1/one.zip", ("wav/a.wav",)),
        ("http://127.0.0.1:1/corpus-1.0.9.tar.gz", ("corpus-1.0.9/wav/a.wav", "corpus-1.0.9/list.txt")),
    ):
        archive = Archive(url, "corpus")
        put(tmp_path / url[-7:], archive, *members)
        there = fetched(tmp_path / url[-7:], archive)
        assert there == {f"corpus/{member.removeprefix('corpus-1.0.9/')}" for member in members}


def test_a_damaged_archive_is_thrown_away_and_nothing_is_unpacked(tmp_path: Path) -> None:
    put(tmp_path, part("dev"), *(f"Corpus/dev/{number}.flac" for number in range(100)))
    path = tmp_path / ".download" / "dev.tar.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SpeechftError, match="must be a whole archive"):
        fetched(tmp_path, part("dev"))
    assert not (tmp_path / "Corpus").exists()
    assert not path.exists()


def test_a_page_in_place_of_an_archive_is_one_line_of_trouble(tmp_path: Path) -> None:
    (tmp_path / ".download").mkdir()
    (tmp_path / ".download" / "dev.tar.gz").write_text("<html>Please log in</html>")
    with pytest.raises(SpeechftError, match="must be a whole archive") as caught:
        fetched(tmp_path, part("dev"))
    assert "\n" not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_had_unpacked_is_unpacked_again(tmp_path: Path) -> None:
    put(tmp_path, part("dev"), "Corpus/dev/a.flac", "Corpus/dev/b.flac")
    half = tmp_path / ".download" / "dev.tar.gz.unpacked" / "Corpus" / "dev"
    half.mkdir(parents=True)
    (half / "a.flac").write_text("ha")
    fetched(tmp_path, part("dev"))
    assert (tmp_path / "Corpus" / "dev" / "a.flac").read_text() == "Corpus/dev/a.flac"


def test_an_archive_writes_nothing_outside(tmp_path: Path) -> None:
    put(tmp_path / "root", part("dev"), "../../evil.txt", "Corpus/dev/a.flac")
    with pytest.raises(SpeechftError, match="must be a whole archive"):
        fetched(tmp_path / "root", part("dev"))
    assert files(tmp_path) == set()


def test_a_missing_checksum_is_said(tmp_path: Path) -> None:
    put(tmp_path, part("dev"), "Corpus/dev/a.flac")
    heard: list[Event] = []
    obtain([part("dev")], tmp_path, parts=(), page="", report=heard.append)
    assert Note("dev.tar.gz: nobody published a checksum; its length and its files' are checked") in heard


@pytest.mark.parametrize("name", ["iemocap", "voxceleb1", "snips", "fluent-speech-commands", "crema-d"])
def test_what_nobody_may_fetch_says_where_to_get_it(name: str, tmp_path: Path) -> None:
    corpus = CORPORA.get(name)
    with pytest.raises(RequestError, match=r"prepare\.download: must be off") as caught:
        obtain(corpus.archives, tmp_path, parts=(), page=corpus.page, report=ignore)
    assert corpus.page in caught.value.hint


def test_what_is_made_here_or_yours_needs_no_download(tmp_path: Path) -> None:
    for name in ("synthetic", "manifest", "folder"):
        with pytest.raises(RequestError, match="must be off for what is made here or yours already"):
            obtain(CORPORA.get(name).archives, tmp_path, parts=(), page=CORPORA.get(name).page, report=ignore)


def test_a_root_that_can_not_be_written_to_is_told_from_the_folder_of_the_manifests(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="file is a file") as caught:
        fetched(tmp_path / "file" / "root", part("dev"))
    assert caught.value.hint == "--root names another"


def test_what_can_not_be_fetched_says_where_to_get_it_and_where_to_put_it(tmp_path: Path) -> None:
    server = Server(b"")
    server.status = 404
    with pytest.raises(SpeechftError, match="404 Not Found") as caught:
        fetched(tmp_path / "root", Archive(server.url, "corpus"))
    server.close()
    assert caught.value.hint.endswith(f"or get it from https://corpus.example and unpack it in {tmp_path / 'root'}")
    assert list(tmp_path.iterdir()) == []


def test_archives_of_the_catalogue_have_names_of_their_own_and_whole_checksums() -> None:
    archives = [archive for name in CORPORA for archive in CORPORA.get(name).archives]
    assert len({archive.gives for archive in archives}) == len(archives) > 12
    assert all(len(archive.sha256) in (0, 64) for archive in archives)
    assert all(archive.name.endswith((".tar.gz", ".tgz", ".zip")) for archive in archives)
