"""libcurl behind the downloader's Transport, with its address guard, to compare.

It does what the interface asks for and no more than the benchmark needs: a body that breaks is
``truncated``, everything else that fails is ``origin_unreachable``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import pycurl  # type: ignore[import-untyped]  # no dependency, and without types
from multidict import CIMultiDict

from services.downloader.errors import Permanent, Transient
from shared.origin.guard import DialRefused

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from shared.origin.guard import AddressGuard
    from shared.origin.stop import Stop

_SECONDS = 30.0
_BUFFER_BYTES = 256 * 1024


class CurlResponse:
    """Has libcurl write into the caller's buffer, and pauses it while there is none."""

    def __init__(self, easy: pycurl.Curl, multi: pycurl.CurlMulti, stop: Stop) -> None:
        self.status = 0
        self.headers: CIMultiDict[str] = CIMultiDict()
        self._easy, self._multi, self._stop = easy, multi, stop
        self._buffer = self._rest = memoryview(b"")
        self._filled = 0
        self._paused = self._done = self._begun = False

    def begin(self) -> None:
        """Wait for the head."""
        while not (self._begun or self._done):
            self._step()
        self.status = self._easy.getinfo(pycurl.RESPONSE_CODE)

    def read_into(self, buffer: memoryview, until: float = 0.0) -> int:  # noqa: ARG002 - see Response
        """See Response; what is here."""
        self._buffer, self._filled = buffer, 0
        rest, self._rest = self._rest, memoryview(b"")
        self._put(rest)
        while not (self._filled or self._done):
            if self._paused:
                self._paused = False
                self._easy.pause(pycurl.PAUSE_CONT)
            self._step()
        self._buffer = memoryview(b"")
        return self._filled

    def take_head(self, line: bytes) -> None:
        """Take a line of the head, the empty one at its end too."""
        name, colon, value = line.decode("latin-1").strip().partition(":")
        if colon:
            self.headers.add(name, value.strip())

    def take(self, data: bytes) -> int | None:
        """Take bytes of the body, or none while nobody waits for them."""
        self._begun = True
        if self._rest:
            self._paused = True
            return int(pycurl.WRITEFUNC_PAUSE)
        self._put(memoryview(data))
        return None

    def _put(self, data: memoryview) -> None:
        size = min(len(self._buffer) - self._filled, len(data))
        if size:
            self._buffer[self._filled : self._filled + size] = data[:size]
            self._filled += size
        self._rest = data[size:]

    def _step(self) -> None:
        self._stop.check()
        self._multi.perform()
        _, done, failed = self._multi.info_read()
        if failed:
            code = "truncated" if self._begun else "origin_unreachable"
            raise Transient(code, "The connection broke.")
        self._done = self._done or bool(done)
        if not (self._filled or self._done or self._rest or self._paused):
            self._multi.select(1.0)


class CurlTransport:
    """libcurl: a handle of its own for each request at a time, kept with its connections."""

    def __init__(self, guard: AddressGuard, ca: Path, user_agent: str) -> None:
        self._guard = guard
        self._ca = ca
        self._user_agent = user_agent
        self._idle: list[pycurl.CurlMulti] = []

    def __enter__(self) -> Self:
        """Nothing is opened before the first request."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection that is kept."""
        for multi in self._idle:
            multi.close()

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str], stop: Stop) -> Iterator[CurlResponse]:
        """See Transport."""
        easy = self._easy(url, headers, stop)
        multi = self._idle.pop() if self._idle else pycurl.CurlMulti()
        response = CurlResponse(easy, multi, stop)
        easy.setopt(pycurl.HEADERFUNCTION, response.take_head)
        easy.setopt(pycurl.WRITEFUNCTION, response.take)
        multi.add_handle(easy)
        try:
            response.begin()
            if not self._guard.allows(easy.getinfo(pycurl.PRIMARY_IP)):
                raise Permanent("address_refused", "The connection leads elsewhere.")
            yield response
        finally:
            multi.remove_handle(easy)
            easy.close()
            self._idle.append(multi)

    def _easy(self, url: str, headers: Mapping[str, str], stop: Stop) -> pycurl.Curl:
        parts, easy = urlsplit(url), pycurl.Curl()
        host, port = parts.hostname or "", parts.port or 443
        try:
            found = self._guard.addresses(host, _SECONDS, stop)
        except DialRefused as refusal:
            raise Permanent(refusal.code, refusal.detail) from refusal
        easy.setopt(pycurl.URL, url)
        easy.setopt(pycurl.RESOLVE, [f"{host}:{port}:{','.join(found)}"])
        easy.setopt(pycurl.OPENSOCKETFUNCTION, self._socket)
        easy.setopt(pycurl.PROXY, "")
        easy.setopt(pycurl.NOSIGNAL, 1)
        easy.setopt(pycurl.CAINFO, str(self._ca))
        easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        easy.setopt(pycurl.BUFFERSIZE, _BUFFER_BYTES)
        easy.setopt(pycurl.CONNECTTIMEOUT, round(_SECONDS))
        easy.setopt(pycurl.USERAGENT, self._user_agent)
        fields = {"Accept-Encoding": "identity", **headers}
        easy.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in fields.items()])
        return easy

    def _socket(self, _: int, address: Any) -> socket.socket | int:
        try:
            return self._guard.open_socket(address.family, address.addr[0], address.addr[1])
        except DialRefused:
            return int(pycurl.SOCKET_BAD)
