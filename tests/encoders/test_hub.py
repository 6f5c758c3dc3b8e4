"""Repositories of the Hugging Face hub, from a server of our own that answers as the hub does."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.encoders.hub import hub_folder
from speechft_cli.encoders.local import name_of
from speechft_cli.errors import SpeechftError
from speechft_cli.events import ignore

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "hf:somebody/tiny"


class Hub:
    """One repository, somebody/tiny, in which `.safetensors` and `.bin` files are large.

    Attributes:
        files: Name → content.
        lies: Whether large files are called by another hash than their own.
        fetched: The files that were asked for.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.lies = False
        self.fetched: list[str] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                owner.answer(self)

            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _oid(self, name: str) -> str:
        if not name.endswith((".safetensors", ".bin")):
            return hashlib.sha1(self.files[name]).hexdigest()
        return "f" * 64 if self.lies else hashlib.sha256(self.files[name]).hexdigest()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        name = path.removeprefix(f"/somebody/tiny/resolve/{COMMIT}/")
        if path == "/api/models/somebody/tiny/revision/main":
            body = json.dumps({"id": "somebody/tiny", "sha": COMMIT, "siblings": []}).encode()
        elif path == f"/api/models/somebody/tiny/tree/{COMMIT}":
            body = json.dumps([self._facts(each) for each in self.files]).encode()
        elif name in self.files:
            body = self.files[name]
            if request.command == "GET":
                self.fetched.append(name)
        else:
            request.send_error(404)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Content-Type", "application/json")
        request.send_header("X-Repo-Commit", COMMIT)
        if name in self.files:
            request.send_header("ETag", f'"{self._oid(name)}"')
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)

    def _facts(self, name: str) -> dict[str, object]:
        size, oid = len(self.files[name]), self._oid(name)
        large = {"lfs": {"oid": oid, "size": size, "pointerSize": 134}} if len(oid) == 64 else {}
        return {"type": "file", "path": name, "size": size, "oid": oid, **large}


@pytest.fixture
def hub(tiny: EncoderCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    save_encoder(tiny, tmp_path / "made", ["hf"])
    files = {each.name: each.read_bytes() for each in (tmp_path / "made" / "encoder-hf").iterdir()}
    hub = Hub({**files, "pytorch_model.bin": b"the same again", "flax_model.msgpack": b"and again"})
    monkeypatch.setenv("SPEECHFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.close()


def test_a_repository_is_fetched_once_and_only_what_is_needed(hub: Hub, tiny: EncoderCheckpoint) -> None:
    read = read_encoder(Path(NAME))
    assert all(torch.equal(read.weights[name], each) for name, each in tiny.weights.items())
    assert sorted(hub.fetched) == [
        "config.json", "model.safetensors", "preprocessor_config.json", "speechft.safetensors",
    ]  # fmt: skip
    assert read.path is not None
    assert name_of(read.path) == NAME
    hub.close()  # what `main` was is what the name stands for from now on
    assert hub_folder(NAME, ignore) == read.path.parent
    assert hub_folder(NAME, ignore).name == COMMIT


def test_a_repository_without_safetensors_gives_its_bin(hub: Hub) -> None:
    for name in [each for each in hub.files if each.endswith(".safetensors")]:
        del hub.files[name]
    folder = hub_folder(NAME, ignore)
    assert sorted(each.name for each in folder.iterdir()) == [
        "config.json", "preprocessor_config.json", "pytorch_model.bin",
    ]  # fmt: skip


def test_a_file_that_is_not_what_the_hub_calls_it_is_thrown_away(hub: Hub) -> None:
    hub.lies = True
    with pytest.raises(SpeechftError, match=f"must have the SHA-256 {'f' * 64}, got"):
        hub_folder(NAME, ignore)
    hub.lies = False
    assert (hub_folder(NAME, ignore) / "model.safetensors").read_bytes() == hub.files["model.safetensors"]


def test_what_was_changed_here_is_refused(hub: Hub) -> None:
    folder = hub_folder(NAME, ignore)
    assert hub.fetched
    file = (folder / "model.safetensors").resolve()
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(SpeechftError, match="that it had when it came"):
        hub_folder(NAME, ignore)


def test_what_the_hub_does_not_have_is_said_in_one_line(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(SpeechftError, match="hf:somebody/else: can't be fetched from the Hugging Face hub: ") as caught:
        hub_folder("hf:somebody/else", ignore)
    assert "\n" not in caught.value.message
    shutil.rmtree(tmp_path / "cache")
    hub.close()
    with pytest.raises(SpeechftError, match=f"{NAME}: can't be fetched from the Hugging Face hub: ") as caught:
        hub_folder(NAME, ignore)
    assert "or fetch huggingface.co/somebody/tiny in another way" in caught.value.hint
