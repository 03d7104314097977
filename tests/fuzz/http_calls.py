"""HTTP/1.1 over a raw socket: requests that no client library would send."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MEDIA_TYPE = "application/vnd.api+json"
SECONDS = 15.0
MAX_ANSWER_BYTES = 4 << 20
Headers = tuple[tuple[str, str], ...]
DOCUMENT: Headers = (("Accept", MEDIA_TYPE), ("Content-Type", MEDIA_TYPE))

_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3}) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """The first final answer; the body only if its length was told."""

    status: int
    head: bytes
    body: bytes

    def errors(self) -> Any:
        """The errors of a JSON:API document; raises KeyError or ValueError if it is none."""
        assert MEDIA_TYPE.encode() in self.head, self.head
        return json.loads(self.body)["errors"]


def request(
    method: str,
    target: str,
    token: str | None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """A request that is framed well, whatever is in it; it ends the connection."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method in {"POST", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def exchange(port: int, raw: bytes, seconds: float = SECONDS) -> Answer | None:
    """Send bytes and read the first answer; None if none came within so many seconds."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        try:
            connection.sendall(raw)
            connection.settimeout(seconds)
            return _read(connection, has_body=not raw.startswith(b"HEAD "))
        except (TimeoutError, ConnectionError):
            return None


def _read(connection: socket.socket, *, has_body: bool) -> Answer | None:
    received = b""
    while len(received) < MAX_ANSWER_BYTES:
        answer = _parse(received, has_body=has_body)
        if answer is not None:
            return answer
        chunk = connection.recv(1 << 16)
        if not chunk:
            return None
        received += chunk
    raise AssertionError("the answer does not end")


def _parse(received: bytes, *, has_body: bool) -> Answer | None:
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        return None
    found = _STATUS.match(head)
    assert found is not None, f"this is no HTTP: {head!r}"
    status = int(found[1])
    if status // 100 == 1:
        return _parse(rest, has_body=has_body)
    length = _LENGTH.search(head)
    wanted = int(length[1]) if length and has_body and status != HTTPStatus.NOT_MODIFIED else 0
    return Answer(status, head, rest[:wanted]) if len(rest) >= wanted else None
