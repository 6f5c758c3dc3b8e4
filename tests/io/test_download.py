"""Downloads from a server of our own, with everything that goes wrong on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechft_cli.errors import SpeechftError
from speechft_cli.events import Advanced, Event, Finished, Note, Started, ignore
from speechft_cli.io.download import fetch, linked_sha256
from tests.serving import Server

CONTENT = bytes(range(256)) * 12_000  # 3 MB


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(CONTENT)
    yield server
    server.close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_comes_whole_with_progress_and_nothing_else_stays(server: Server, tmp_path: Path) -> None:
    heard: list[Event] = []
    fetch(server.url, tmp_path / "deep" / "corpus.bin", sha256=sha256(CONTENT), report=heard.append)
    assert (tmp_path / "deep" / "corpus.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["corpus.bin"]
    assert heard == [
        Started("asking 127.0.0.1 for corpus.bin"),
        Finished(),
        Started("downloading corpus.bin", 4, "MB"),
        *map(Advanced, (0, 2, 3, 4)),
        Finished(),
        Started("checking corpus.bin"),
        Finished("3.1 MB, SHA-256 as published"),
    ]


def test_a_break_is_mended_by_asking_for_the_rest(server: Server, tmp_path: Path) -> None:
    server.breaks = [1_000_000, 500_000]
    fetch(server.url, tmp_path / "a", sha256=sha256(CONTENT), report=ignore, wait=0.001)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_run_goes_on_where_an_earlier_one_was_killed(server: Server, tmp_path: Path) -> None:
    server.breaks = [2_000_000] + [0] * 5
    with pytest.raises(SpeechftError, match=r"broke off after 2\.0 MB") as caught:
        fetch(server.url, tmp_path / "a", sha256=sha256(CONTENT), report=ignore, wait=0.001)
    assert "goes on where this one stopped" in caught.value.hint
    assert not (tmp_path / "a").exists()
    server.asked.clear()
    fetch(server.url, tmp_path / "a", sha256=sha256(CONTENT), report=ignore)
    assert server.asked == ["bytes=2000000-"]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_progress_of_the_rest_begins_where_the_earlier_run_was_killed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(CONTENT[:2_000_000])
    heard: list[Event] = []
    fetch(server.url, tmp_path / "a", sha256="", report=heard.append)
    assert heard[2:] == [
        Started("downloading a", 4, "MB"),
        *map(Advanced, (2, 4, 4)),
        Finished("3.1 MB, length as announced"),
    ]


def test_a_server_that_does_not_say_how_long_it_is_is_told_apart(server: Server, tmp_path: Path) -> None:
    server.says_length = False
    heard: list[Event] = []
    fetch(server.url, tmp_path / "a", sha256="", report=heard.append)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert Started("downloading a", None, "MB") in heard
    assert heard[-1] == Finished("3.1 MB, the server did not say how long it is")


def test_a_server_that_knows_no_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    server.breaks = [1_000_000]
    fetch(server.url, tmp_path / "a", sha256=sha256(CONTENT), report=ignore, wait=0.001)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_another_version_meanwhile_is_taken_whole(server: Server, tmp_path: Path) -> None:
    server.breaks = [1_000_000] + [0] * 5
    with pytest.raises(SpeechftError):
        fetch(server.url, tmp_path / "a", sha256="", report=ignore, wait=0.001)
    server.version, server.content = '"2"', CONTENT[::-1]
    fetch(server.url, tmp_path / "a", sha256="", report=ignore)
    assert (tmp_path / "a").read_bytes() == CONTENT[::-1]


def test_what_was_whole_when_the_run_was_killed_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(CONTENT)
    (tmp_path / "a.part.json").write_text(f'{{"length": "{len(CONTENT)}", "version": ""}}')
    fetch(server.url, tmp_path / "a", sha256=sha256(CONTENT), report=ignore)
    assert server.asked == [f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_too_much_is_thrown_away_and_fetched_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(CONTENT + b"?")
    fetch(server.url, tmp_path / "a", sha256=sha256(CONTENT), report=ignore, wait=0.001)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SpeechftError, match=f"must have the SHA-256 {'0' * 64}, got {sha256(CONTENT)}"):
        fetch(server.url, tmp_path / "a", sha256="0" * 64, report=ignore)
    assert list(tmp_path.iterdir()) == []


def test_what_the_server_does_not_have_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(SpeechftError, match="can't be fetched: 404 Not Found") as caught:
        fetch(server.url, tmp_path / "a", sha256="", report=ignore, by_hand="; or get it from a friend")
    assert caught.value.hint == "it may have moved; or get it from a friend"
    assert len(server.asked) == 1


def test_a_server_that_is_not_there_is_tried_five_times(tmp_path: Path) -> None:
    heard: list[Event] = []
    with pytest.raises(SpeechftError, match=r"can't be fetched: .*[Rr]efused"):
        fetch("http://127.0.0.1:1/a", tmp_path / "a", sha256="", report=heard.append, wait=0.001)
    assert heard[0] == Started("asking 127.0.0.1 for a")
    trouble = "a: [Errno 111] Connection refused; trying again in"
    assert heard[1:] == [Note(f"{trouble} {seconds} s") for seconds in (0.002, 0.004, 0.008, 0.016)]


@pytest.mark.parametrize(("status", "said"), [(503, "503 Service Unavailable"), (429, "429 Too Many Requests")])
def test_a_server_in_trouble_is_given_time(server: Server, tmp_path: Path, status: int, said: str) -> None:
    server.status = status
    with pytest.raises(SpeechftError, match=f"the server says {said}"):
        fetch(server.url, tmp_path / "a", sha256="", report=ignore, wait=0.001)
    assert len(server.asked) == 5


def test_the_hub_says_what_a_large_file_is(server: Server) -> None:
    assert linked_sha256(server.url) == ""
    server.sha256 = sha256(CONTENT)
    assert linked_sha256(server.url) == sha256(CONTENT)
    assert linked_sha256("http://127.0.0.1:1/a") == ""
    assert server.asked == []  # the file itself was not asked for
