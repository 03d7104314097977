"""A receiver of webhooks: HTTPS on 127.0.0.1, with what it was sent and what it answers."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.support.origin import HOST_NAMES, serving, shared_authority

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 60.0
_PIECE = b"x" * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """What it was sent; the next answers, ``(status, headers)``, are taken in order, then 204s.

    While ``open`` is not set every request waits before it is answered. An ``endless`` answer has a
    body that never ends; ``sent`` counts its bytes.
    """

    port: int = 0
    requests: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    endless: bool = False
    sent: int = 0
    at_once: int = 0
    most_at_once: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        """Where it listens."""
        return f"https://{host}:{self.port}{path}"

    async def received(self, count: int = 1) -> list[Received]:
        """Wait until so many requests have come; gives all."""
        await asyncio.to_thread(self._wait, count)
        return self.requests

    def _wait(self, count: int) -> None:
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.requests) >= count, SECONDS)
        assert came, f"{len(self.requests)} of {count} requests came"

    def take(self, request: Received) -> tuple[int, dict[str, str]]:
        """Note a request; gives the answer, once the receiver is open."""
        with self._changed:
            self.requests.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            answer = self.answers.pop(0) if self.answers else (204, {})
            self._changed.notify_all()
        self.open.wait(SECONDS)
        with self._changed:
            self.at_once -= 1
        return answer


@contextmanager
def running_receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver in threads of its own; its certificate is of the shared authority by default."""
    receiver = Receiver()
    receiver.open.set()
    context = tls or serving(shared_authority().issue_cert(*HOST_NAMES))
    server = _Server(("127.0.0.1", 0), _handler(receiver))
    server.tls = context
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="receiver")
    thread.start()
    try:
        yield receiver
    finally:
        receiver.open.set()
        server.shutdown()
        thread.join()
        server.server_close()


def authority_file(folder: Path) -> Path:
    """The certificate of the authority that receivers are certified by, as a PEM file."""
    path = folder / "authority.pem"
    shared_authority().cert_pem.write_to_path(str(path))
    return path


def trusting(receiver: Receiver, folder: Path) -> dict[str, str]:
    """Settings of a product that may send webhooks to a receiver; a file goes into the folder."""
    return {
        "STAGEDOOR_WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
        "STAGEDOOR_WEBHOOK_ALLOW_PORTS": str(receiver.port),
        "STAGEDOOR_WEBHOOK_CA_FILE": str(authority_file(folder)),
    }


class _Server(ThreadingHTTPServer):
    tls: ssl.SSLContext
    daemon_threads = True

    def finish_request(self, request: Any, client_address: Any) -> None:
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as socket:
            super().finish_request(socket, client_address)


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, fields = receiver.take(Received(self.path, headers, body))
            self.send_response(status)
            for name, value in fields.items():
                self.send_header(name, value)
            self.end_headers()
            while receiver.endless:
                self.wfile.write(_PIECE)
                receiver.sent += len(_PIECE)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
