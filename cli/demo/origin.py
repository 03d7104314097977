"""An HTTPS origin on this machine, with a certificate authority of its own."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import trustme
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LOOPBACK = "127.0.0.1"
CHUNKS = 80


class Origin:
    """Serves one file slowly enough that its import can be watched."""

    def __init__(self, file: Path, seconds: float) -> None:
        """Take the file and how many seconds it is to last."""
        self._file = file
        self._pause = seconds / CHUNKS
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """The file's address."""
        return f"https://{LOOPBACK}:{self._port}/{self._file.name}"

    @asynccontextmanager
    async def running(self, ca_file: Path) -> AsyncIterator[None]:
        """Serve on a free port; the certificate authority to trust is written to ``ca_file``."""
        app = web.Application()
        app.router.add_get(f"/{self._file.name}", self._send, allow_head=False)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=_identity(ca_file))
        await site.start()
        self._port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _send(self, request: web.Request) -> web.StreamResponse:
        content = await asyncio.to_thread(self._file.read_bytes)
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"})
        response.content_length = len(content)
        await response.prepare(request)
        size = -(-len(content) // CHUNKS)
        # Who goes away before the end is no news to an origin.
        with suppress(ConnectionResetError):
            for start in range(0, len(content), size):
                await response.write(content[start : start + size])
                await asyncio.sleep(self._pause)
        return response


def _identity(ca_file: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    return context
