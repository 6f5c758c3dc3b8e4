"""From names to files: shipped, fetched from a server of our own, kept, damaged, unreachable."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from speechft_cli.encoders.base import Published
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.encoders.hubert import HUBERT
from speechft_cli.encoders.local import local_path, name_of, recorded_path
from speechft_cli.encoders.names import checkpoints, is_name, read_hub, shipped_file
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Event, Note, Started, ignore
from tests.serving import Server

NAME = "hubert-of-a-test"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPEECHFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Has a tiny encoder that a name stands for."""
    server = Server(tiny_file.read_bytes())
    monkeypatch.setitem(HUBERT.published, NAME, Published("a tiny HuBERT", "CC0-1.0", server.url))  # type: ignore[arg-type]
    yield server
    server.close()


def fetched(cache: Path) -> Path:
    return cache / "encoders" / NAME / "corpus.bin"


def test_a_name_is_fetched_once_and_recorded(server: Server, cache: Path, tiny: EncoderCheckpoint) -> None:
    heard: list[Event] = []
    read = read_encoder(Path(NAME), report=heard.append)
    assert read.path == fetched(cache)
    assert all(torch.equal(read.weights[name], each) for name, each in tiny.weights.items())
    assert Started("asking 127.0.0.1 for corpus.bin") in heard
    record = json.loads((cache / "encoders" / NAME / "fetched.json").read_text())
    assert (record["name"], record["url"], record["license"]) == (NAME, server.url, "CC0-1.0")
    assert record["sha256"] == {"corpus.bin": hashlib.sha256(server.content).hexdigest()}
    assert name_of(fetched(cache)) == NAME
    server.close()
    heard.clear()
    assert read_encoder(Path(NAME), report=heard.append).path == fetched(cache)
    assert heard == []


def test_what_is_no_longer_what_came_is_refused(server: Server, cache: Path) -> None:
    local_path(Path(NAME), ignore)
    fetched(cache).write_bytes(server.content[:-1] + b"?")
    with pytest.raises(
        SpeechftError, match=r"corpus\.bin: must have the SHA-256 .* that it had when it came"
    ) as caught:
        local_path(Path(NAME), ignore)
    assert caught.value.hint == f"rm -r {fetched(cache).parent}, and it is fetched anew"


def test_what_the_hub_says_of_a_file_must_be_true(server: Server, cache: Path) -> None:
    server.sha256 = "0" * 64
    with pytest.raises(SpeechftError, match=f"{NAME}: .* must have the SHA-256 {'0' * 64}"):
        local_path(Path(NAME), ignore)
    assert not fetched(cache).exists()
    server.sha256 = hashlib.sha256(server.content).hexdigest()
    assert local_path(Path(NAME), ignore) == fetched(cache)


