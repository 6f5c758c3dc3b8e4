"""Fetching a file over HTTP: it goes on where it was broken off, and is checked before anybody sees it."""

from __future__ import annotations

import http
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from speechft_cli.errors import SpeechftError
from speechft_cli.events import Advanced, Finished, Note, Report, Started
from speechft_cli.io.atomic import cannot_write
from speechft_cli.io.hashes import file_hash
from speechft_cli.io.records import read_json
from speechft_cli.io.space import require_space, size_text

_ATTEMPTS = 5  # in a row that bring nothing
_WAIT = 1.0  # before trying again, doubled each time [s]
_TIMEOUT = 30.0  # without a byte [s]
_BLOCK = 1 << 20
_MEGABYTE = 10**6
_NOTHING_BEYOND = 416  # HTTP: the range begins at or behind the end
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')
_FOR_GOOD = {*range(400, 500)} - {408, 425, 429}  # HTTP: trying again is no use, unless it was too slow, soon, often


def fetch(url: str, path: Path, *, sha256: str, report: Report, by_hand: str = "", wait: float = _WAIT) -> None:
    """Makes `path` hold what `url` has; nothing is there until it is whole.

    What has come lies in `<path>.part` meanwhile. After a break, in this run or the next, the rest is asked for, unless
    the server can't do that or has another version by now.

    Args:
        url: Where it is.
        path: Where to put it; its folder is made.
        sha256: Of the content; empty when nobody published one, and then the length is all that is checked.
        report: Hears of the progress.
        by_hand: How else a person gets it, as the end of a hint.
        wait: Before trying again after a break, doubled each time [s].

    Raises:
        SpeechftError: The server does not have it, breaks off again and again, or sends something else; or the disk
            is full.
    """
    if path.is_file():
        return
    part, facts = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
    progress = _Progress(url, path.name, report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch_stubbornly(url, part, facts, progress, wait=wait, by_hand=by_hand)
        if sha256:
            report(Finished())
            report(Started(f"checking {path.name}"))  # minutes, of tens of gigabytes
            if (got := file_hash(part)) != sha256:
                part.unlink()
                facts.unlink(missing_ok=True)
                raise SpeechftError(
                    f"{url}: must have the SHA-256 {sha256}, got {got}",
                    f"what came was thrown away; try again{by_hand}",
                )
        part.replace(path)
        facts.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    announced = "the server did not say how long it is" if progress.total == 0 else "length as announced"
    report(Finished(f"{size_text(path.stat().st_size)}, {'SHA-256 as published' if sha256 else announced}"))


def linked_sha256(url: str) -> str:
    """Returns the SHA-256 that the Hugging Face hub says a file has, empty when the server says none.

    The hub answers with a redirect to where large files lie, and names the content in the redirect itself.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "speechft"}, method="HEAD")
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=_TIMEOUT) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:  # how urllib tells of a redirect that is not followed
        headers = error.headers
    except (OSError, http.client.HTTPException):
        return ""  # fetching the file will say what is wrong
    found = _SHA256.fullmatch(headers.get("X-Linked-Etag") or "")
    return found[1] if found else ""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        del arguments


class _Progress:
    """Says how far a download is; how much there is, the server's first answer says."""

    def __init__(self, url: str, name: str, report: Report) -> None:
        self._name, self._report = name, report
        self.total: int | None = None  # [bytes], None before the first answer, 0 when the server does not say
        report(Started(f"asking {urllib.parse.urlsplit(url).hostname} for {name}"))

    def begin(self, have: int, length: int) -> None:
        """Tells of an answer: `have` bytes of `length` are there already; a length of 0 is not known."""
        if length != self.total:
            self.total = length
            self._report(Finished())
            self._report(Started(f"downloading {self._name}", _megabytes(length) or None, "MB"))
        self.advance(have)

    def advance(self, have: int) -> None:
        """Tells how many bytes are there by now."""
        self._report(Advanced(_megabytes(have)))

    def fail(self, trouble: str, seconds: float) -> None:
        """Tells of a try that brought nothing, and when the next one comes."""
        self._report(Note(f"{self._name}: {trouble}; trying again in {seconds:g} s"))


def _megabytes(count: int) -> int:
    return -(-count // _MEGABYTE)


def _fetch_stubbornly(url: str, part: Path, facts: Path, progress: _Progress, *, wait: float, by_hand: str) -> None:
    failures = 0
    while True:
        before = _size(part)
        try:
            if _fetch_rest(url, part, facts, progress):
                return
            trouble = f"the connection broke off after {size_text(_size(part))}"
        except urllib.error.HTTPError as error:
            if error.code in _FOR_GOOD:
                raise SpeechftError(
                    f"{url}: can't be fetched: {error.code} {error.reason}",
                    f"it may have moved{by_hand}",
                ) from error
            trouble = f"the server says {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            trouble = str(getattr(error, "reason", error))
        failures = 0 if _size(part) > before else failures + 1
        if failures == _ATTEMPTS:
            raise SpeechftError(
                f"{url}: can't be fetched: {trouble}", f"the same command again goes on where this one stopped{by_hand}"
            )
        if failures:
            progress.fail(trouble, wait * 2**failures)
        time.sleep(wait * 2**failures)


def _fetch_rest(url: str, part: Path, facts: Path, progress: _Progress) -> bool:
    """Asks for what is missing and returns whether everything is there now."""
    have, known = _size(part), read_json(facts)
    headers = {"User-Agent": "speechft", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if known.get("version"):
            headers["If-Range"] = known["version"]  # another version comes whole
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == _NOTHING_BEYOND:
            if known.get("length") == str(have):
                return True
            part.unlink()
            return False
        raise
    with answer:
        is_rest = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        have = have if is_rest else 0
        length = have + int(answer.headers.get("Content-Length") or 0)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        facts.write_text(json.dumps({"url": url, "length": str(length), "version": version}), encoding="utf-8")
        require_space(part.parent, length - have)
        progress.begin(have, length if "Content-Length" in answer.headers else 0)
        with part.open("ab" if is_rest else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                progress.advance(have)
    return _size(part) >= length


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
