"""A fast HTTPS origin in a process of its own: ``python -m bench.download.origin FOLDER STATE``.

It serves the files of a folder from memory maps, with keep-alive, single ranges and strong ETags,
and holds a certificate for 127.0.0.1. Once it listens it writes ``ca.pem`` and ``port`` into the
folder STATE. ``GET /-/served`` tells how many bytes of each file were sent, as JSON.
"""

from __future__ import annotations

import argparse
import json
import mmap
import re
import socket
import ssl
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import trustme

_PIECE = 1 << 20
_BACKLOG = 128
_LONGEST_HEAD = 64 * 1024
_SERVED = "/-/served"


@dataclass(frozen=True)
class Mapped:
    """One file, mapped into memory; ``etag`` is strong."""

    path: Path

    @cached_property
    def body(self) -> memoryview:
        """All bytes of the file."""
        with self.path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    @cached_property
    def etag(self) -> str:
        """Another one for each file that was written."""
        stat = self.path.stat()
        return f'"{sha256(f"{self.path}{stat.st_mtime_ns}".encode()).hexdigest()[:16]}"'


@dataclass(frozen=True)
class Origin:
    """What all connections share; ``rate`` is the most bytes per second on each, 0 for any."""

    folder: Path
    tls: ssl.SSLContext
    rate: float
    files: dict[str, Mapped] = field(default_factory=dict)
    served: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, raw: socket.socket) -> None:
        """Answer the requests of one connection until the client hangs up."""
        with suppress(OSError), self.tls.wrap_socket(raw, server_side=True) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    data = connection.recv(_LONGEST_HEAD)
                    if not data or len(rest) > _LONGEST_HEAD:
                        return
                    rest += data
                head, _, rest = rest.partition(b"\r\n\r\n")
                self._answer(connection, head.decode("latin-1"))

    def _answer(self, connection: ssl.SSLSocket, head: str) -> None:
        method, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
        name = target.partition("?")[0].removeprefix("/")
        if target == _SERVED:
            connection.sendall(_plain(json.dumps(self.served).encode()))
        elif "/" in name or not (self.folder / name).is_file():
            connection.sendall(_plain(b"", "404 Not Found"))
        else:
            self._send(connection, name, head, with_body=method == "GET")

    def _send(self, connection: ssl.SSLSocket, name: str, head: str, *, with_body: bool) -> None:
        with self.lock:
            mapped = self.files.setdefault(name, Mapped(self.folder / name))
        size, part = len(mapped.body), _range(head, mapped)
        first, end = part or (0, size)
        lines = [
            "HTTP/1.1 206 Partial Content" if part else "HTTP/1.1 200 OK",
            f"Content-Length: {end - first}",
            f"ETag: {mapped.etag}",
            "Accept-Ranges: bytes",
            "Content-Type: audio/wav",
        ]
        lines += [f"Content-Range: bytes {first}-{end - 1}/{size}"] if part else []
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        if with_body:
            self._stream(connection, name, mapped.body[first:end])

    def _stream(self, connection: ssl.SSLSocket, name: str, body: memoryview) -> None:
        began = time.monotonic()
        for at in range(0, len(body), _PIECE):
            piece = body[at : at + _PIECE]
            connection.sendall(piece)
            with self.lock:
                self.served[name] += len(piece)
            if self.rate:
                time.sleep(max(began + (at + len(piece)) / self.rate - time.monotonic(), 0))


def _range(head: str, mapped: Mapped) -> tuple[int, int] | None:
    """Return the first byte and the end of the range that is to be sent, None for everything."""
    asked = re.search(r"\r\nRange: *bytes=(\d+)-(\d*)", head, re.IGNORECASE)
    condition = re.search(r"\r\nIf-Range: *([^\r]*)", head, re.IGNORECASE)
    if asked is None or (condition and condition[1] != mapped.etag):
        return None
    first, size = int(asked[1]), len(mapped.body)
    end = min(int(asked[2]) + 1, size) if asked[2] else size
    return (first, end) if first < end else None


def _plain(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--rate", type=float, default=0.0, help="bytes per second and connection")
    options = parser.parse_args()
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    origin = Origin(options.folder, tls, options.rate)
    authority.cert_pem.write_to_path(str(options.state / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        announced = options.state / "port.new"
        announced.write_text(str(listener.getsockname()[1]))
        announced.rename(options.state / "port")
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=origin.serve, args=(raw,), daemon=True).start()


if __name__ == "__main__":
    main()
