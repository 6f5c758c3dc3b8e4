"""A server of files of our own, with everything that can go wrong on the way."""

from __future__ import annotations

import http.server
import re
import threading


class Server:
    """Serves one content under any name.

    Attributes:
        breaks: After how many bytes each of the next answers breaks off.
        knows_ranges: Whether parts can be asked for.
        says_length: Whether answers say how long they are.
        version: The ETag.
        status: Instead of the content.
        sha256: What a HEAD request is told that the content's is; empty for nothing.
        asked: The Range headers that came.
    """

    def __init__(self, content: bytes) -> None:
        self.breaks: list[int] = []
        self.knows_ranges = True
        self.says_length = True
        self.version = '"1"'
        self.status = 0
        self.asked: list[str | None] = []
        self.sha256 = ""
        self.content = content
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def do_HEAD(self) -> None:
                # as the Hugging Face hub does: large files lie elsewhere
                self.send_response(302)
                self.send_header("Location", f"{owner.url}-elsewhere")
                if owner.sha256:
                    self.send_header("X-Linked-Etag", f'"{owner.sha256}"')
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/corpus.bin"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.status:
            request.send_error(self.status)
            return
        start = 0
        is_same = request.headers.get("If-Range", self.version) == self.version
        if wanted and self.knows_ranges and is_same:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
        if start and start >= len(self.content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        rest = self.content[start:]
        if self.says_length:
            request.send_header("Content-Length", str(len(rest)))
        request.send_header("ETag", self.version)
        request.end_headers()
        request.wfile.write(rest[: self.breaks.pop(0)] if self.breaks else rest)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
