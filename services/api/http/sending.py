"""A part of a file to a client, in constant memory and for no longer than it makes progress."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO

    from aiohttp import web

SEGMENT_BYTES = 1024 * 1024
STALL_SECONDS = 60.0
"""How long a client may take for a segment: who takes longer gives its place to others."""
_TLS_BYTES = 256 * 1024


class Cut(Exception):  # noqa: N818 - what became of an answer
    """The answer ended before its end: the connection is broken, stalled, or the file too short."""


async def send(
    request: web.Request, response: web.StreamResponse, file: FileIO, start: int, end: int
) -> None:
    """Send the head of a response, then the bytes from ``start`` to before ``end``.

    When it raises Cut the connection is gone: half an answer cannot be taken back.
    """
    transport = request.transport
    if transport is None:
        raise Cut
    try:
        await response.prepare(request)
        is_tls = transport.get_extra_info("sslcontext") is not None
        while start < end:
            size = min(end - start, _TLS_BYTES if is_tls else SEGMENT_BYTES)
            async with asyncio.timeout(STALL_SECONDS):
                if is_tls:
                    sent = await _write(response, file, start, size)
                else:
                    loop = asyncio.get_running_loop()
                    sent = await loop.sendfile(transport, file, start, size, fallback=False)
            if sent < size:
                raise Cut
            start += sent
    # A transport that is closing is a RuntimeError to the loop.
    except (ConnectionError, TimeoutError, RuntimeError) as error:
        raise Cut from error
    finally:
        if start < end:
            transport.abort()


async def _write(response: web.StreamResponse, file: FileIO, start: int, size: int) -> int:
    data = await asyncio.to_thread(os.pread, file.fileno(), size, start)
    await response.write(data)
    return len(data)