def test_a_broken_download_goes_on(server: Server, cache: Path) -> None:
    part = fetched(cache).with_name("corpus.bin.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(server.content[:1000])
    assert local_path(Path(NAME), ignore).read_bytes() == server.content
    assert server.asked == ["bytes=1000-"]


@pytest.mark.usefixtures("server")
def test_a_cache_on_a_file_system_without_locks_is_told_of_and_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", without_locks)
    heard: list[Event] = []
    assert local_path(Path(NAME), heard.append) == fetched(cache)
    said = f"can't be locked ({os.strerror(errno.ENOLCK)}); make sure that nothing else writes there"
    assert Note(f"{fetched(cache).parent}: {said}", important=True) in heard


def test_a_cache_that_can_t_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SPEECHFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(RequestError, match=f"must be a folder .*: {tmp_path / 'file'} is a file") as caught:
        local_path(Path("hubert-base"), ignore)
    assert caught.value.hint == "SPEECHFT_CACHE names another"


def test_without_a_network_the_file_may_be_put_there_by_hand(
    server: Server, cache: Path, tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.close()
    monkeypatch.setattr("speechft_cli.io.download.time.sleep", lambda _: None)
    with pytest.raises(SpeechftError, match=f"{NAME}: {server.url}: can't be fetched: ") as caught:
        read_encoder(Path(NAME))
    assert caught.value.hint.endswith(f"or put the file there by hand: {fetched(cache)}")
    fetched(cache).write_bytes(tiny_file.read_bytes())
    heard: list[Event] = []
    assert read_encoder(Path(NAME), report=heard.append).path == fetched(cache)
    assert [each.text for each in heard if isinstance(each, Note)] == [
        f"{NAME}: {fetched(cache)} was put there by hand; its SHA-256 is noted and checked from now on"
    ]


@pytest.mark.usefixtures("server")
def test_a_record_finds_its_encoder_again_by_name(cache: Path, tmp_path: Path) -> None:
    facts = {"path": str(fetched(cache)), "name": NAME}
    assert recorded_path(facts) == Path(NAME)
    local_path(Path(NAME), ignore)
    assert recorded_path(facts) == fetched(cache)
    assert recorded_path({"path": str(tmp_path / "gone.pt")}) == tmp_path / "gone.pt"


def test_a_shipped_encoder_is_half_as_large_and_read_exactly(
    tiny: EncoderCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechft_cli.encoders.names.SHIPPED", tmp_path)
    half = tiny.with_weights({name: each.half() for name, each in tiny.weights.items()})
    save_encoder(half, tmp_path, ["safetensors"], stem="hubert-small")
    assert next(iter(checkpoints())) == "hubert-small"
    for asked in (Path("hubert-small"), shipped_file("hubert-small")):
        read = read_encoder(asked)
        assert name_of(read.path or Path()) == "hubert-small"
        assert all(each.dtype == torch.float32 for each in read.weights.values())
        assert all(torch.equal(read.weights[name], each.float()) for name, each in half.weights.items())


def test_the_shipped_encoder_is_small_whole_and_has_a_card() -> None:
    file = shipped_file("hubert-small")
    assert file.stat().st_size <= 10_000_000
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: cc-by-4.0\n")
    assert all(source in card for source in ("Common Voice", "LJ Speech", "LibriSpeech"))  # CC BY asks for the name
    read = read_encoder(Path("hubert-small"))
    assert read.is_complete
    assert read.family is HUBERT
    expected = HUBERT.sizes["small"]["model_cfg"]
    assert isinstance(expected, dict)
    found = read.container["model_cfg"]
    assert isinstance(found, dict)
    assert {key: found[key] for key in ("encoder_layers", "encoder_embed_dim")} == {
        key: expected[key] for key in ("encoder_layers", "encoder_embed_dim")
    }
    encoder = build_encoder(read, device=torch.device("cpu"))
    assert all(each.dtype == torch.float32 for each in encoder.weights().values())
    with torch.no_grad():
        states = encoder([torch.randn(8_000, generator=torch.Generator().manual_seed(0))]).hidden_states
    assert len(states) == 7
    for state in states:
        assert state.isfinite().all()
        assert state.std(dim=1).mean() > 0.01  # frames differ: nothing has collapsed


def test_a_slip_is_answered_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="must be a checkpoint, but there is no such file") as caught:
        read_encoder(tmp_path / "hubert_bas")
    assert caught.value.hint == (
        "did you mean 'hubert-base'? speechft list checkpoints shows the encoders that need no file"
    )


def test_a_name_of_the_hub_has_an_organisation_and_perhaps_a_revision() -> None:
    assert is_name("hf:facebook/hubert-base-ls960")
    assert (read_hub("hf:a/b").repository, read_hub("hf:a/b").revision) == ("a/b", "main")
    assert read_hub("hf:a/b@refs/pr/1").revision == "refs/pr/1"
    for wrong in ("hf:", "hf:a", "hf:a/b/c", "hf:a/../b", "hf:a/b@"):
        with pytest.raises(RequestError, match=r"must be hf:ORG/NAME or hf:ORG/NAME@REVISION"):
            read_hub(wrong)
