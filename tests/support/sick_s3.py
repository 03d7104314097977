"""A server between a client and its S3, which can do to any request what sick servers do."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 256 * 1024
_HOP_BY_HOP = frozenset({"transfer-encoding", "connection", "content-length"})


class Ill(Enum):
    """What happens to a request."""

    REFUSED = auto()  # 403, as for wrong credentials
    BROKEN = auto()  # 500
    DROPPED = auto()  # hung up on without an answer
    LOST = auto()  # done, but the answer never arrives
    HELD = auto()  # kept waiting until the server gets well
    SLOW = auto()  # the answer's body comes at ``bytes_per_second``


@dataclass(eq=False)
class Sickness:
    """What ails the server: each request whose line has ``where`` in it.

    ``times`` bounds how often; ``seen`` holds the lines of all requests, ``struck`` is set at the
    first that was ill.
    """

    what: Ill | None = None
    where: str = ""
    times: int = 1_000_000
    bytes_per_second: int = 600_000
    seen: list[str] = field(default_factory=list)
    struck: threading.Event = field(default_factory=threading.Event)
    well: threading.Event = field(default_factory=threading.Event)

    def catch(self, what: Ill, where: str = "", times: int = 1_000_000) -> None:
        """Fall ill, from now on."""
        self.what, self.where, self.times = what, where, times

    def strike(self, line: str) -> Ill | None:
        """Note a request, and tell what happens to it."""
        self.seen.append(line)
        if self.what is None or self.where not in line or self.times == 0:
            return None
        self.times -= 1
        self.struck.set()
        return self.what


@contextmanager
def in_front_of(endpoint: str) -> Iterator[tuple[str, Sickness]]:
    """Run the server; gives its endpoint and what ails it, at first nothing."""
    sickness = Sickness()

    class Handler(_Handler):
        upstream = urlsplit(endpoint).netloc
        ill = sickness

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", sickness
    finally:
        sickness.well.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Keep quiet about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: str
    ill: Sickness

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        ill = self.ill.strike(f"{self.command} {self.path}")
        if ill is Ill.HELD:
            self.ill.well.wait()
        if ill in {Ill.HELD, Ill.DROPPED}:
            self.close_connection = True
        elif ill in {Ill.REFUSED, Ill.BROKEN}:
            self._answer(403 if ill is Ill.REFUSED else 500, {}, b"<Error/>")
        else:
            self._forward(body, ill)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - the base's names

    def _forward(self, body: bytes, ill: Ill | None) -> None:
        line = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            line.request(self.command, self.path, body, dict(self.headers.items()))
            answer = line.getresponse()
            data = answer.read()
        finally:
            line.close()
        if ill is Ill.LOST:
            self.close_connection = True
            return
        kept = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
        if self.command == "HEAD":
            kept["Content-Length"] = answer.getheader("Content-Length", "0")
        self._answer(answer.status, kept, data, slowly=ill is Ill.SLOW)

    def _answer(
        self, status: int, headers: dict[str, str], data: bytes, *, slowly: bool = False
    ) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for start in range(0, len(data), _PIECE):
            if slowly and self.ill.well.wait(_PIECE / self.ill.bytes_per_second):
                slowly = False
            self.wfile.write(data[start : start + _PIECE])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet."""
